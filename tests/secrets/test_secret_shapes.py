"""Each shape of the corpus is found wherever a text has it; ordinary text keeps every byte."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ordinary_corpus import ORDINARY
from secret_corpus import CORPUS

from l0.errors import _secret_shapes as shapes
from l0.errors._secrets import redact_text, redacted
from l0.events import EventBus, Log, Redactor

REDACTOR = Redactor()
SURROUNDINGS = ("{}", "see {} there", "({})", "x\n{}\ny", "a {}\n", "… {} …", '"{}"')


def recorded(tokens, batch=1, forced=()):
    """The text of a log of these tokens; after some batches something else is recorded."""
    log, bus = Log(), EventBus(stream_id="run")
    log.attach(bus)
    for number, at in enumerate(range(0, len(tokens), batch)):
        part = tokens[at : at + batch]
        bus.emit("TOKENS", start=at, texts=part, offsets_us=[0] * len(part))
        if number in forced:
            bus.emit("TOOL_START", tool_name="x", tool_call_id="y")
    bus.emit("STREAM_FINISHED", attempt=1, event_count=1, token_count=1, duration_ms=1.0)
    return "".join(text for r in log.records(types=["TOKENS"]) for text in r.data["texts"])


def cut(text, size):
    return [text[at : at + size] for at in range(0, len(text), size)]


def is_told(secret, text, length=8):
    length = min(length, len(secret))
    return any(secret[at : at + length] in text for at in range(len(secret) - length + 1))


def test_the_corpus_is_large_and_deterministic():
    assert len(CORPUS) >= 200
    assert len({entry.name for entry in CORPUS}) == len(CORPUS)
    assert len({entry.provider for entry in CORPUS}) >= 60
    assert len(ORDINARY) >= 150
    for entry in CORPUS:
        assert entry.made(1) == entry.made(1)
        assert entry.made().secret in entry.made().text


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_every_shape_is_found_in_a_text(surroundings):
    missed = []
    for entry in CORPUS:
        for seed in range(2):
            made = entry.made(seed)
            text = surroundings.replace("{}", made.text)
            for told in (redact_text(text), REDACTOR.text(text)):
                if is_told(made.secret, told):
                    missed.append((entry.name, told))
    assert missed == []


def test_every_shape_is_found_in_json_and_in_json_within_json():
    missed = []
    for entry in CORPUS:
        made = entry.made()
        for value in ({"a": [made.text]}, {"a": json.dumps({"b": made.text})}, {made.text: 1}):
            told, changed = REDACTOR.json(json.dumps(value, ensure_ascii=False))
            if not changed or is_told(made.secret, told):
                missed.append((entry.name, told))
    assert missed == []


def test_every_shape_is_found_in_bytes_which_are_recorded_as_base64():
    missed = []
    for entry in CORPUS:
        made = entry.made()
        packed = base64.b64encode(made.text.encode()).decode()
        if len(packed) >= 16 and REDACTOR.value({"a": packed}) != {"a": "[redacted]"}:
            missed.append(entry.name)
    assert missed == []


def test_every_shape_is_found_in_the_repr_of_anything():
    missed = []
    for entry in CORPUS:
        made = entry.made()
        for told in (redacted({"a": [made.text]}), redact_text(repr({"a": [made.text]}))):
            if is_told(made.secret, repr(told)):
                missed.append((entry.name, told))
    assert missed == []


@pytest.mark.parametrize("size", [1, 7])
def test_every_shape_is_found_however_a_stream_cuts_it(size):
    missed = []
    for entry in CORPUS:
        made = entry.made(size)
        told = recorded(cut(f"see {made.text}\nand so on.", size), batch=2)
        if is_told(made.secret, told) or not told.endswith("so on."):
            missed.append((entry.name, told))
    assert missed == []


@settings(max_examples=60)
@given(st.sampled_from(CORPUS), st.integers(1, 9), st.integers(1, 4), st.sets(st.integers(0, 40)))
def test_no_shape_gets_through_when_other_records_force_it_out(entry, size, batch, forced):
    """What is known of it may have been written by then, but never twelve characters of it."""
    made = entry.made()
    told = recorded(cut(f"see {made.text}\nand so on.", size), batch, forced)
    assert not is_told(made.secret, told, length=12)


@settings(max_examples=80)
@given(st.lists(st.sampled_from([e.made().text for e in CORPUS]), min_size=2, max_size=6))
def test_redacting_twice_changes_nothing_more(texts):
    once = redact_text("\n".join(texts))
    assert redact_text(once) == once


# --- ordinary text ------------------------------------------------------------------------------


@pytest.mark.parametrize("surroundings", ["{}", "Well: {} . Done.", "{}\n", "a {}, b"])
def test_ordinary_text_keeps_every_byte(surroundings):
    for text in ORDINARY:
        text = surroundings.replace("{}", text)
        assert redact_text(text) == text
        assert REDACTOR.text(text) == text
        assert REDACTOR.value({"a": [text]}) == {"a": [text]}
        assert redacted({"a": [text]}) == {"a": [text]}
        told = json.dumps({"a": [text]}, ensure_ascii=False, separators=(",", ":"))
        assert REDACTOR.json(told) == (told, False)


@pytest.mark.parametrize(("size", "batch"), [(1, 1), (4, 3), (1000, 1)])
def test_ordinary_text_is_recorded_as_it_was_streamed(size, batch):
    for text in ORDINARY:
        if size > 1 or len(text) < 500:
            assert recorded(cut(text, size), batch) == text


LETTERS = st.text("abcdefghijklmnopqrstuvwxyzäéßøλж", min_size=1, max_size=14)
WORDS = st.one_of(
    LETTERS,
    LETTERS.map(str.title),
    st.lists(LETTERS, min_size=2, max_size=4).map("-".join),
    st.lists(LETTERS, min_size=2, max_size=4).map("_".join),
    st.integers(0, 99999).map(str),
    st.sampled_from(["password", "token", "key", "secret", "bearer", "Authorization", "sk", "API"]),
)


@settings(max_examples=100)
@given(st.lists(WORDS, max_size=30), st.integers(1, 7))
def test_random_words_are_left_alone(words, size):
    text = " ".join(words)
    assert redact_text(text) == text
    assert REDACTOR.text(text) == text
    assert recorded(cut(text, size), 2) == text


# --- cost ---------------------------------------------------------------------------------------

UNITS = [
    *sorted({f"{each[:12]}a1" for shape in shapes.SHAPES.values() for each in shape.needles}),
    *("password=", 'password="', "password:'", '{"password": "', "token=a1", "--token ", "?key=a1"),
    *("cookie: a=", "authorization: ", "authorization: digest a=", "login a password ", "://a1"),
    *(
        "a.b.c.",
        "M1.",
        "MMMMMMMMMMMMMMMMMMMMMMMMM.a1b2c3.",
        "1234567890:AA",
        "abc8Q~",
        "\\n",
        '\\"',
    ),
    *("-----BEGIN PRIVATE KEY-----\\n", "---- BEGIN ", "Private-Lines: 1\n", "=a secret=", "sk-"),
    *(
        "aaaa=bbbb ",
        "A_KEY=",
        "%3Dsk-",
        "bearer bearer ",
        "a",
        "1",
        "A",
        "-",
        "_",
        ".",
        "=",
        "/",
        '"',
    ),
]


@pytest.mark.parametrize("through", [redact_text, lambda text: recorded([text, "x"])])
def test_no_text_makes_redaction_slow(through):
    """A long text of any beginning of a secret costs milliseconds; squared, it would be minutes."""
    for unit in UNITS:
        text = unit * (50_000 // len(unit)) + " "
        started = time.thread_time()
        through(text)
        assert time.thread_time() - started < 2, unit


@pytest.mark.parametrize("unit", ["sk-", 'password="', "-----BEGIN PRIVATE KEY-----\n"])
def test_a_megabyte_is_searched_in_seconds(unit):
    text = unit * (1_000_000 // len(unit))
    started = time.thread_time()
    redact_text(text)
    assert time.thread_time() - started < 10
