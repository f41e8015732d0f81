"""No secret reaches a store's bytes, however it is cut; ordinary text stays what it was."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.errors._secret_shapes import SHAPES, has_hint
from l0.events import (
    ContentType,
    DataPayload,
    Event,
    EventBus,
    EventRecorder,
    EventType,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    Redactor,
    SQLiteEventStore,
    StreamEventPayload,
    ToolCall,
    catalog,
    open_store,
    replay,
    to_json,
    verify,
)
from l0.events._redact import as_redactor
from l0.events._secret_kinds import KINDS
from l0.guardrails import custom_pattern_rule
from l0.testing import ScriptedModel, fail, tool

_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
PEM = "-----BEGIN PRIVATE KEY-----\n" + f"{_LINE}\n" * 3 + "-----END PRIVATE KEY-----"
LONG_PEM = PEM.replace(f"{_LINE}\n" * 3, f"{_LINE}\n" * 26).replace("PRIVATE", "RSA PRIVATE")

SECRETS = {
    "sk": "sk-abcDEF123ghiJKL456mnoPQR789",
    "sk-ant": "sk-ant-api03-Zk9_dE-fG7hIj4kLmNoPqRsTuVwXyZ",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat": "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789",
    "slack": "xoxb-123456789012-abcdefGHIJKL",
    "google": "AIzaSyD-1234567890abcdefghijklmnopqrstuv",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "bearer": "mF_9.B5f-4.1JqM0a1b2c3d4e5f",
    "authorization": "dXNlcjpodW50ZXIy",
    "pem": PEM,
    "url": "ada:lovelace99",
}
AROUND = {
    "bearer": ("sent Bearer ", " to it"),
    "authorization": ("Authorization: Basic ", "\r\nHost: x"),
    "url": ("see https://", "@example.org/x?a=1"),
}


# What everybody knows of a secret; if it comes in a batch of its own it may stay.
PUBLIC = {
    "sk": "sk-",
    "sk-ant": "sk-",
    "aws": "AKIA",
    "github": "ghp_",
    "github_pat": "github_pat_",
    "slack": "xoxb-",
    "google": "AIza",
    "jwt": "eyJ",
    "bearer": "",
    "authorization": "Basic ",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "url": "ada:",
}


def expected(name):
    """The text as it may be stored: redacted as a whole, with a public beginning kept at most."""
    before, after = around(name)
    whole = Redactor().text(before + SECRETS[name] + after)
    public = PUBLIC[name]
    return {whole.replace("[redacted]", public[:n] + "[redacted]") for n in range(len(public) + 1)}


def around(name):
    return AROUND.get(name, ("the key is ", ", keep it. More text follows here."))


def tokens_of(text, cuts):
    edges = [0, *sorted({c for c in cuts if 0 < c < len(text)}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def record(tokens, batch=3, between=None, redact=True):
    """The log of a run of these tokens; `between` is emitted after that many batches."""
    log = Log(redact=redact)
    bus = EventBus(stream_id="run")
    log.attach(bus)
    for number, at in enumerate(range(0, len(tokens), batch)):
        part = tokens[at : at + batch]
        bus.emit("TOKENS", start=at, texts=part, offsets_us=[7 * i for i in range(len(part))])
        if number == between:
            bus.emit("TOOL_START", tool_name="x", tool_call_id="y")
    bus.emit("STREAM_FINISHED", attempt=1, event_count=1, token_count=1, duration_ms=1.0)
    return log


def text_of(log):
    records = log.records(types=["TOKENS"])
    return "".join(text for record in records for text in record.data["texts"])


def test_every_known_shape_has_a_way_of_beginning():
    assert set(KINDS) == set(SHAPES)
    for name, secret in SECRETS.items():
        before, after = around(name)
        assert has_hint((before + secret + after).casefold()), name


@pytest.mark.parametrize("name", SECRETS)
def test_the_bait_is_a_secret(name):
    before, after = around(name)
    assert SECRETS[name] not in Redactor().text(before + SECRETS[name] + after)


@pytest.mark.parametrize("name", SECRETS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_s83_a_secret_cut_anywhere_is_replaced_in_its_first_token(name, data):
    before, after = around(name)
    text = before + SECRETS[name] + after
    cuts = data.draw(st.lists(st.integers(1, len(text)), max_size=60))
    batch = data.draw(st.integers(1, 9))
    tokens = tokens_of(text, cuts)
    log = record(tokens, batch)
    assert text_of(log) in expected(name)
    stored = [t for r in log.records(types=["TOKENS"]) for t in r.data["texts"]]
    assert len(stored) == len(tokens), "boundaries stay"
    for was, now in zip(tokens, stored, strict=True):
        assert "[redacted]" in now or was.startswith(now) or was.endswith(now)


@pytest.mark.parametrize("name", SECRETS)
def test_one_character_tokens_and_batches_hide_no_secret(name):
    before, after = around(name)
    text = before + SECRETS[name] + after
    assert text_of(record(list(text), batch=1)) in expected(name)


def body_of(name):
    """What is secret in a secret: without the header everybody knows."""
    secret = SECRETS[name]
    if name == "jwt":
        return secret.partition(".")[2]
    return secret.split("-----")[2] if name == "pem" else secret


def leaks(name, text, length=12):
    body = body_of(name)
    return [
        body[i : i + length] for i in range(len(body) - length + 1) if body[i:][:length] in text
    ]


@pytest.mark.parametrize("name", SECRETS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_record_that_forces_the_text_out_forces_no_secret_out(name, data):
    before, after = around(name)
    text = before + SECRETS[name] + after
    cuts = data.draw(st.lists(st.integers(1, len(text)), max_size=60))
    batch = data.draw(st.integers(1, 4))
    between = data.draw(st.integers(0, 30))
    stored = text_of(record(tokens_of(text, cuts), batch, between))
    assert leaks(name, stored) == []
    assert stored.startswith(before[:4])
    assert stored.endswith(after[-6:])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_key_longer_than_what_is_held_back_is_redacted_to_its_end(data):
    text = "here: " + LONG_PEM + "\nand so on."
    cuts = data.draw(st.lists(st.integers(1, len(text)), max_size=80))
    batch, between = data.draw(st.integers(1, 9)), data.draw(st.none() | st.integers(0, 20))
    stored = text_of(record(tokens_of(text, cuts), batch, between))
    assert _LINE[:12] not in stored
    assert _LINE[20:32] not in stored
    assert stored.startswith("here: ")
    assert stored.endswith("\nand so on.")


def test_two_secrets_in_one_text_and_in_one_token():
    a, b = SECRETS["sk"], SECRETS["github"]
    text = f"{a} {b}"
    assert text_of(record([text])) == "[redacted] [redacted]"
    assert text_of(record(list(text), 5)) == "[redacted] [redacted]"


ORDINARY = [
    str(uuid.UUID(int=2**127 + 12345)),
    hashlib.sha256(b"x").hexdigest(),
    hashlib.sha1(b"x").hexdigest(),
    base64.b64encode(hashlib.sha512(b"y").digest()).decode(),
    base64.urlsafe_b64encode(hashlib.sha512(b"y").digest()).decode(),
    "data:image/png;base64," + base64.b64encode(bytes(range(200))).decode(),
    "eyJ" + base64.b64encode(b'"name": "plain JSON", "n": 1').decode(),
    "task-oriented risk-averse sk-learn asking-for-a-friend whisky-sk-whisky",
    "http://localhost:8080/path?x=1#y and https://example.org/a:b@c",
    "the bearer of bad news; Bearer token; bearer authentication",
    "time 12:30:45, ratio 3:4, a@b.example, user@host",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "def f(x): return {'key': x, \"token_count\": 3}",
    "AKIMBO ASIATIC ghosts gh-pages xoxo AIz eyJ. sk- ://:@",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_recorded_as_it_is(text):
    text = f"Well: {text} . Done."
    assert Redactor().text(text) == text
    for batch in (1, 2, 7, 64):
        for size in (1, 3, 8, 1000):
            log = record([text[i : i + size] for i in range(0, len(text), size)], batch)
            assert text_of(log) == text
            assert not any(r.changed for r in log.records())


PIECES = [
    *SECRETS.values(),
    *(PUBLIC[name] for name in PUBLIC if name not in ("bearer", "pem")),
    *("sk-a", "AKIA12", "ghp_ab", "eyJabc.def", "Bearer ", "bearer", "Authorization: Basic "),
    *("-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n", "-----", "://", "a:b", "@"),
    *(" ", "\n", ".", "word", "7", "é😀"),
]


def without_matches(text):
    """The text without what any of the known shapes matches in it."""
    hidden = {i for shape in SHAPES.values() for span in shape.spans(text) for i in range(*span)}
    return "".join(" " if i in hidden else char for i, char in enumerate(text))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.data())
def test_streaming_hides_what_searching_the_whole_text_hides(pieces, data):
    """Whatever the text and its tokens; and where there is nothing to hide, nothing is hidden."""
    text = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(1, max(1, len(text))), max_size=60))
    batch = data.draw(st.integers(1, 6))
    stored = text_of(record(tokens_of(text, cuts), batch)) if text else ""
    whole = without_matches(text)
    if whole == text and "-----BEGIN" not in text:
        assert stored == text
    for name in SECRETS:
        if not leaks(name, whole):
            assert leaks(name, stored) == []


def test_what_stands_before_a_batch_counts_however_far_it_reaches():
    """A key's beginning in the middle of a long word is none, though the window begins there."""
    word = "a" * 200 + "github_pat_11ABCDEFG0aBcDeFgHiJkL"
    for cut in range(60, len(word)):
        assert text_of(record([word[:cut], word[cut:], " "], 1)) == word + " "


def test_a_key_that_ends_in_a_token_which_is_kept_back_is_redacted_to_its_end():
    """The token also holds the beginning of another one."""
    jwt = SECRETS["jwt"]
    text = jwt + PEM + jwt + PEM + jwt + PEM + jwt
    for cuts in ([266, 615, 754, 827, 896], [100, 600, 650, 760]):
        stored = text_of(record(tokens_of(text, cuts), 2))
        assert leaks("pem", stored) == []


# --- payloads and meta ------------------------------------------------------------------------

BAIT = "hunter2-very-secret"


def test_values_under_secret_names_go_whatever_their_spelling_and_depth():
    redactor = Redactor()
    names = ("api_key", "Api-Key", "APIKEY", "X-API-Key", "Authorization", "Set-Cookie", "id_token")
    for name in names:
        value = {"a": [{"headers": {name: BAIT, "count": 3}}]}
        clean = redactor.value(value)
        assert BAIT not in json.dumps(clean)
        assert clean["a"][0]["headers"]["count"] == 3
    for kept in ({"token_count": 5}, {"tokens": ["a"]}, {"password": None}, {"secret": False}):
        assert redactor.value(kept) is kept


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "%s"}',
        '{"a": {"api_key":"%s", "b": 1}}',
        'failed with {"client_secret": "%s"} in it',
        "headers={'x-api-key': '%s', 'a': 'b'}",
        'he said {\\"secret\\": \\"%s\\"} twice',
        '["unfinished {\\"password\\":\\"%s',
        '{"secret": {"deep": ["%s"]}}',
    ],
)
def test_json_inside_a_string_is_read_too(text):
    told = Redactor().text(text % BAIT) if text[0] not in "{[" else Redactor().value(text % BAIT)
    if not text.endswith("%s"):  # an open string can't be told from any other text
        assert BAIT not in told
        assert "[redacted]" in told


def test_own_names_and_patterns_are_added_to_the_known_ones():
    redactor = Redactor(keys=["pin"], patterns=[r"ticket-\d+"], replacement="***")
    assert redactor.value({"PIN": 1234, "note": "ticket-99 sk"}) == {"PIN": "***", "note": "*** sk"}
    only = Redactor(patterns=[r"ticket-\d+"], defaults=False)
    assert only.value({"password": "x"}) == {"password": "x"}
    with pytest.raises(ValueError, match="no regular expression"):
        Redactor(patterns=["("])
    with pytest.raises(ValueError, match="empty"):
        Redactor(patterns=["a*"])
    with pytest.raises(TypeError, match=r"write \[\.\.\.\]"):
        Redactor(patterns="abc")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=30), st.integers(1, 5))
def test_own_patterns_are_found_across_tokens_spaces_included(cuts, batch):
    redactor = Redactor(patterns=[r"\d{4} \d{4} \d{4} \d{4}"], reach=19)
    text = "card 4242 4242 4242 4242 ends here, and 4242 4242 is none"
    stored = text_of(record(tokens_of(text, cuts), batch, redact=redactor))
    assert stored == "card [redacted] ends here, and 4242 4242 is none"


async def story(store, redact=True):
    """A run with a secret in each place where one can be."""
    sk, jwt = SECRETS["sk"], SECRETS["jwt"]
    meta = {"user": "ada", "headers": {"Authorization": f"Bearer {BAIT}1"}, "note": sk}
    bus = EventBus(meta=meta, stream_id="run")
    recorder = EventRecorder(store, redact=redact)
    recorder.attach(bus)
    bus.emit("SESSION_START", options={"deliver": "live", "api_key": BAIT})
    bus.emit("STREAM_INIT", attempt=1, fallback_index=0)
    half = len(sk) // 2
    bus.emit("TOKENS", start=0, texts=["key ", sk[:half]], offsets_us=[0, 5])
    bus.emit("TOKENS", start=2, texts=[sk[half:], " end"], offsets_us=[0, 5])
    call = ToolCall("1", "login", {"password": BAIT}, json.dumps({"password": BAIT}))
    bus.emit("STREAM_EVENT", event=Event(EventType.TOOL_CALL, tool_call=call))
    for piece in (jwt[:30], jwt[30:60], jwt[60:], " thought"):
        message = Event(EventType.MESSAGE, piece, data={"role": "assistant", "kind": "reasoning"})
        bus.emit("STREAM_EVENT", event=message)
    bus.emit("TOOL_RESULT", tool_name="x", tool_call_id="1", result=f"secret={sk}")
    error = f'401: {{"api_key": "{BAIT}"}} for https://ada:{BAIT}@example.org'
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason=error)
    bus.emit("SESSION_END", outcome="aborted", duration_ms=1.0)
    await recorder.close()
    assert recorder.error is None


async def test_s83_no_secret_is_in_any_stores_bytes_and_the_chain_is_whole(tmp_path):
    stores = [
        InMemoryEventStore(),
        SQLiteEventStore(tmp_path / "runs.db"),
        JsonlEventStore(tmp_path / "runs"),
    ]
    for store in stores:
        await story(store)
        assert (await verify(store, "run")).ok
        lived = await replay(store, "run")
        assert lived.redacted
        assert lived.state.content == "key [redacted] end"
        assert lived.state.tool_calls[0].arguments == {"password": "[redacted]"}
        assert lived.meta["headers"] == {"Authorization": "[redacted]"}
        rows = await store.stored_rows("run")
        stored = b"".join(r if isinstance(r, bytes) else repr(r).encode() for r in rows)
        _check_clean(stored)
        await store.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            _check_clean(path.read_bytes())


def _check_clean(stored):
    for secret in (BAIT.encode(), *(SECRETS[n].encode() for n in ("sk", "jwt"))):
        assert secret not in stored
        assert secret[len(secret) // 2 :] not in stored


async def test_without_redaction_everything_is_recorded_as_it_was():
    store = InMemoryEventStore()
    await story(store, redact=False)
    lived = await replay(store, "run")
    assert lived.state.content == f"key {SECRETS['sk']} end"
    assert not lived.changes


def test_exporters_get_payloads_and_events_without_secrets():
    redactor = Redactor()
    seen = []
    bus = EventBus(seen.append, {"password": BAIT, "n": (1, 2)})
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason=f"sk-{'a1' * 12}")
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="plain")
    clean = redactor.event(seen[0])
    assert clean["reason"] == "[redacted]"
    assert clean.meta["password"] == "[redacted]"
    assert seen[0].meta["password"] == BAIT
    assert redactor.payload(seen[1].payload) is seen[1].payload
    without = EventBus(seen.append)
    without.emit("FALLBACK_START", from_index=0, to_index=1, reason="plain")
    assert redactor.event(seen[2]) is seen[2]


# --- restarts -----------------------------------------------------------------------------------


def restarted(first, kept, second, checkpoint=None):
    """The log of a text that is cut back to `kept` characters and goes on."""
    log = Log()
    bus = EventBus(stream_id="run")
    log.attach(bus)
    bus.emit("TOKENS", start=0, texts=first, offsets_us=[0] * len(first))
    if checkpoint is not None:
        bus.emit(
            "RESUME_START",
            checkpoint=checkpoint,
            checkpoint_length=len(checkpoint),
            token_count=1,
            prompt=f"Go on: {checkpoint}",
        )
    discarded = sum(map(len, first)) - kept
    bus.emit(
        "RESTART",
        kept_chars=kept,
        kept_tokens=len(first) if not discarded else 1,
        discarded_chars=discarded,
        reason="network_error",
        attempt=2,
        fallback_index=0,
        delivered=bool(discarded),
    )
    bus.emit("TOKENS", start=len(first), texts=second, offsets_us=[0] * len(second))
    bus.emit("STREAM_FINISHED", attempt=1, event_count=1, token_count=1, duration_ms=1.0)
    return log


async def test_a_secret_that_a_resumed_attempt_completes_is_redacted():
    sk = SECRETS["sk"]
    for cut in range(1, len(sk)):
        text = "key " + sk[:cut]
        log = restarted(["key ", sk[:cut]], len(text), [sk[cut:], " end"], text)
        stored = b"".join(repr(row).encode() for row in await log.stored_rows("run"))
        assert leaks("sk", stored.decode()) == [], f"cut at {cut}"
        lived = await replay(log)
        assert lived.state.content.endswith(" end")


async def test_a_restart_behind_a_redacted_secret_cuts_the_stored_text_where_it_cut_the_real_one():
    sk = SECRETS["sk"]
    text = f"key {sk} is good. Bad."
    kept = len(text) - len(" Bad.")
    log = restarted([text], kept, [" Better."])
    lived = await replay(log)
    assert lived.state.content == "key [redacted] is good. Better."
    inside = restarted([text], 10, ["!"])
    lived = await replay(inside)
    assert lived.state.content == "key [redacted]!"
    gone = restarted([text], 0, [sk, " again"])
    assert (await replay(gone)).state.content == "[redacted] again"


async def test_text_that_was_cut_back_into_the_start_of_a_secret_may_complete_it():
    log = restarted(["Say sk-abcDEF12 twice"], len("Say sk-abcDEF12"), ["3ghiJKL456mno", " ok"])
    assert "3ghiJKL456" not in (await replay(log)).state.content


# --- keys that are known to the letter --------------------------------------------------------

KEY = "gsk-7Qm2 is no shape/of+any=kind_9w"
LONG_KEY = "IQoJb3JpZ2luX2VjE" + "aZ9/+k" * 180


def stored_with(redactor, tokens, batch=2):
    return text_of(record(tokens, batch, redact=redactor))


@pytest.mark.parametrize(
    "key", [KEY, LONG_KEY, 'odd\\"key-0123456789'], ids=["plain", "long", "odd"]
)
@pytest.mark.parametrize("size", [1, 3, 7, 5000])
def test_a_key_known_to_the_letter_is_found_however_it_is_cut(key, size):
    text = f"the key is {key}, keep it. More text follows here."
    redactor = Redactor(values=[key])
    tokens = [text[at : at + size] for at in range(0, len(text), size)]
    stored = stored_with(redactor, tokens)
    assert key[12:] not in stored
    assert stored.endswith(", keep it. More text follows here.")
    assert redactor.text(text) == "the key is [redacted], keep it. More text follows here."
    assert key not in redactor.json(json.dumps({"note": [key]}))[0]


def test_text_that_begins_like_a_known_key_stays_as_it_was():
    redactor = Redactor(values=["test-0123456789abcdef"])
    for text in ("a test of tests", "test", "the test-01 passed, and test-0123 too"):
        assert stored_with(redactor, list(text)) == text
        assert text_of(record([text[:6], text[6:]], 1, between=0, redact=redactor)) == text


def test_a_known_key_that_something_else_cuts_in_two_is_redacted_to_its_end():
    redactor = Redactor(values=[KEY])
    log = record([f"key {KEY[:14]}", f"{KEY[14:]}, done"], 1, between=0, redact=redactor)
    assert KEY[:14] not in text_of(log)
    assert KEY[14:] not in text_of(log)
    assert text_of(log).endswith(", done")


async def test_the_keys_in_the_environment_are_never_recorded(monkeypatch):
    """Whatever they look like: a compatible server's key has no shape of its own."""
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "dummy")  # too short to be one
    stream = l0.run(
        lambda: ["a dummy, ", KEY[:9], KEY[9:], "."],
        event_store=(store := InMemoryEventStore()),
        meta={"note": KEY},
    )
    assert await stream.read() == f"a dummy, {KEY}."
    rows = repr(await store.stored_rows(stream.stream_id))
    assert KEY not in rows
    assert KEY[9:] not in rows
    assert "a dummy, " in rows
    monkeypatch.delenv("MISTRAL_API_KEY")
    again = l0.run(lambda: [KEY], event_store=store)
    await again.read()
    assert KEY in repr(await store.stored_rows(again.stream_id))


@pytest.mark.parametrize("values", ["abcd", ["abc"], [1234]])
def test_values_that_are_no_secrets_are_refused(values):
    with pytest.raises((TypeError, ValueError), match="values"):
        Redactor(values=values)


async def test_what_comes_with_a_token_beside_its_text_is_redacted_too():
    token = Event(EventType.TOKEN, "hm", data={"note": SECRETS["sk"], "api_key": BAIT, "n": 1})
    stream = l0.run(lambda: ["so ", token, "."], event_store=(store := InMemoryEventStore()))
    assert [e.data for e in [e async for e in stream] if e.is_token][1] == token.data
    lived = replay(store, stream.stream_id)
    told = [e.data async for e in lived if e.is_token]
    assert told == [None, {"note": "[redacted]", "api_key": "[redacted]", "n": 1}, None]
    assert lived.redacted
    _check_clean(repr(await store.stored_rows(stream.stream_id)).encode())


class _Told(Exception):
    """An error that says too much."""


async def test_s83_no_secret_of_a_run_leaves_it(tmp_path):
    """In meta, options, error text, tool arguments and cut tokens; the consumer's text is whole."""
    sk, jwt, aws = SECRETS["sk"], SECRETS["jwt"], SECRETS["aws"]
    error = _Told(f"401 for https://ada:{BAIT}@example.org: bad key {sk}")
    message = Event(EventType.MESSAGE, f"use {aws}", data={"kind": "reasoning"})
    arguments = {"password": BAIT, "url": f"https://x/?k={sk}"}
    script = ["key ", *sk, " and ", jwt[:25], jwt[25:], message, tool("1", "f", arguments)]
    exported, redactor = [], Redactor()

    def export(event):
        exported.append(redactor.event(event))

    export.types = [*catalog()]
    for url in (f"sqlite:///{tmp_path}/runs.db", f"jsonl:///{tmp_path}/runs"):
        store = open_store(url)
        stream = l0.run(
            ScriptedModel([*script, fail(error)], [*script, " end"]),
            retry=l0.Retry(base_delay=0),
            guardrails=[custom_pattern_rule([r"sk-\S+"], f"found {aws}", "warning", name=sk)],
            meta={"headers": {"Authorization": f"Bearer {BAIT}"}, "note": f"my key is {sk}"},
            event_store=store,
            on_event=export,
            token_events=True,
        )
        text = "".join([e.text async for e in stream if e.is_token])
        assert text.endswith(f"key {sk} and {jwt} end"), "the consumer's text is untouched"
        assert stream.state.tool_calls[0].arguments == arguments
        assert (await verify(store, stream.stream_id)).ok
        lived = await replay(store, stream.stream_id)
        assert lived.state.content == "key [redacted] and [redacted] end"
        assert lived.redacted
        await store.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            _check_none_of(path.read_bytes(), sk, jwt, aws, BAIT)
    told = [e for e in exported if e.type not in ("TOKEN", "TOKENS")]  # pieces, one by one
    _check_none_of("".join(map(to_json, told)).encode(), sk, jwt, aws, BAIT)
    wrapped = l0.Error(
        str(error), l0.errors.ErrorContext(partial_text=text, meta={"api_key": BAIT})
    )
    _check_none_of(json.dumps(wrapped.to_json()).encode(), sk, jwt, aws, BAIT)


def _check_none_of(stored, *secrets):
    for secret in secrets:
        assert secret.encode() not in stored, secret


@pytest.mark.parametrize("batch", [1, 2])
def test_what_stands_behind_a_token_does_not_decide_about_it(batch):
    """A digit beyond its end is none of it, whether it has come yet or not."""
    pieces = ["Bearer sk-github_pat_ada:", "lovelace99 "]
    assert text_of(record(pieces, batch)) == "".join(pieces)
    pieces = ["Bearer sk-github_pat_4da:", "lovelace "]
    assert text_of(record(pieces, batch)) == "Bearer [redacted]:lovelace "


@pytest.mark.parametrize(
    "redactor", [True, Redactor(patterns=["[A-Za-z0-9+/]{8}"], replacement="?")]
)
async def test_bytes_that_held_a_secret_are_replayed_as_bytes(redactor):
    """They are recorded as base64; what stands in their place has to be read as that."""
    payload = DataPayload(ContentType.FILE, data=f"key={SECRETS['sk']} ...".encode())
    log = Log(redact=redactor)
    bus = EventBus(log, stream_id="run")
    told = StreamEventPayload(Event(EventType.DATA, payload=payload))
    bus.emit(told)
    (event,) = [event async for event in replay(log)]
    assert event.payload.data in {b"[redacted]", b"?"}
    assert as_redactor(redactor).payload(told).event.payload == event.payload
    _check_none_of(
        repr(log.records()).encode(), SECRETS["sk"], base64.b64encode(payload.data).decode()
    )
