"""Conversations: what is sent, what is kept, what leaves, and what a transcript looks like."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook_runs import Tags

import l0
from l0.formatting import estimate_tokens
from l0.models import _sim
from l0.notebook import Conversation, Handle, _chat_static
from l0.notebook._chat import MIME, note
from l0.testing import ScriptedModel, VirtualClock

pytest_plugins = ["notebook_shell"]

TURNS = [
    {"role": "user", "content": "one " * 10},
    {"role": "assistant", "content": "two " * 10},
    {"role": "user", "content": "three " * 10},
    {"role": "assistant", "content": "four " * 10},
]


def sent():
    """The messages of the latest request."""
    return _sim.server().requests[-1].body["messages"]


# --- in a cell ------------------------------------------------------------------------------


def test_a_conversation_begins_with_its_first_cell_and_goes_on_with_the_next(cells):
    first = cells("%%l0 sim:story --chat talk -s 'Be brief.'\nHello.")
    talk = cells.ns["talk"]
    assert isinstance(talk, Conversation)
    assert cells.view.notes == ["talk · a new conversation"]
    second = cells("%%l0 sim:story --chat talk\nAnd then?")
    assert cells.ns["talk"] is talk
    assert cells.view.notes == ["talk · 2 earlier messages go along"]
    assert sent() == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "And then?"},
    ]
    assert [turn["content"] for turn in talk.messages] == [
        "Hello.",
        first.text,
        "And then?",
        second.text,
    ]


def test_the_second_answer_is_a_whole_one_though_the_first_stands_before_it(cells):
    cells("%%l0 sim:markdown --chat talk\nHello.")
    answer = cells("%%l0 sim:markdown --chat talk\nAnd then?")
    assert answer.text.startswith("# ")


def test_an_answer_that_breaks_off_is_continued_in_a_conversation_too(cells):
    calm = [cells(f"%%l0 sim:story --chat calm\n{each}") for each in ("Hello.", "And then?")]
    first = cells("%%l0 sim:story --chat talk --chaos drop@20\nHello.")
    second = cells("%%l0 sim:story --chat talk --chaos drop@30\nAnd then?")
    assert [first.text, second.text] == [each.text for each in calm]
    assert len(second.errors) == 1


def test_a_failed_answer_leaves_no_trace(cells):
    cells("%%l0 sim:story --chat talk\nHello.")
    before = list(cells.ns["talk"].messages)
    result = cells.run("%%l0 sim:story --chat talk --chaos 401 -o broken\nAnd then?")
    assert not result.success
    assert cells.ns["talk"].messages == before


def test_a_stopped_answer_is_added_by_keep_alone(cells):
    def stop(view):
        view.stream.subscribe(lambda _: view.stop(), ["TOKENS"])

    cells.set_views(shown=stop)
    handle = cells("%%l0 sim:long --chat talk -o answer --speed 400\nTell me.")
    talk = cells.ns["talk"]
    assert handle.outcome == "aborted"
    assert handle.text
    assert talk.messages == []
    talk.keep(handle)
    talk.keep(handle)
    assert [turn["content"] for turn in talk.messages] == ["Tell me.", handle.text]


def test_a_new_system_prompt_holds_from_then_on(cells):
    cells("%%l0 sim:story --chat talk -s 'Be brief.'\nHello.")
    cells("%%l0 sim:story --chat talk -s 'Be long.'\nHello.")
    assert cells.ns["talk"].system == "Be long."
    assert [turn["content"] for turn in sent() if turn["role"] == "system"] == ["Be long."]


def test_the_oldest_turns_leave_first_and_the_header_says_so(cells):
    talk = cells.ns["talk"] = Conversation("Be brief.", max_tokens=40, messages=TURNS)
    cells("%%l0 sim:story --chat talk\nShort.")
    assert [turn["content"] for turn in sent()] == [
        "Be brief.",
        TURNS[2]["content"],
        TURNS[3]["content"],
        "Short.",
    ]
    assert cells.view.notes == [
        "talk · 2 of 4 earlier messages go along; the oldest 2 are left out to fit 40 tokens"
    ]
    assert talk.messages[:4] == TURNS, "what isn't sent is still there"
    assert note("talk", talk, "word " * 100) == (
        "talk · none of 6 earlier messages goes along: no room in 40 tokens"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%l0 --chat other\nHello.", "other holds no conversation but int; name another"),
        ("%%l0 --chat 1a\nHello.", "can't be the name of a variable"),
        ("%%l0 --chat talk -n 2\nHello.", "--chat is for one run; -n, --race and --consensus"),
    ],
)
def test_a_conversation_that_cannot_be_is_refused_in_one_line(cells, source, said):
    cells.ns["other"] = 5
    assert said in cells.usage_error(source)


def test_completion_offers_the_conversations(cells):
    from l0.notebook import _complete

    cells.ns.update(talk=Conversation(), other=5)
    found = _complete.complete(cells.magics, "%%l0 --chat t", 0, 13)
    assert found == ("t", ["talk"])
    assert "--chat" in _complete.complete(cells.magics, "%%l0 --c", 0, 8)[1]


# --- in code --------------------------------------------------------------------------------


async def test_asking_adds_question_and_answer_and_sends_what_was_said():
    asked = []
    answers = iter([["Hel", "lo"], ["Well."]])

    def ask(messages):
        asked.append(messages)
        return next(answers)

    talk = Conversation("Be kind.")
    answer = await talk.ask("Hi", ask)
    assert isinstance(answer, Handle)
    assert str(answer) == "Hello"
    await talk.ask("How are you?", ask)
    assert asked[1] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "How are you?"},
    ]
    assert [turn["content"] for turn in talk.messages] == ["Hi", "Hello", "How are you?", "Well."]


async def test_what_fails_in_code_raises_and_adds_nothing():
    talk = Conversation()

    async def break_off(_):
        yield "Hel"
        raise PermissionError("not you")

    with pytest.raises(PermissionError, match="not you"):
        await talk.ask("Hi", break_off, clock=VirtualClock())
    assert talk.messages == []
    with pytest.raises(ValueError, match="give a model some text"):
        await talk.ask("  ")
    with pytest.raises(ValueError, match="no provider for"):
        await talk.ask("Hi", "nobody:knows")


async def test_an_attempt_that_goes_on_is_told_where():
    asked = []

    async def ask(messages):
        asked.append(messages)
        if len(asked) == 1:
            yield "Hello wor"
            raise ConnectionResetError("reset")
        yield "ld"

    talk = Conversation()
    options = {"continuation": True, "retry": l0.Retry(base_delay=0)}
    answer = await talk.ask("Hi", ask, clock=VirtualClock(), **options)
    assert str(answer) == "Hello world"
    assert "<so_far>Hello wor</so_far>" in asked[1][-1]["content"]
    assert talk.messages[0] == {"role": "user", "content": "Hi"}


async def test_a_model_may_be_a_name_or_a_model_with_its_own_system_prompt():
    talk = Conversation()
    async with l0.model("sim:story", system="You keep a lighthouse.") as model:
        await talk.ask("Hello.", model, meta={"job": 7})
    assert sent()[0] == {"role": "system", "content": "You keep a lighthouse."}
    talk.system = "You sail."
    await talk.ask("And then?", "sim:story")
    assert [turn["role"] for turn in sent()] == ["system", "user", "assistant", "user"]
    assert sent()[0]["content"] == "You sail."


async def test_an_answer_without_text_is_no_turn_and_breaks_nothing():
    talk = Conversation()
    answer = await talk.ask("Hi", lambda _: [], detect_zero_output=False)
    assert answer.outcome == "completed"
    assert talk.messages == []


async def test_nothing_is_kept_of_a_run_that_goes_on_or_said_nothing():
    talk = Conversation()
    stream = l0.run(ScriptedModel(["Hel", "lo"]))
    with pytest.raises(ValueError, match="the run goes on; await it or stop it"):
        talk.keep(Handle(stream, prompt="Hi"))
    await stream.read()
    with pytest.raises(ValueError, match="nothing to keep"):
        talk.keep(Handle(stream, prompt=None))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"messages": [{"role": "tool", "content": "x"}]}, "a turn is of user or assistant"),
        ({"messages": [{"role": "user"}]}, 'a turn is a dict such as {"role": "user"'),
        ({"messages": ["Hello"]}, "not 'Hello'"),
        ({"max_tokens": 0}, "1 or more, or None; not 0"),
        ({"max_tokens": "many"}, "not 'many'"),
    ],
)
def test_a_conversation_says_what_it_cannot_be_made_of(given, said):
    with pytest.raises(ValueError) as caught:
        Conversation(**given)
    assert said in str(caught.value)


def test_a_conversation_is_made_again_from_its_data():
    talk = Conversation("Be brief.", max_tokens=100, messages=TURNS)
    data = json.loads(json.dumps(talk.to_dict()))
    again = Conversation(**data)
    assert again.to_dict() == talk.to_dict()
    system = {"role": "system", "content": "Be brief."}
    assert Conversation(messages=[system, *TURNS]).system == "Be brief."
    again.clear()
    assert (again.messages, again.system, again.max_tokens) == ([], "Be brief.", 100)
    assert talk.messages == TURNS, "each has turns of its own"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=12),
    st.integers(1, 80),
    st.text(max_size=40),
)
def test_what_is_sent_fits_and_is_the_end_of_what_was_said(said, budget, prompt):
    turns = [{"role": role, "content": content} for role, content in said]
    talk = Conversation("Be brief.", max_tokens=budget, messages=turns)
    fitting = talk.fitting(prompt)
    assert fitting == turns[len(turns) - len(fitting) :]
    assert fitting[:1] == [] or fitting[0]["role"] == "user"
    used = sum(estimate_tokens(turn["content"]) for turn in fitting)
    assert not fitting or used + estimate_tokens(prompt) + estimate_tokens("Be brief.") <= budget
    assert talk.messages == turns


# --- looking at it --------------------------------------------------------------------------


def test_the_frame_has_a_row_a_message_and_says_what_is_sent():
    frame = Conversation(max_tokens=40, messages=TURNS).to_frame()
    assert list(frame.columns) == ["turn", "role", "content", "tokens", "sent"]
    assert list(frame["turn"]) == [1, 1, 2, 2]
    assert list(frame["sent"]) == [False, False, True, True]
    assert str(frame["role"].dtype) == "category"
    assert Conversation().to_frame().empty


def test_the_transcript_is_text_html_and_data():
    talk = Conversation("Be <i>brief</i>.", max_tokens=40, messages=TURNS)
    bundle = talk._repr_mimebundle_()
    assert repr(talk) == "<Conversation 2 turns · about 48 tokens · at most 40 sent>"
    assert bundle[MIME] == talk.to_dict()
    assert bundle["text/plain"].startswith(
        "conversation · 2 turns · about 48 tokens · at most 40 sent\n"
        "  the oldest 2 messages no longer sent, to fit 40 tokens\n\n"
        "System: Be <i>brief</i>.\n\nUser: one"
    )
    page = Tags(bundle["text/html"])
    assert "Be <i>brief</i>." in page.text
    assert page.text.index("two") < page.text.index("no longer sent") < page.text.index("three")


def test_an_empty_conversation_says_that_it_is():
    bundle = Conversation()._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "conversation · 0 turns · about 0 tokens\n\nNothing has been said yet."
    )
    assert "Nothing has been said yet." in Tags(bundle["text/html"]).text


HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    '"><img src=x onerror=alert(1)>',
    "![x](http://evil.example/x.png)",
    "\ud800 half a character",
]


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_turn_becomes_markup(payload):
    turns = [{"role": "user", "content": payload}, {"role": "assistant", "content": payload}]
    talk = Conversation(payload, messages=turns)
    bundle = talk._repr_mimebundle_()
    json.dumps(bundle).encode()
    page = Tags(bundle["text/html"])
    assert {tag for tag, _ in page.found} <= {"div", "span", "b", "p", "a"}
    assert all(
        set(attributes) <= {"style", "class", "href", "rel", "target"}
        for _, attributes in page.found
    )
    assert not any("javascript" in (attributes.get("href") or "") for _, attributes in page.found)


def test_everything_left_out_stands_above_the_line():
    talk = Conversation(max_tokens=1, messages=TURNS)
    assert Tags(_chat_static.html(talk)).text.endswith("no longer sent, to fit 1 tokens")
