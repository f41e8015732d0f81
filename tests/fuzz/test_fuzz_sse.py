"""Bodies damaged byte by byte: the same events in any blocks, documented errors, bounded memory."""

# ruff: noqa: PT017  (an error may come or not: if it does, what it says is checked)
from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path

import pytest
from fuzz_kit import BYTES, blocks_of, bounded, damaged_bytes, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.adapters._sse import ServerEvent, SSESplitter, payload
from l0.errors import Error

sys.path.append(str(Path(__file__).parent.parent / "adapters"))

from sse_corpus import CORPUS, KINDS, outcome, stream_of

SEEDS = {kind: [body for of, body in CORPUS.values() if of == kind] for kind in KINDS}
ANY = st.sampled_from([body for bodies in SEEDS.values() for body in bodies])
CUTS = st.lists(st.integers(0, 4000), max_size=12)


def split(blocks):
    splitter = SSESplitter()
    return [event for block in blocks for event in splitter.feed(block)]


@settings(max_examples=examples(120), deadline=None)
@given(damaged_bytes(ANY) | st.lists(st.sampled_from(BYTES), max_size=30).map(b"".join), CUTS)
def test_any_bytes_give_the_same_events_in_any_blocks(body, cuts):
    """Whatever the bytes, wherever the blocks end; and no event holds more than came."""
    whole = split([body])
    assert split(blocks_of(body, cuts)) == whole
    if len(body) < 3000:
        assert split([body[at : at + 1] for at in range(len(body))]) == whole
    assert all(type(event) is ServerEvent for event in whole)
    assert sum(len(event.name) + len(event.data) for event in whole) <= len(body)


@settings(max_examples=examples(200), deadline=None)
@given(damaged_bytes(ANY.map(lambda body: (split([body]) or [ServerEvent(b"", b"{}")])[-1].data)))
def test_a_payload_is_json_or_a_value_error(data):
    try:
        value = payload(data)
    except ValueError as error:
        assert str(error)
    else:
        assert repr(value) == repr(json.loads(data.decode()))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"choices": ' * 5000 + b"1" + b"}" * 5000,
        b"1" * 5000,
        b"-" + b"9" * 100_000,
        b'{"a": "' + b"\xff" * 1000 + b'"}',
        b"\xef\xbb\xbf{}",
        b"",
        b"\x00",
        b'"\\ud83d',
        b"nul",
    ],
    ids=lambda data: repr(data[:9]),
)
def test_what_is_no_payload_is_a_value_error(data):
    """JSONDecodeError, UnicodeDecodeError, or too many digits; no RecursionError."""
    with bounded(), pytest.raises(ValueError):
        payload(data)


DOCUMENTED = {"APIError", "APIStatusError", "APIConnectionError", "APITimeoutError"}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
async def test_a_damaged_body_ends_in_events_or_an_error_that_says_which(kind, data):
    """As a run reads it, decoded by L0: never anything but what the SDK or the library raises."""
    body = data.draw(damaged_bytes(st.sampled_from(SEEDS[kind])))
    blocks = blocks_of(body, data.draw(CUTS))
    with bounded():
        events, error, _ = await outcome(stream_of(kind, blocks, fast=True))
    assert (
        error is None
        or issubclass(error[0], Error | ValueError)
        or (
            error[0].__name__ in DOCUMENTED
            # The first payload was no chunk, and `outcome` has a provider's options.
            or (error[0] is TypeError and "has no options" in error[1])
        )
    )
    assert all(event[1] is None or type(event[1]) is str for event in events)


@pytest.mark.parametrize("end", [b"", b"\n\n"], ids=["never ends", "ends"])
@pytest.mark.parametrize("size", [1, 7, 4096, 10_000_000])
def test_a_line_of_ten_megabytes_costs_as_much_as_it_is_long(end, size):
    """In any blocks; memory is a few times the line."""
    body = b"data: " + b"x" * (10_000_000 if size > 100 else 100_000) + end
    blocks = [body[at : at + size] for at in range(0, len(body), size)]
    with bounded():
        assert len(split(blocks)) == bool(end)
    tracemalloc.start()
    try:
        split(blocks[: len(blocks) // 2] if size > 100 else blocks[:1000])
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body) + 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "unit", [b"\r", b"\n", b"\r\n", b":\n", b"data\n", b"data:\r", b"a\n\n", b"\n\r"]
)
def test_lines_that_say_nothing_cost_as_much_as_they_are(unit):
    body = unit * (400_000 // len(unit))
    with bounded():
        whole = split([body])
        assert split([body[at : at + 1000] for at in range(0, len(body), 1000)]) == whole
