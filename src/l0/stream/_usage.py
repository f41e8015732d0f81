"""What an attempt cost: as the provider reported it, or else as far as it can be estimated."""

from __future__ import annotations

from l0.events import Usage, UsagePayload
from l0.stream._attempt import Attempt
from l0.stream._session import Run

_CHARS_PER_TOKEN = 4


def tell_usage(run: Run, attempt: Attempt) -> None:
    """USAGE, once an attempt, also of one that failed."""
    if attempt.usage_told:
        return
    payload = usage_of(run, attempt)
    if payload is not None:
        attempt.usage_told = True
        run.tell(payload)


def usage_of(run: Run, attempt: Attempt) -> UsagePayload | None:
    """What the attempt cost, if anybody knows: a source that is no provider's costs nothing.

    A stream that broke off, or was not asked to report, leaves the output to be estimated: one
    token for four characters, but never less than the tokens that came, or were reported so far.
    """
    usage, decoder, said = attempt.usage, attempt.decoder, attempt.complete
    if usage is None and said is not None:
        usage = said.usage
    whole = said is not None or getattr(decoder, "raw_finish_reason", None) is not None
    a_provider = getattr(decoder, "model", None) or getattr(decoder, "response_id", None)
    if usage is not None and (whole or not a_provider):
        return _payload(attempt, usage, "reported")
    if not a_provider:
        return None
    known = usage or Usage()
    output = max(known.output_tokens, *_received(run, attempt))
    if usage is not None and output == known.output_tokens:
        return _payload(attempt, usage, "reported")
    estimated = Usage(
        input_tokens=known.input_tokens,
        output_tokens=output,
        cached_input_tokens=known.cached_input_tokens,
        reasoning_tokens=known.reasoning_tokens,
    )
    return _payload(attempt, estimated, "estimated")


def _received(run: Run, attempt: Attempt) -> tuple[int, int]:
    """At least so many tokens came in the response, by their number and by their length."""
    state, matcher = run.state, attempt.matcher
    tokens = state.token_count - attempt.tokens_from
    chars = state.content_length - attempt.chars_from
    if matcher is not None and matcher.restated_at is not None:
        tokens, chars = 0, state.content_length
    elif matcher is not None:
        chars += matcher.overlap_length if matcher.decided else len(matcher.withheld)
    return tokens, -(-max(0, chars) // _CHARS_PER_TOKEN)


def _payload(attempt: Attempt, usage: Usage, source: str) -> UsagePayload:
    return UsagePayload(
        attempt.number,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        source,
    )
