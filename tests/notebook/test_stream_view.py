"""What a live view is handed besides the run: the module for code, and the run once more."""

import asyncio

import pytest

import l0
from l0.events import EventBus, TokensPayload, Usage
from l0.guardrails import custom_pattern_rule
from l0.notebook import view
from l0.notebook._story import Story
from l0.notebook._stream import STATIC, StreamView
from l0.testing import ScriptedModel, VirtualClock, end

pytest_plugins = ["notebook_comms"]
pytestmark = pytest.mark.usefixtures("comms")


def handed(comms):
    """The modules that a page was handed by the way."""
    told = [data["state"].get("extras") for method, data in comms if method == "update"]
    return [each for each in told if each]


async def shown(*pieces, format="markdown"):
    """A view of a run that says this, read to its end."""
    stream = l0.run(ScriptedModel(list(pieces)), clock=VirtualClock(), guardrails=[])
    story = Story(format=format)
    story.follow(stream)
    live = StreamView(story, clock=VirtualClock())
    await stream.read()
    live.finish()
    return live


async def test_the_module_for_code_comes_with_the_first_fence(comms):
    live = await shown("Hi `a` ", "``", "`python\nx = 1\n", "```\n\n~~~\ny\n~~~")
    (module,) = handed(comms)
    assert module == {
        "js": (STATIC / "extras.js").read_text(encoding="utf-8"),
        "css": (STATIC / "extras.css").read_text(encoding="utf-8"),
    }
    assert live.widget.get_state()["extras"] == module, "whoever comes later has it too"
    assert comms[0][1].get("extras") is None, "no cell carries it before it needs it"


@pytest.mark.parametrize(
    ("pieces", "format"),
    [(("Hi `a` ``b``", " ~~c~~"), "markdown"), (("```python\nx = 1\n```",), "text")],
    ids=["no fence", "plain text"],
)
async def test_an_answer_without_code_carries_no_module(comms, pieces, format):
    await shown(*pieces, format=format)
    assert handed(comms) == []


@pytest.mark.parametrize("format", ["markdown", "text", "data"])
async def test_a_long_answer_needs_the_module_that_keeps_it_in_its_place(comms, format):
    """When the view becomes static, an answer with a scroll bar of its own keeps it."""
    await shown("word " * 80, format=format)
    assert handed(comms) == []
    await shown("word " * 80, "more", format=format)
    assert len(handed(comms)) == 1


@pytest.mark.parametrize("format", ["markdown", "text"])
async def test_a_finding_with_a_place_needs_the_module_that_marks_it(comms, format):
    rule = custom_pattern_rule("lamp", "a lamp", "warning")
    stream = l0.run(ScriptedModel(["a lamp ", "burns"]), clock=VirtualClock(), guardrails=[rule])
    story = Story(format=format)
    story.follow(stream)
    live = StreamView(story, clock=VirtualClock())
    await stream.read()
    live.finish()
    assert len(handed(comms)) == 1


async def test_a_view_made_in_the_middle_of_code_has_the_module_at_once(comms):
    story = Story(live=True)
    bus = EventBus(stream_id="demo")
    bus.subscribe(story, story.types)
    bus.emit("SESSION_START", options={})
    bus.emit(TokensPayload(0, ["Look:\n\n~~~\nx"], [0]))
    assert StreamView(story).widget.extras is not None


def asked(name, *attempts):
    """A model of this name; how often it was asked is the length of its `seen`."""

    class Asked:
        seen = []

        def __call__(self):
            self.seen.append(1)
            return attempts[(len(self.seen) - 1) % len(attempts)]

    model = Asked()
    if name:
        model.name = name
    return model


async def failing():
    raise PermissionError("no")
    yield


async def once():
    yield "a"


async def over(shown):
    """Wait until the run that is shown has ended."""
    while shown.story.live:
        await asyncio.sleep(0)


def press(shown, message):
    shown._live._receive(shown.widget, message, [])


async def test_a_simulated_run_is_run_again_where_it_stands(comms):
    model = asked("sim:demo", ["one"], ["two"])
    stream = l0.run(model, meta={"model": "sim:demo"}, stream_id="mine")
    seen = view(stream)
    assert seen.widget is not None
    assert not seen.widget.meta.get("can_again"), "not before it has ended"
    await stream.read()
    assert seen.widget.meta["can_again"] is True
    assert handed(comms), "the button is in it"
    press(seen, {"type": "again"})
    press(seen, {"type": "again"})  # it runs already
    assert seen.widget.status != "complete"
    before = len(comms)
    await over(seen)
    assert (str(seen), stream.state.content, len(model.seen)) == ("two", "one", 2)
    assert seen.story.stream_id != "mine"
    told = [op for _, data in comms[before:] for op in (data.get("content") or {}).get("ops", ())]
    assert [op[1]["content"] for op in told if op[0] == "s"] or ["d", "two"] in told
    press(seen, {"type": "again"})
    await over(seen)
    assert (str(seen), len(model.seen)) == ("one", 3)
    numbers = [data["content"]["q"] for _, data in comms if (data or {}).get("content")]
    assert numbers == sorted(numbers), "the page counts on"


async def test_a_second_run_may_fail_and_says_so(comms):
    model = asked("sim:demo", ["one"], failing())
    stream = l0.run(model, meta={"model": "sim:demo"}, retry=l0.Retry.none(), clock=VirtualClock())
    seen = view(stream)
    assert seen.widget is not None
    await stream.read()
    press(seen, {"type": "again"})
    await over(seen)
    assert (seen.story.status, seen.widget.status) == ("failed", "failed")
    assert seen.story.error["message"] == "no"


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (lambda: l0.run(asked("openai:gpt-x", ["a"])), "it costs something"),
        (lambda: l0.run(lambda: ["a"]), "nobody knows what it asks"),
        (
            lambda: l0.run(asked("sim:demo", ["a"]), fallbacks=[asked("gpt-x", ["b"])]),
            "what it falls back to may cost something",
        ),
        (lambda: l0.run(once(), meta={"model": "sim:demo"}), "it can be read once"),
    ],
    ids=["model", "function", "fallback", "source"],
)
async def test_a_run_that_may_cost_something_or_can_not_is_not_run_again(comms, stream, why):
    stream = stream()
    seen = view(stream)
    assert seen.widget is not None
    await stream.read()
    assert not seen.widget.meta["can_again"], why
    press(seen, {"type": "again"})
    assert str(seen) == "a"
    assert seen.story.status == "complete"


async def test_the_page_is_told_what_was_used(comms):
    live = await shown("Hello ", end(usage=Usage(input_tokens=3, output_tokens=2)))
    assert live.widget.meta["usage"] == "3 tokens in, 2 out"


def test_each_module_has_a_name_of_its_own_so_that_none_takes_the_style_of_another():
    """Pages keep one style for all anywidgets of a module and class."""
    from l0.notebook._stream import widget_class

    names = {widget_class(module).__name__ for module in ("stream", "structured")}
    assert names == {"StreamWidget", "StructuredWidget"}
