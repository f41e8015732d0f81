"""Numbered messages: a page that obeys them shows the text, whatever is lost on the way."""

import asyncio
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_runs import TROUBLE, told

import l0
from l0.events import EventBus, TokensPayload
from l0.notebook._bridge import HEARTBEAT, INTERVAL, Bridge, utf16_length
from l0.notebook._rows import clean
from l0.notebook._story import Story
from l0.notebook._stream import StreamView
from l0.testing import VirtualClock


class Page:
    """What the page's half does: texts as UTF-16, messages in order, a gap asks once."""

    def __init__(self, rev=0, content=""):
        self.have, self.units, self.rows = rev, content.encode("utf-16-le"), []
        self.status, self.meta, self.syncs = "waiting", {}, 0

    def hear(self, message):
        """Apply a message; True if it asks for a snapshot."""
        json.dumps(message, ensure_ascii=False).encode()  # nothing crosses that JSON can't carry
        q, ops = message["q"], message["ops"]
        if ops[0][0] == "s":
            state = ops[0][1]
            assert state["q"] == q
            if state["q"] >= self.have:
                self.have, self.units = q, state["content"].encode("utf-16-le")
                self.rows, self.status, self.meta = state["events"], state["status"], state["meta"]
        elif q > self.have + 1 or (q > self.have and ops[0][0] == "h"):
            self.syncs += 1
            return True
        elif q > self.have:
            self.have = q
            for op in ops:
                self.apply(op)
        return False

    def apply(self, op):
        match op:
            case ["d", str(text)]:
                self.units += text.encode("utf-16-le")
            case ["r", int(keep)]:
                assert 0 <= keep <= len(self.units) // 2
                self.units = self.units[: 2 * keep]
            case ["e", list(rows)]:
                self.rows += rows
            case ["st", str(status), dict(meta)]:
                self.status, self.meta = status, {**self.meta, **meta}
            case _:
                raise AssertionError(op)

    @property
    def text(self):
        return self.units.decode("utf-16-le")


class Line:
    """A run, its bridge, and what was sent with the time it was."""

    def __init__(self, clock=None, **options):
        self.clock = clock or VirtualClock()
        self.sent, self.times = [], []
        self.story = Story(live=True, model="m")
        self.bus = EventBus(clock=self.clock, stream_id="a-run")
        self.bus.subscribe(self.story, self.story.types)
        self.bridge = Bridge(self.story, self.send, clock=self.clock, **options)

    def send(self, message):
        self.sent.append(message)
        self.times.append(self.clock.now)

    def begin(self):
        self.bus.emit("SESSION_START", options={})

    def tokens(self, *texts):
        start = self.story.state.token_count
        self.bus.emit(TokensPayload(start, list(texts), [0] * len(texts)))

    def restart(self, kept_tokens):
        state = self.story.state
        kept_tokens = min(kept_tokens, state.token_count)
        kept = len("".join(state._parts[:kept_tokens])) if len(state._parts) > 1 else 0
        if not kept:
            kept_tokens = 0
        self.bus.emit(
            "RESTART",
            kept_chars=kept,
            kept_tokens=kept_tokens,
            discarded_chars=state.content_length - kept,
            reason="timeout",
            attempt=2,
            fallback_index=0,
            delivered=True,
        )

    def end(self, outcome="completed"):
        self.bus.emit("SESSION_END", outcome=outcome, duration_ms=1.0)


def on_loop(test):
    """Timers need a loop, though no time passes on it."""

    async def run():
        return test()

    return asyncio.run(run())


# --- what is told ---------------------------------------------------------------------------


def test_the_page_learns_which_model_answers():
    line = Line()
    line.story.fallbacks = ("second",)
    line.begin()
    line.bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="server_error")
    line.bus.emit("FALLBACK_MODEL_SELECTED", index=1, reason="server_error")
    line.tokens("Hi")
    line.bridge.flush()
    told = [op for message in line.sent for op in message["ops"] if op[0] == "st"]
    models = [op[2].get("model") for op in told]
    assert models == [None, "second", None], "once, when it changes"
    assert line.bridge.meta()["model"] == "second"


# --- the invariant --------------------------------------------------------------------------

TEXTS = st.text(
    st.sampled_from(["a", "é", "🎉", "\ud83d", "\udf89", "日", "\n", "\U0010ffff", "\u0000"])
)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("tokens"), st.lists(TEXTS.filter(bool), min_size=1, max_size=4)),
        st.tuples(st.just("restart"), st.integers(0, 8)),
        st.tuples(st.just("wait"), st.floats(0, 3)),
        st.tuples(st.just("lose"), st.integers(1, 3)),
        st.tuples(st.just("reload"), st.none()),
        st.tuples(st.just("sync"), st.none()),
    ),
    max_size=30,
)


@given(OPS)
def test_a_page_shows_the_text_whatever_is_lost_cut_or_reloaded(ops):
    def play():
        line, lost = Line(), 0
        page, read = Page(), 0

        def deliver():
            nonlocal read, lost
            while read < len(line.sent):
                message, read = line.sent[read], read + 1
                if lost:
                    lost -= 1
                elif page.hear(message):
                    line.bridge.receive({"type": "sync", "have": page.have})

        line.begin()
        for kind, value in ops:
            match kind:
                case "tokens":
                    line.tokens(*value)
                case "restart":
                    line.restart(value)
                case "wait":
                    line.clock.advance(value)
                case "lose":
                    lost += value
                case "reload":
                    deliver()
                    state = line.bridge.snapshot()
                    page, read = Page(state["q"], state["content"]), len(line.sent)
                case "sync":
                    line.bridge.receive({"type": "sync", "have": page.have})
            deliver()
        lost = 0
        line.end()
        line.bridge.refresh()
        deliver()
        line.bridge.receive({"type": "sync", "have": page.have})
        deliver()
        assert page.text == clean(line.story.text)
        assert page.have == line.bridge.q
        assert page.status == "complete"
        numbers = [m["q"] for m in line.sent]
        assert numbers == sorted(numbers)

    on_loop(play)


@given(st.text())
def test_lengths_are_those_of_the_page(text):
    assert utf16_length(clean(text)) == len(clean(text).encode("utf-16-le")) // 2
    assert len(clean(text)) == len(text)


async def test_a_page_that_loses_nothing_lives_through_a_real_run():
    line = Line()
    page = Page()
    story = Story(model="sim:demo")
    bridge = Bridge(story, page.hear, clock=line.clock)
    await told(*TROUBLE, clock=line.clock, story=story)
    bridge.refresh()
    assert page.text == story.text == "Hello 🎉 world"
    assert page.syncs == 0
    assert page.status == "complete"
    assert [row[0] for row in page.rows if row[0] != "TOKENS"] == [
        row[0] for row in story.rows if row[0] != "TOKENS"
    ]


# --- pace -----------------------------------------------------------------------------------


def test_the_first_message_goes_at_once_and_then_thirty_a_second():
    def play():
        line = Line()
        line.begin()
        assert line.times == [0.0]
        for _ in range(1000):
            line.tokens("a", "b")
            line.clock.advance(0.002)
        gaps = [b - a for a, b in zip(line.times, line.times[1:], strict=False)]
        assert min(gaps) >= INTERVAL - 1e-9
        assert 50 <= len(line.sent) <= 62
        line.clock.advance(INTERVAL)
        assert "".join(op[1] for m in line.sent for op in m["ops"] if op[0] == "d") == "ab" * 1000

    on_loop(play)


def test_a_silent_run_says_that_it_lives_and_a_run_that_is_over_does_not():
    def play():
        line = Line()
        line.begin()
        line.clock.advance(4.5 * HEARTBEAT)
        assert [m["ops"][0][0] for m in line.sent] == ["e", *["h"] * 4]
        assert {m["q"] for m in line.sent} == {1}
        line.end()
        line.bridge.refresh()
        count = len(line.sent)
        line.clock.advance(60)
        assert len(line.sent) == count

    on_loop(play)


def test_messages_carry_no_heartbeat_between_them():
    def play():
        line = Line()
        line.begin()
        for _ in range(100):
            line.tokens("a")
            line.clock.advance(0.5)
        assert not any(op[0] == "h" for m in line.sent for op in m["ops"])

    on_loop(play)


def test_twenty_thousand_tokens_stay_small_on_the_wire():
    def play():
        line = Line()
        line.begin()
        for _ in range(20_000 // 50):
            line.tokens(*["tokn "] * 50)
            line.clock.advance(0.05)
        told_ = sum(len(json.dumps(m)) for m in line.sent)
        assert told_ < 2 * 20_000 * 5
        assert len(json.dumps(line.bridge.snapshot())) < 1.2 * 20_000 * 5

    on_loop(play)


def test_outside_of_a_loop_everything_goes_at_once():
    line = Line()
    line.begin()
    line.tokens("a")
    line.tokens("b")
    assert "".join(op[1] for m in line.sent for op in m["ops"] if op[0] == "d") == "ab"


def test_the_page_may_ask_on_another_thread_than_the_run_s():
    def play():
        line = Line()
        line.begin()
        line.tokens("a")
        asking = threading.Thread(
            target=line.bridge.receive, args=({"type": "sync", "have": -1},), daemon=True
        )
        asking.start()
        asking.join(5)
        assert line.sent[-1]["ops"][0][0] == "s"
        assert line.sent[-1]["ops"][0][1]["content"] == "a"
        line.tokens("b")
        line.clock.advance(1)
        assert line.sent[-1]["ops"][0] == ["d", "b"]

    on_loop(play)


# --- what the page says ---------------------------------------------------------------------


def test_stop_is_told_while_the_run_is_on_and_not_after_it():
    stops = []
    line = Line(stop=lambda: stops.append(1))
    line.begin()
    assert line.bridge.meta()["can_stop"] is True
    line.bridge.receive({"type": "abort"})
    assert stops == [1]
    line.end("aborted")
    line.bridge.receive({"type": "abort"})
    assert stops == [1]
    assert line.bridge.meta()["can_stop"] is False
    assert line.story.status == "aborted"


@pytest.mark.parametrize("message", [None, "abort", [], {}, {"type": "x"}, {"type": ["abort"]}])
def test_other_messages_change_nothing(message):
    line = Line(stop=lambda: pytest.fail("nobody asked to stop"))
    line.begin()
    count = len(line.sent)
    line.bridge.receive(message)
    assert len(line.sent) == count


def test_a_page_that_knows_everything_is_answered_shortly():
    line = Line()
    line.begin()
    line.bridge.receive({"type": "sync", "have": line.bridge.q})
    assert line.sent[-1] == {"q": line.bridge.q, "ops": [["h"]]}
    line.bridge.receive({"type": "sync", "have": 0})
    assert line.sent[-1]["ops"][0][0] == "s"
    assert line.sent[-1]["ops"][0][1]["q"] == line.sent[-1]["q"]


def test_a_front_end_that_is_gone_costs_the_run_nothing():
    line = Line()

    def broken(message):
        raise OSError("gone")

    line.bridge._send = broken
    line.begin()
    line.tokens("a")
    line.end()
    line.bridge.refresh()
    assert line.story.text == "a"
    assert line.story.status == "complete"


def test_after_closing_nothing_is_sent():
    def play():
        line = Line()
        line.begin()
        line.bridge.close()
        count = len(line.sent)
        line.tokens("a")
        line.bridge.receive({"type": "sync", "have": 0})
        line.clock.advance(10)
        assert len(line.sent) == count

    on_loop(play)


def test_meta_names_the_run_and_its_failure():
    line = Line(meta={"interrupt": False})
    line.begin()
    line.story.error = {"type": "E", "message": "bad \ud83d", "hint": "do this"}
    meta = line.bridge.meta()
    assert (meta["stream_id"], meta["model"], meta["interrupt"]) == ("a-run", "m", False)
    assert meta["error"]["message"] == "bad \ufffd"
    assert meta["live"] is True


# --- the widget -----------------------------------------------------------------------------


@pytest.fixture
def widget(monkeypatch):
    """A stream view on a comm that only remembers."""
    comms = []

    class Comm:
        comm_id = "c1"

        def __init__(self, **opened):
            self.opened, self.sent = opened, []
            comms.append(self)

        def on_msg(self, handler):
            self.handler = handler

        def send(self, data=None, **_):
            self.sent.append(data)

        def close(self, **_):
            self.sent.append("closed")

    monkeypatch.setattr("comm.create_comm", Comm)
    clock = VirtualClock()
    story, bus = Story(live=True, model="m"), EventBus(clock=clock, stream_id="a-run")
    bus.subscribe(story, story.types)
    stops = []
    view = StreamView(story, stop=lambda: stops.append(1), clock=clock)
    view.comm, view.bus, view.stops = comms[-1], bus, stops
    yield view
    view.close()


def test_growing_traits_cross_when_the_widget_opens_and_at_the_end_only(widget):
    state = widget.comm.opened["data"]["state"]
    assert (state["content"], state["events"], state["rev"]) == ("", [], 0)
    assert state["meta"]["can_stop"] is True
    assert len(state["_esm"]) > 1000
    widget.bus.emit("SESSION_START", options={})
    widget.bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 1]))
    updates = [m["state"] for m in widget.comm.sent if m["method"] == "update"]
    assert not any({"content", "events", "rev"} & set(update) for update in updates)
    widget.bus.emit("SESSION_END", outcome="completed", duration_ms=1.0)
    widget.finish()
    last = [m["state"] for m in widget.comm.sent if m["method"] == "update"][-1]
    assert (last["content"], last["status"]) == ("Hello", "complete")
    assert last["rev"] == widget.bridge.q == custom(widget)[-1]["q"]


def custom(widget):
    return [m["content"] for m in widget.comm.sent if m["method"] == "custom"]


def test_a_late_joiner_gets_the_state_that_the_next_message_continues(widget):
    widget.bus.emit("SESSION_START", options={})
    widget.bus.emit(TokensPayload(0, ["Hel"], [0]))
    state = widget.widget.get_state()
    assert state["content"] == "Hel"
    page = Page(state["rev"], state["content"])
    before = len(custom(widget))
    widget.bus.emit(TokensPayload(1, ["lo"], [0]))
    widget.bridge.flush()
    for message in custom(widget)[before:]:
        assert page.hear(message) is False
    assert page.text == "Hello"


def test_stop_and_sync_come_by_the_comm(widget):
    widget.bus.emit("SESSION_START", options={})
    for content in ({"type": "abort"}, {"type": "sync", "have": 0}):
        data = {"method": "custom", "content": content}
        widget.comm.handler({"content": {"data": data}, "buffers": []})
    assert widget.stops == [1]
    assert custom(widget)[-1]["ops"][0][0] == "s"


def test_the_widget_shows_no_address(widget):
    assert repr(widget.widget) == "<l0 stream view, waiting>"


async def test_a_run_behind_the_sync_door_reaches_the_page_while_the_loop_is_blocked():
    page = Page()
    stream = l0.run(lambda: ["Hel", "lo"])
    story = Story()
    story.follow(stream)
    bridge = Bridge(story, page.hear)
    assert await asyncio.to_thread(l0.run_sync(stream).read) == "Hello"
    bridge.refresh()
    assert (page.text, page.status) == ("Hello", "complete")


def test_a_page_that_opens_late_is_told_everything_where_nobody_hears_it_ask():
    """The first messages come before the page has its view, and the cell blocks the kernel."""
    line = Line()

    def run():
        line.begin()
        for text in "abcdef":
            line.tokens(text)
            line.clock.advance(0.1)

    elsewhere = threading.Thread(target=on_loop, args=(run,), daemon=True)
    elsewhere.start()
    elsewhere.join(5)
    page = Page()
    missed = [page.hear(message) for message in line.sent[3:]]
    assert page.text == "abcdef"
    assert missed.count(True) <= 2, "until the first telling"
    told_all = [message for message in line.sent if message["ops"][0][0] == "s"]
    assert 1 <= len(told_all) <= 2, "seldom, because it is long"


def test_a_page_that_was_heard_is_told_what_is_new():
    line = Line()
    line.bridge.receive({"type": "sync", "have": 0})

    def run():
        line.begin()
        for text in "abcdef":
            line.tokens(text)
            line.clock.advance(0.1)

    elsewhere = threading.Thread(target=on_loop, args=(run,), daemon=True)
    elsewhere.start()
    elsewhere.join(5)
    assert not [message for message in line.sent if message["ops"][0][0] == "s"]
