# ruff: noqa: INP001  a script beside the tests, no package
"""Write `fold-cases.json`: random runs, and the state that Python's fold gives for each.

`python js/test/make_fold_cases.py [--check]`; with `--check` nothing is written, and a difference
fails. The page's fold must give the same states (`fold.test.ts`).
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import msgspec

from l0 import events as e

TARGET = Path(__file__).resolve().parent / "fold-cases.json"
CASES = 24
STARTED = 1_700_000_000_000.0  # Unix ms
FACTS = (
    *("content", "token_count", "attempt", "fallback_index", "model_retry_count"),
    *("network_retry_count", "violations", "drift_detected", "completed", "aborted", "resumed"),
    *("duration", "time_to_first_token", "data_outputs", "last_progress", "tool_calls"),
    *("lost_tokens", "finish_reason", "model"),
)
WORDS = ("Once ", "upon", " a ", "time", ",", "\n", "🎉", "Zürich ", "日本", "the ", "e\u0301 ")


class Story:
    """One random run: what Python folds, and what travels to the page for it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.state = e.State()
        self.ops: list[list[Any]] = []
        self.ms = 0.0

    def emit(self, payload: e.Payload) -> None:
        """Fold the event, and send its row with the text operation that belongs to it."""
        if self.ops:  # the run's clock begins with its first event
            self.ms += self.random.choice((0.0, 1.0, 12.5, 250.0))
        e.fold(self.state, payload, STARTED + self.ms)
        fields = msgspec.to_builtins(payload)
        name = fields.pop("type")
        if isinstance(payload, e.TokensPayload):
            self.ops.append(["d", "".join(payload.texts)])
            spent = payload.offsets_us[-1] / 1000
            fields = {"start": payload.start, "count": len(payload.texts), "duration_ms": spent}
            self.ms += spent
        if isinstance(payload, e.RestartPayload):
            kept = self.state.content[: payload.kept_chars]
            self.ops.append(["r", len(kept.encode("utf-16-le")) // 2])
        self.ops.append(["e", [[name, payload_time(payload, self.ms, fields), fields]]])

    def tokens(self) -> None:
        """A batch; the first token's time is the batch's."""
        texts = self.random.choices(WORDS, k=self.random.randint(1, 8))
        offsets = [1000 * index for index in range(len(texts))]
        start = self.state.token_count
        self.emit(e.TokensPayload(start=start, texts=texts, offsets_us=offsets))

    def beside(self) -> None:
        """Something other than text."""
        violation = e.GuardrailViolation(
            "rule", "found", position=self.random.choice((None, 0, 2, 9))
        )
        call = e.ToolCall("c1", "f", {"a": 1})
        data = e.DataPayload(e.ContentType.IMAGE, mime_type="image/png")
        progress = e.Progress(percent=50.0, message="half")
        kind = e.EventType
        self.emit(
            self.random.choice(
                (
                    e.GuardrailRuleResultPayload(
                        index=0, rule_id="rule", passed=False, violations=[violation]
                    ),
                    e.DriftCheckResultPayload(
                        detected=True, score=0.9, types=["tone_shift"], metrics={}, threshold=0.5
                    ),
                    e.CheckpointSavedPayload(
                        checkpoint_length=self.state.content_length,
                        token_count=self.state.token_count,
                    ),
                    e.StreamEventPayload(e.Event(kind.TOOL_CALL, tool_call=call)),
                    e.StreamEventPayload(e.Event(kind.DATA, payload=data)),
                    e.StreamEventPayload(e.Event(kind.PROGRESS, progress=progress)),
                )
            )
        )

    def fail(self, attempt: int, fallback: int) -> tuple[int, int]:
        """An attempt fails; the next one keeps some of the text, or none."""
        again = attempt + 1 if self.random.random() < 0.7 else 1
        if again > 1:
            self.emit(
                e.RetryAttemptPayload(
                    attempt=attempt,
                    max_attempts=3,
                    reason="timeout",
                    category="network",
                    delay_ms=100.0,
                    counts_toward_limit=self.random.random() < 0.5,
                )
            )
            self.emit(
                e.AttemptStartPayload(
                    attempt=again, fallback_index=fallback, is_fallback=fallback > 0
                )
            )
        else:
            fallback += 1
            self.emit(e.FallbackModelSelectedPayload(index=fallback, reason="timeout"))
        tokens = self.random.choice((0, self.state.token_count // 2, self.state.token_count))
        parts = list(self.state.content)
        chars = len(parts) * tokens // max(1, self.state.token_count)
        if tokens and self.random.random() < 0.5:
            self.emit(
                e.ResumeStartPayload(
                    checkpoint=self.state.content[:chars],
                    checkpoint_length=chars,
                    token_count=tokens,
                )
            )
        self.emit(
            e.RestartPayload(
                kept_chars=chars,
                kept_tokens=tokens,
                discarded_chars=len(parts) - chars,
                reason="timeout",
                attempt=again,
                fallback_index=fallback,
                delivered=True,
            )
        )
        return again, fallback

    def play(self) -> None:
        """The whole run."""
        self.emit(e.SessionStartPayload(options={}))
        attempt, fallback = 1, 0
        for _ in range(self.random.randint(1, 4)):
            self.emit(e.StreamInitPayload(attempt=attempt, fallback_index=fallback))
            for _ in range(self.random.randint(0, 6)):
                self.random.choice((self.tokens, self.tokens, self.beside))()
            if self.random.random() < 0.6:
                attempt, fallback = self.fail(attempt, fallback)
        outcome = self.random.choice(("completed", "failed", "aborted"))
        if outcome == "aborted":
            count, length = self.state.token_count, self.state.content_length
            self.emit(
                e.AbortCompletedPayload(token_count=count, content_length=length, elapsed_ms=3.0)
            )
        else:
            self.emit(
                e.StreamFinishedPayload(
                    attempt=attempt,
                    event_count=3,
                    token_count=self.state.token_count,
                    duration_ms=9.0,
                    finish_reason="stop",
                    model="sim",
                )
            )
            self.emit(
                e.FinalizationStartPayload(
                    token_count=self.state.token_count, content_length=self.state.content_length
                )
            )
            self.emit(e.FinalizationEndPayload(passed=outcome == "completed", duration_ms=1.0))
        self.emit(e.SessionEndPayload(outcome=outcome, duration_ms=self.ms))


def payload_time(payload: e.Payload, ms: float, fields: dict[str, Any]) -> float:
    """When the event began, in ms of the run."""
    return ms - fields["duration_ms"] if isinstance(payload, e.TokensPayload) else ms


def generate() -> str:
    """The text of `fold-cases.json`."""
    cases = []
    for seed in range(CASES):
        story = Story(seed)
        story.play()
        facts = {name: getattr(story.state, name) for name in FACTS}
        cases.append({"ops": story.ops, "state": msgspec.to_builtins(facts)})
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` say whether it is current; returns the exit code."""
    text = generate()
    if "--check" in arguments:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{TARGET} is stale; run `python js/test/make_fold_cases.py`\n")
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
