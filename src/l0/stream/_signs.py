"""Signs of life: what changes when the model is seen to be at work for the first time."""

from __future__ import annotations

from l0.events import ConnectionRestoredPayload, NetworkRecoveryPayload, TimeoutResetPayload
from l0.stream._attempt import Attempt
from l0.stream._session import Run


def first_sign(run: Run, attempt: Attempt, tokens: int) -> None:
    """The model is at work: the gap timer takes over, and the network is there again.

    `tokens` is how many stood before.
    """
    attempt.alive = True
    attempt.leave_scope()
    timeout = run.options.timeout
    gap = timeout.inter_token if timeout is not None else None
    if gap is not None:
        run.tell(TimeoutResetPayload(gap * 1000, tokens))
    run.watch.arm("inter_token", gap)
    if run.dropped_at is not None:
        outage = run.since(run.dropped_at)
        run.tell(NetworkRecoveryPayload(attempt.number, run.network_failures, outage))
        if run.dropped_mid:
            run.tell(ConnectionRestoredPayload(attempt.number, outage))
        run.dropped_at, run.dropped_mid, run.network_failures = None, False, 0


def pings_count(run: Run, attempt: Attempt) -> bool:
    """Whether a keep-alive counts as a sign of life before the first token."""
    timeout = run.options.timeout
    if timeout is None or timeout.pings == "never":
        return False
    told = bool(getattr(attempt.decoder, "pings_before_first_token", False))
    return told or timeout.pings == "before_first_token"
