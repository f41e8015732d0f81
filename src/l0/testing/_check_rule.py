"""A check that any guardrail rule keeps the contract: yours, or one of ours."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from l0.events import GuardrailViolation
from l0.guardrails import GuardrailContext, GuardrailEngine, GuardrailRule, check_guardrails
from l0.testing._prose import long as long_prose

_INTERVALS = (1, 5, 10)  # tokens a check
_GROWTH = 8  # times the text
_SLACK = 2.5  # times the cost that linear work would have
_SHORT = 10_000  # characters of the shorter text that is timed
_SAMPLES = (
    "",
    "Plain prose, and then nothing more.",
    '```json\n{"a": [1, {"b": null}]}\n```',
    '{"a": [1, 2}',
    "# Plan\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 |\n\n```python\nprint(1)\n",
    "As an AI language model, I cannot do that. Unfortunately, [insert name] is not here.",
    "So \\(x^2\\) and \\begin{align} y \\end{matrix}; it costs $5.",
    "the same old story goes on and on. " * 9,
    "\u00e9\u4e2d\U0001f600 \u200b\r\n\t end",
)

Finding = tuple[str, int | None, str]


def check_rule(
    rule: GuardrailRule, texts: Iterable[str] = (), *, seed: int = 0, growth: bool = True
) -> dict[str, list[GuardrailViolation]]:
    """Assert that a rule keeps the contract on these texts, and some of ours; gives its findings.

    Checked are: what is found doesn't depend on how the text is cut into tokens, nor on how often
    the rule is asked; the object remembers nothing, so that runs may share it; no finding lies
    outside the text; the rule never raises; `check(state)` says of the whole text what asking step
    by step came to; and, with `growth`, eight times the text costs no more than eight times the
    time, with some patience. A rule that looks at the whole text each time fails that last one.

    Args:
        rule: the rule.
        texts: those that it should find something in, and those that it shouldn't.
        seed: of the random cuts.
        growth: False leaves out the measurement.

    Raises:
        AssertionError: it doesn't; the message says what, with the text and the cut.
        TypeError: it is no rule.

    Example:
        >>> from l0.guardrails import custom_pattern_rule
        >>> found = check_rule(custom_pattern_rule(["secret"]), ["no secret"])
        >>> [violation.position for violation in found["no secret"]]
        [3]
    """
    if not isinstance(rule, GuardrailRule):
        raise TypeError(
            f"{rule!r} is no GuardrailRule; wrap your check: GuardrailRule(name, check)"
        )
    dice, found = random.Random(seed), {}
    samples = [*texts, *_SAMPLES]
    for text in samples:
        found[text] = whole = _judge(rule, [text])
        _check_places(rule, text, whole)
        for tokens in _cuts(text, dice):
            _check_cut(rule, text, tokens, whole)
        _check_whole(rule, text, whole)
    _check_shared(rule, samples, found)
    if growth:
        _check_growth(rule)
    return found


def _key(found: GuardrailViolation) -> Finding:
    return found.rule, found.position, found.message


def _judge(rule: GuardrailRule, parts: Sequence[str]) -> list[GuardrailViolation]:
    return list(_step_by_step(rule, parts))[-1]


def _step_by_step(rule: GuardrailRule, parts: Sequence[str]) -> Iterator[list[GuardrailViolation]]:
    """What the engine has found after each part, and at the end."""
    engine, text = GuardrailEngine([rule], stop_on_fatal=False), ""
    for part in parts:
        text += part
        engine.feed(part, GuardrailContext(text))
        yield list(engine.violations)
    engine.finish(GuardrailContext(text, completed=True))
    yield engine.standing


def _cuts(text: str, dice: random.Random) -> Iterator[list[str]]:
    for size in (1, 3, 7):
        yield [text[at : at + size] for at in range(0, len(text), size)]
    for _ in range(3):
        edges = sorted(dice.randrange(len(text) + 1) for _ in range(8))
        yield [text[a:b] for a, b in zip([0, *edges], [*edges, len(text)], strict=True)]


def _check_cut(
    rule: GuardrailRule, text: str, tokens: list[str], whole: list[GuardrailViolation]
) -> None:
    expected = set(map(_key, whole))
    for interval in _INTERVALS:
        parts = ["".join(tokens[at : at + interval]) for at in range(0, len(tokens), interval)]
        found = set(map(_key, _judge(rule, parts)))
        assert found == expected, (
            f"{rule.name}: {text!r} in one piece has {sorted(expected, key=repr)}, but fed as "
            f"{parts[:8]!r}… {sorted(found, key=repr)}; decide about a place only when no later "
            "text can change it"
        )


def _check_places(rule: GuardrailRule, text: str, found: list[GuardrailViolation]) -> None:
    for each in found:
        assert not each.message.startswith("rule failed"), (
            f"{rule.name}: {each.message} on {text!r}"
        )
        assert each.position is None or 0 <= each.position <= len(text), (
            f"{rule.name}: {each.position} lies outside of {text!r}"
        )


def _check_whole(rule: GuardrailRule, text: str, whole: list[GuardrailViolation]) -> None:
    asked = check_guardrails(GuardrailContext(text, completed=True), [rule])
    assert set(map(_key, asked)) == set(map(_key, whole)), (
        f"{rule.name}: check(state) of {text!r} says {asked}, asked step by step it is {whole}"
    )


def _check_shared(
    rule: GuardrailRule, samples: Sequence[str], alone: dict[str, list[GuardrailViolation]]
) -> None:
    """All texts at the same time, a few characters in turn."""
    runs = {
        text: _step_by_step(rule, [text[at : at + 4] for at in range(0, len(text), 4)])
        for text in samples
    }
    last: dict[str, list[GuardrailViolation]] = {}
    while runs:
        for text, steps in list(runs.items()):
            found = next(steps, None)
            if found is None:
                del runs[text]
            else:
                last[text] = found
    for text, found in last.items():
        assert set(map(_key, found)) == set(map(_key, alone[text])), (
            f"{rule.name}: judged together with other texts {text!r} has {found}, alone "
            f"{alone[text]}; what a rule remembers belongs into the checker that start() makes"
        )


def _check_growth(rule: GuardrailRule) -> None:
    long = long_prose(random.Random(0))
    short_cost = _cost(rule, long[:_SHORT])
    cost = _cost(rule, long[: _SHORT * _GROWTH])
    most = _GROWTH * _SLACK * max(short_cost, 1e-4)
    assert cost <= most, (
        f"{rule.name}: {_GROWTH} times the text took {cost / short_cost:.0f} times as long; give "
        "the rule start(), so that it is fed only what is new"
    )


def _cost(rule: GuardrailRule, text: str) -> float:
    """The least seconds of three goes, at one check for 40 characters."""
    parts = [text[at : at + 40] for at in range(0, len(text), 40)]
    took, was_on = [], gc.isenabled()
    gc.disable()  # what others left behind is not the rule's cost
    try:
        for _ in range(3):
            engine = GuardrailEngine([rule], stop_on_fatal=False)
            state: Any = _Growing(parts)
            began = time.thread_time()
            for part in parts:
                state.token_count += 1
                engine.feed(part, state)
            took.append(time.thread_time() - began)
    finally:
        if was_on:
            gc.enable()
    return min(took)


class _Growing:
    """A state whose text is joined only when a rule reads it."""

    completed = False
    checkpoint = ""
    violations = tool_calls = data_outputs = ()
    last_token_at = None

    def __init__(self, parts: Sequence[str]) -> None:
        self._parts = parts
        self.token_count = 0

    @property
    def content(self) -> str:
        return "".join(self._parts[: self.token_count])

    @property
    def content_length(self) -> int:
        return sum(map(len, self._parts[: self.token_count]))
