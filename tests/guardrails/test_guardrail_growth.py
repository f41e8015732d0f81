"""The cost of a token does not grow, and neither does what is remembered."""

import gc
import sys
import time
from collections import deque

import pytest
from guardrail_helpers import every, noise, prose

from l0.guardrails import (
    DriftDetector,
    GuardrailContext,
    GuardrailEngine,
    custom_pattern_rule,
    json_rule,
    latex_rule,
    markdown_rule,
    pattern_rule,
    repetition_rule,
    strict_guardrails,
    zero_output_rule,
)
from l0.guardrails._fence import next_mark
from l0.guardrails._phrases import CATEGORIES, PhraseScanner, PhraseSet

SETS = {
    "strict set": strict_guardrails,
    "json": lambda: [json_rule(expect=True)],
    "markdown": lambda: [markdown_rule()],
    "latex": lambda: [latex_rule()],
    "pattern": lambda: [pattern_rule()],
    "custom": lambda: [custom_pattern_rule([r"sk-\w{20,}", r"\bsecret\b"])],
    "zero_output": lambda: [zero_output_rule()],
    "repetition": lambda: [repetition_rule()],
    "drift": None,
}
STATE = GuardrailContext("")
LONG = every(prose(130_000), 65)


def feeder(name):
    """A fresh engine or detector, and the function that feeds it."""
    if SETS[name] is None:
        detector = DriftDetector()
        return detector, detector.feed
    engine = GuardrailEngine(SETS[name](), stop_on_fatal=False)
    return engine, lambda text: engine.feed(text, STATE)


def cost(name, parts):
    """The CPU time of one go, in nanoseconds."""
    gc.collect()
    gc.disable()  # what other tests left behind is not our cost
    try:
        _, feed = feeder(name)
        began = time.thread_time_ns()
        for part in parts:
            feed(part)
        return time.thread_time_ns() - began
    finally:
        gc.enable()


@pytest.mark.parametrize("name", SETS)
def test_s56_ten_times_the_text_costs_ten_times_as_much(name):
    """At most twelve, at 15 tokens a check: the least of each in turn, as noise only adds."""
    tenth = whole = float("inf")
    for _ in range(9):
        tenth = min(tenth, cost(name, LONG[: len(LONG) // 10]))
        whole = min(whole, cost(name, LONG))
        if whole <= 12 * tenth:
            break
    assert whole <= 12 * tenth


class Counted:
    """A compiled expression that counts the characters its searches go over."""

    def __init__(self, pattern, seen):
        self._pattern = pattern
        self._seen = seen

    def __getattr__(self, name):
        return getattr(self._pattern, name)

    def search(self, text, pos=0, end=sys.maxsize):
        found = self._pattern.search(text, pos, end)
        self._seen.append((found.end() if found else min(end, len(text))) - pos)
        return found


PHRASES = [phrase for phrases in CATEGORIES.values() for phrase in phrases]
UNITS = [
    *("[", "{", "x", "i", "<", "#", "k", "ai ", "as an ai ", "i ", "[insert ", "{{a", "xxx "),
    *("i cannot ", "here's the json ", "cannot ", "as a", "word "),
]


@pytest.mark.parametrize("size", [4, 65, 1000, 20_000])
@pytest.mark.parametrize("unit", UNITS)
def test_no_text_has_phrases_searched_for_again_and_again(unit, size):
    """Not one where every place is a candidate: each character is gone over a few times."""
    seen = []
    phrases = PhraseSet(PHRASES)
    phrases.pattern = Counted(phrases.pattern, seen)
    phrases.unfinished = Counted(phrases.unfinished, seen)
    phrases.cores = tuple(Counted(core, seen) for core in phrases.cores)
    scanner = PhraseScanner(phrases)
    text = (unit * 20_000)[:20_000]
    for at in range(0, len(text), size):
        scanner.feed(text[at : at + size], at)
    scanner.flush()
    assert sum(seen) <= len(text) * {4: 80, 65: 8}.get(size, 5)
    assert len(seen) <= 2 * len(text)  # a search costs something, however short


class CountedText(str):
    """A text that counts the characters that looking for something in it goes over."""

    __slots__ = ("seen",)

    def find(self, what, start=0, end=sys.maxsize):
        at = super().find(what, start, end)
        self.seen += (at + len(what) if at >= 0 else min(end, len(self))) - start
        return at


@pytest.mark.parametrize("unit", ["~~~\n", "```\n", "a\n~~~\n", "``` ~~~ ", "~~~ "])
def test_marks_of_one_kind_are_found_without_looking_far_for_the_other(unit):
    """From each mark to the next, a text is gone over a few times in all."""
    text = CountedText(unit * 20_000)
    text.seen = pos = marks = 0
    while (pos := next_mark(text, pos, "")) < len(text):
        marks += 1
        pos += 3
    assert marks == text.count("~~~") + text.count("```")
    assert text.seen <= 1100 * marks


def size_of(thing):
    """Bytes of a thing and all it holds, apart from rules, classes and compiled expressions."""
    seen, todo, total = set(), [thing], 0
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type) or callable(item):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        if isinstance(item, dict):
            todo += [*item, *item.values()]
        elif isinstance(item, list | tuple | set | frozenset | deque):
            todo += item
        for kind in type(item).__mro__:
            slots = getattr(kind, "__slots__", ())
            todo += [getattr(item, slot) for slot in slots if hasattr(item, slot)]
    return total


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(prose(10_000), id="prose"),
        pytest.param(noise(10_000), id="one word"),
        pytest.param(" " * 10_000, id="blanks"),
        pytest.param("` `` " * 2000, id="backticks"),
        pytest.param("x" * 10_000, id="one letter"),
        pytest.param('["' + "\\n" * 5000, id="a string"),
        pytest.param("```\n" + "code " * 2000, id="code"),
        pytest.param("- a | b " * 1250, id="a long row"),
        pytest.param("```py\n```\n" * 1000, id="fences"),
    ],
)
def test_what_is_remembered_is_bounded(name, text):
    """Six and thirty times a text leave as much behind."""
    thing, feed = feeder(name)
    sizes = {}
    for times in range(1, 31):
        for part in every(text, 500):
            feed(part)
        if times in {6, 30}:
            sizes[times] = size_of(thing)
    assert sizes[30] <= 1.2 * sizes[6] + 5000
    assert sizes[30] < 250_000
