"""Static HTML and plain text: they say what happened, safely, and the same each time."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_runs import TROUBLE, Tags, told

import l0
from l0.events import EventBus, TokensPayload, Usage
from l0.guardrails import custom_pattern_rule
from l0.notebook._static import mimebundle
from l0.notebook._story import Story
from l0.notebook._usage import set_prices, usage
from l0.testing import ScriptedModel, VirtualClock, end, fail, stall, tool

CORPUS = json.loads(
    (Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text(encoding="utf-8")
)
TAGS = {
    *("a", "b", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3"),
    *("h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "span", "strong", "summary", "table"),
    *("tbody", "td", "th", "thead", "tr", "ul"),
}
KEPT = {
    *("background", "background-color", "border", "border-bottom", "border-collapse"),
    *("border-color", "border-left", "border-radius", "border-right", "border-style"),
    *("border-top", "border-width", "bottom", "box-shadow", "box-sizing", "clear", "color"),
    *("column-gap", "cursor", "display", "float", "font", "font-family", "font-size"),
    *("font-style", "font-variant", "font-weight", "gap", "height", "left", "letter-spacing"),
    *("line-height", "list-style", "margin", "margin-bottom", "margin-left", "margin-right"),
    *("margin-top", "max-height", "max-width", "min-height", "min-width", "opacity", "outline"),
    *("overflow", "overflow-wrap", "overflow-x", "overflow-y", "padding", "padding-bottom"),
    *("padding-left", "padding-right", "padding-top", "position", "right", "row-gap"),
    *("table-layout", "text-align", "text-decoration", "text-indent", "text-overflow"),
    *("text-transform", "top", "vertical-align", "visibility", "white-space", "width"),
    *("word-break", "word-wrap", "align-items", "align-content", "align-self", "flex"),
    *("flex-basis", "flex-direction", "flex-grow", "flex-shrink", "flex-wrap"),
    *("justify-content", "justify-items", "justify-self", "order", "grid-template-columns"),
}
"""What JupyterLab's sanitizer leaves."""
EXTRA = re.compile(
    r"--l0-t\w:color-mix\(in oklab,var\(--jp-mirror-editor-\w+-color,#\w{6}\) \d+%,currentColor\)"
    r"|color:var\(--l0-t\w\)|content-visibility:auto|contain-intrinsic-size:auto \d+em"
    r"|(?:min-width:|max-width:|margin:0 -1em )clamp\([-\w(), .%*]+\)(?: 0)?"
)
"""What it takes away from a notebook that is not trusted, and that is not missed there."""


CLASSES = ["tex2jax_ignore mathjax_ignore", "l0-said"]
"""Of the whole and of its answer; nothing else has any."""


def html_of(story, **options):
    """The HTML of a story, after a look at everything in it."""
    html = mimebundle(story, **options)["text/html"]
    html.encode()
    for tag, attributes in Tags(html).found:
        assert tag in TAGS
        assert set(attributes) <= {"class", "style", "href", "rel", "target", "start"}
        assert attributes.get("class") in {None, *CLASSES}
        for rule in filter(None, (attributes.get("style") or "").split(";")):
            name, _, value = rule.partition(":")
            if EXTRA.fullmatch(rule):
                continue
            assert name in KEPT, rule
            assert "url" not in value
            assert "var(" not in value
    return html


def text_of(story):
    return mimebundle(story)["text/plain"]


# --- failures first -------------------------------------------------------------------------


async def test_withdrawn_texts_are_struck_through_with_their_reason():
    story, _ = await told(*TROUBLE)
    html = html_of(story)
    assert "<del>Hello 🎉 </del>" in html
    assert "attempt 1 · withdrawn after 2 tokens: econnreset" in html
    assert "attempt 2 · withdrawn after 1 token: " in html
    assert html.count("<details") == 3
    assert "3 attempts" in html
    text = text_of(story)
    assert text.startswith("complete · sim:demo · 3 attempts · 3 tokens\n")
    assert "attempt 1 · withdrawn after 2 tokens" in text
    assert text.endswith("\n\nHello 🎉 world")


async def test_a_failure_is_told_with_its_hint_and_the_text_that_stands():
    story, _ = await told(["Hel", fail(401)])
    story.error["hint"] = "check <the> key"
    html, text = html_of(story), text_of(story)
    assert "HTTPStatusError" in html
    assert "check &lt;the&gt; key" in html
    assert "Hel" in Tags(html).text
    assert text.splitlines()[0] == "failed · sim:demo · 1 token"
    assert "  HTTPStatusError: HTTP 401\n  check <the> key\n\nHel" in text


async def test_names_in_a_hint_are_code_and_no_backticks():
    story, _ = await told(["Hel", fail(401)])
    story.error["hint"] = "See `errors` of <it>; raise `Timeout(a=<b>)`."
    html = html_of(story)
    assert "`" not in html
    assert re.search(r"<span [^>]*monospace[^>]*>errors</span> of &lt;it&gt;; raise", html)
    assert "See errors of <it>; raise Timeout(a=<b>)." in Tags(html).text


async def test_the_header_names_the_model_that_answers():
    story = Story(model="sim:first", fallbacks=["sim:second"])
    story, _ = await told(
        [fail(401)], story=story, fallbacks=[ScriptedModel(["Hi"])], retry=l0.Retry(attempts=0)
    )
    assert text_of(story) == "complete · sim:second · fallback 1 · 2 attempts · 1 token\n\nHi"
    assert "sim:first" not in html_of(story)
    story = Story(model="sim:first")
    story, _ = await told(
        [fail(401)], story=story, fallbacks=[ScriptedModel(["Hi"])], retry=l0.Retry(attempts=0)
    )
    assert text_of(story).startswith("complete · fallback 1 · 2 attempts"), "not a wrong name"


MARKED = re.compile(r'<span style="text-decoration:underline wavy #\w{6}">(.*?)</span>')


@pytest.mark.parametrize(
    ("text", "at", "marked"),
    [
        ("one *two* three", "two", "two"),
        ("one **two** three", "*two", "two"),
        ("see [the lamp](http://lamp.example/lamp) and a lamp.", "lamp.", "lamp."),
        ("see [the lamp](http://a.b) and a lamp", "lamp]", "lamp"),
        ("# Head\n\n- a\n- b `key` c\n", "key", "key"),
        ("a\n\n```python\nkey = 'AKIA'\n```\n", "AKIA", "AKIA&#x27;"),
        ("| a | b |\n|---|---|\n| c | lamp |\n", "lamp", "lamp"),
        ("a\\_b <lamp> & \\*c", "&", "&amp;"),
        ("🎉 🎉🎉 lamp", "lamp", "lamp"),
    ],
)
async def test_a_finding_is_underlined_in_its_place(text, at, marked):
    story, _ = await told([text])
    plain = html_of(story)
    story.state.violations.append(l0.GuardrailViolation("r", "m", position=text.rindex(at)))
    html = html_of(story)
    assert MARKED.findall(html) == [marked]
    assert MARKED.sub(r"\1", html) == plain, "and nothing else is drawn otherwise"


async def test_findings_of_one_word_and_behind_the_text_cost_nothing():
    story, _ = await told(["one two"])
    for position in (4, 4, 5, 7, None):
        story.state.violations.append(l0.GuardrailViolation("r", "m", position=position))
    assert MARKED.findall(html_of(story)) == ["two"]


async def test_findings_tell_rule_place_and_message():
    rule = custom_pattern_rule("TODO", "left-over TODO", "warning", name="no_todo")
    story, _ = await told(["A text. TODO: more", "."], guardrails=[rule])
    for shown in (Tags(html_of(story)).text, text_of(story)):
        assert "left-over TODO" in shown
        assert "no todo" in shown
        assert "at character 8" in shown


def test_a_run_that_was_cut_off_is_unfinished():
    story, bus = Story(model="m"), EventBus(clock=VirtualClock())
    bus.subscribe(story, story.types)
    bus.emit("SESSION_START", options={})
    bus.emit("STREAM_INIT", attempt=1, fallback_index=0)
    bus.emit(TokensPayload(0, ["half an ans"], [0]))
    assert text_of(story) == "unfinished · m · 1 token\n\nhalf an ans"
    assert "Infinity" not in html_of(story)
    assert "inf%" not in html_of(story)


def test_an_empty_story_is_shown():
    assert text_of(Story()) == "unfinished\n"
    assert text_of(Story(live=True, notes=["a note"])) == "waiting\n  a note\n"
    assert "waiting" in html_of(Story(live=True))


# --- the same each time ---------------------------------------------------------------------


async def test_headless_output_does_not_depend_on_time():
    """Strict nbval compares bytes: nothing in them may be measured."""
    shown = []
    for pause in (0.0, 0.01, 0.3, 0.7):
        broken = ["Hel", stall(pause), "lo 🎉 ", fail(ConnectionResetError("reset by peer"))]
        stalled = ["Hello wor", stall(9)]
        whole = ["Hello ", stall(pause), "🎉 world", stall(pause)]
        retry = l0.Retry(attempts=3, base_delay=0.1 + pause, backoff="fixed")
        clock = VirtualClock(wall=1.7e9 + pause * 1e6)
        story, _ = await told(broken, stalled, whole, clock=clock, retry=retry)
        shown.append(mimebundle(story, timeless=True))
    assert all(each == shown[0] for each in shown)
    assert "gap timeout" in shown[0]["text/html"]


async def test_nothing_shows_an_address_or_an_id():
    story, _ = await told(*TROUBLE)
    for shown in mimebundle(story).values():
        assert "0x" not in shown
        assert story.stream_id not in shown
        assert " id=" not in shown
        assert re.findall(r'class="(.*?)"', shown) in ([], CLASSES)


async def test_plain_text_never_tells_a_duration():
    story, _ = await told(["a", stall(0.5), "b"])
    assert text_of(story) == "complete · sim:demo · 2 tokens\n\nab"
    assert "0.50 s" in html_of(story, timeless=False)
    assert "0.50 s" not in html_of(story, timeless=True)


# --- untrusted text -------------------------------------------------------------------------


def poisoned(payload, format):
    """A story in which everything that may be somebody's text is the payload."""
    story = Story(model=payload, format=format, notes=[payload], live=True)
    bus = EventBus(clock=VirtualClock())
    bus.subscribe(story, story.types)
    bus.emit("SESSION_START", options={})
    bus.emit("STREAM_INIT", attempt=1, fallback_index=0)
    bus.emit(TokensPayload(0, [payload], [0]))
    violation = l0.GuardrailViolation(payload, payload, suggestion=payload)
    bus.emit(
        "GUARDRAIL_RULE_RESULT", index=0, rule_id=payload, passed=False, violations=[violation]
    )
    bus.emit(
        "RESTART",
        kept_chars=0,
        kept_tokens=0,
        discarded_chars=len(payload),
        reason=payload,
        attempt=2,
        fallback_index=0,
        delivered=True,
    )
    bus.emit("STREAM_INIT", attempt=2, fallback_index=0)
    event = l0.Event(l0.EventType.MESSAGE, payload)
    bus.emit("STREAM_EVENT", event=event)
    bus.emit(TokensPayload(0, [payload], [0]))
    found = [l0.GuardrailViolation(payload, payload, position=at) for at in range(0, 40, 3)]
    bus.emit("GUARDRAIL_RULE_RESULT", index=0, rule_id="", passed=False, violations=found)
    named = {"tool_name": payload, "tool_call_id": payload}
    bus.emit("TOOL_REQUESTED", **named, arguments={payload: payload}, index=0)
    bus.emit("TOOL_ERROR", **named, error=payload, error_type=payload)
    story.error = {"type": payload, "message": payload, "hint": payload}
    return story


@pytest.mark.parametrize("format", ["markdown", "text", "json", "code"])
def test_no_payload_becomes_markup_wherever_it_stands(format):
    for payload in CORPUS:
        story = poisoned(payload, format)
        html_of(story)
        mimebundle(story)["text/plain"].encode()


@given(st.text())
def test_any_text_can_be_shown(text):
    html_of(poisoned(text, "markdown"))


# --- what else is shown ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("markdown", "<strong>b</strong>"),
        ("text", "**b**"),
        ("code", "**b**"),
        ("json", "**b**"),
    ],
)
async def test_the_answer_is_drawn_in_its_format(format, shown):
    story, _ = await told(["**b**"])
    story.format = format
    assert shown in html_of(story)


async def test_json_is_indented_and_broken_json_left_alone():
    story, _ = await told(['{"a":[1,2]}'])
    story.format = "json"
    assert '"a": [\n' in Tags(html_of(story)).text
    story, _ = await told(['{"a":[1,2'])
    story.format = "json"
    assert '{"a":[1,2' in Tags(html_of(story)).text


async def test_tools_and_reasoning_are_folded():
    thought = l0.Event(l0.EventType.MESSAGE, "Hm. ", data={"kind": "reasoning"})
    story, _ = await told([thought, "So: ", tool("c1", "weather", {"city": "Zürich"})])
    shown = Tags(html_of(story)).text
    assert "Reasoning · 4 characters" in shown
    assert "weather" in shown
    assert '"city": "Zürich"' in shown
    assert "tool weather" in text_of(story)


async def test_bars_never_leave_their_lane():
    story, _ = await told(*TROUBLE)
    for timeless in (True, False):
        html = html_of(story, timeless=timeless)
        for lane in re.findall(r"overflow:hidden\">(.*?)</div></div></div>", html):
            assert sum(float(w) for w in re.findall(r"width:([\d.]+)%", lane)) <= 100.1


async def test_a_bundle_comes_from_a_stream_a_handle_or_a_recording():
    store = l0.events.InMemoryEventStore()
    story, stream = await told(*TROUBLE, event_store=store, model=None)
    from l0.notebook import Handle

    live = mimebundle(story, timeless=True)
    assert mimebundle(stream, timeless=True) == live
    assert mimebundle(store, timeless=True) == live
    handle = Handle(stream, format="text")
    assert mimebundle(handle, timeless=True)["text/plain"] == live["text/plain"]


# --- code, usage, long answers --------------------------------------------------------------


async def test_code_keeps_colours_where_a_page_takes_variables_away():
    story, _ = await told(["```python\n", "def f(): # no\n", "```"])
    html = html_of(story)
    spans = re.findall(r'<span style="([^"]*)">(def|f|# no)</span>', html)
    assert [said for _, said in spans] == ["def", "f", "# no"]
    for style, _ in spans:
        plain, themed, *_ = style.split(";")
        assert re.fullmatch(r"color:#[0-9a-f]{6}", plain), "first what is kept everywhere"
        kind = re.fullmatch(r"color:var\((--l0-t\w)\)", themed)[1]
        assert f"{kind}:color-mix(" in html


@pytest.fixture
def prices():
    set_prices({"gpt-x": (2, 8)})
    yield
    set_prices(None)


WHOLE = ["Hello", end(usage=Usage(input_tokens=1000, output_tokens=500))]


async def test_the_last_line_says_what_was_used(prices):
    story, _ = await told(WHOLE, model="openai:gpt-x")
    line = "1,000 tokens in, 500 out · cost 0.006"
    assert f">{line}</div></div>" in html_of(story)
    assert f"\n  {line}\n\nHello" in mimebundle(story)["text/plain"]


async def test_tokens_of_failed_attempts_are_said_and_estimates_are_no_counts():
    story = Story(model="sim:story")
    story.prices = {"sim:story": (2, 8)}
    async with l0.model("sim:story", chaos="drop@30") as ask:
        stream = l0.run(lambda: ask("Hi"), retry=l0.Retry(base_delay=0))
        story.follow(stream)
        await stream.read()
    said = re.search(r"\n  (.* tokens in.*)\n", mimebundle(story)["text/plain"])[1]
    told = re.fullmatch(
        r"about \d+ tokens in, (\d+) out · about (\d+) of them in failed attempts · "
        r"cost about 0\.00\d+",
        said,
    )
    assert told, said
    assert int(told[1]) == stream.usage.output_tokens
    assert 30 <= int(told[2]) < 60


async def test_a_model_without_a_price_has_no_cost(prices):
    story, _ = await told(WHOLE, model="gpt-y")
    assert usage(story) == "1,000 tokens in, 500 out"
    story.prices = {"gpt-y": (1, 1)}
    assert usage(story) == "1,000 tokens in, 500 out · cost 0.0015"


async def test_a_run_that_goes_on_or_is_seen_from_its_middle_says_what_is_known():
    story, stream = await told(WHOLE)
    assert usage(Story(live=True)) == ""
    assert usage(Story.of_stream(stream)) == "1,000 tokens in, 500 out"


def test_prices_that_make_no_sense_are_named():
    with pytest.raises(ValueError, match="gpt-x"):
        set_prices({"gpt-x": (-1, 8)})
    assert usage(Story()) == ""


async def test_a_long_answer_is_laid_out_in_parts_that_lose_nothing():
    text = "".join(f"# Part {n}\n\n{'word ' * 300}\n\n- item {n}\n\nlast\n\n" for n in range(60))
    for format in ("markdown", "text"):
        story, _ = await told([text], story=Story(format=format), guardrails=[])
        html = html_of(story)
        assert html.count("content-visibility:auto") > 5
        short, _ = await told([text[:2000]], story=Story(format=format), guardrails=[])
        assert "content-visibility" not in html_of(short)
        assert re.sub(r"[\s#-]", "", text) in re.sub(r"[\s#-]", "", Tags(html).text)
    story.format = "markdown"
    parts = re.findall(r'auto \d+em"><(\w+) style="margin:([^;"]*)', html_of(story))
    assert len(parts) > 5
    assert all(name == "p" and margin.startswith("0 0") for name, margin in parts[1:])
