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
