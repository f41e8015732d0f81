"""Server-sent events from bytes, and that decoding them here gives what the SDKs give."""

from __future__ import annotations

import gzip
import json
import ssl
import tracemalloc
import zlib
from itertools import pairwise

import anyio
import httpx2  # noqa: TID253  its exceptions are what the SDKs meet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sse_corpus import CORPUS, DONE, END, chat, outcome, sse, stream_of

from l0.adapters._sse import ServerEvent, SSESplitter, frame, payload

pytestmark = pytest.mark.sdk


def events_of(*blocks):
    """All events of a body in these blocks."""
    splitter = SSESplitter()
    return [event for block in blocks for event in splitter.feed(block)]


def lines(text, end="\n"):
    return text.replace("\n", end).encode()


# --- events -------------------------------------------------------------------------------------

TEXT = "event: a\ndata: 1\n\n: comment\ndata:2\ndata: 3\nid: 7\n\n\n\nevent:b\ndata\n\n"
EXPECTED = [ServerEvent(b"a", b"1"), ServerEvent(b"", b"2\n3"), ServerEvent(b"b", b"")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_lines_end_with_lf_cr_or_crlf_wherever_the_blocks_do(end):
    body = lines(TEXT, end)
    assert events_of(body) == EXPECTED
    assert events_of(*(body[at : at + 1] for at in range(len(body)))) == EXPECTED
    for at in range(len(body)):
        assert events_of(body[:at], b"", body[at:]) == EXPECTED


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_an_event_is_given_as_soon_as_its_empty_line_is_there(end):
    """A CR may be half of a CRLF; it ends the line all the same, and its LF is no other line."""
    splitter = SSESplitter()
    body = lines("data: x\n\n", end)
    cut = -1 if end == "\r\n" else len(body)
    assert splitter.feed(body[:cut]) == [ServerEvent(b"", b"x")]
    assert splitter.feed(body[cut:] if cut < 0 else b"") == []
    assert splitter.feed(body) == [ServerEvent(b"", b"x")]


def test_line_ends_may_be_mixed():
    assert events_of(b"data: x\r\n\ndata: y\r\rdata: z\n\r\n") == [
        ServerEvent(b"", b"x"),
        ServerEvent(b"", b"y"),
        ServerEvent(b"", b"z"),
    ]


def test_a_byte_order_mark_at_the_beginning_is_passed_over():
    body = b"\xef\xbb\xbfdata: x\n\n"
    for at in range(len(body)):
        assert events_of(body[:at], body[at:]) == [ServerEvent(b"", b"x")]
    assert events_of(b"\xef\xbbdata: x\n\n") == []
    assert events_of(b"\xef", b"\xbb", b"x\ndata: y\n\n") == [ServerEvent(b"", b"y")]


def test_what_no_empty_line_follows_is_not_given():
    assert events_of(b"data: x") == events_of(b"data: x\n") == events_of(b"\xef") == []


def test_an_event_that_says_nothing_is_passed_over():
    assert events_of(b": ping\n\nid: 3\n\nretry: 5\n\nwhat\n\n\n\n") == []


def test_an_event_as_it_would_stand_in_a_body_is_read_as_itself():
    for event in (ServerEvent(b"a", b"1"), ServerEvent(b"", b"1\n2"), ServerEvent(b"e", b"")):
        assert events_of(frame(event)) == [event]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_the_same_events_in_any_blocks(body, cuts):
    cuts = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    blocks = [body[a:b] for a, b in pairwise(cuts)]
    assert events_of(*blocks) == events_of(body)


@given(st.text("\r\n:adt e", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_line_ends_give_the_events_of_the_same_lines_with_lf(text):
    same = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    assert events_of(text.encode()) == events_of(same)


def test_a_long_event_in_small_blocks_is_read_once():
    """Work and memory are in proportion to its length: a megabyte in blocks of 64 bytes."""
    body = b"data: " + b"x" * 1_000_000 + b"\n\n"
    splitter = SSESplitter()
    tracemalloc.start()
    events = [e for at in range(0, len(body), 64) for e in splitter.feed(body[at : at + 64])]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(event.data) for event in events] == [1_000_000]
    assert peak < 5_000_000


# --- payloads -----------------------------------------------------------------------------------


ODD = ["NaN", "-Infinity", "1e999", "1" * 50, "3", " {} ", "-0", "1.7976931348623157e308", "5e-324"]


@pytest.mark.parametrize(
    "data",
    ['{"a": [1, 2.5, null, true, "é\\u00e9"]}', '"\\ud83d"', "[" * 900 + "]" * 900, *ODD],
)
def test_a_payload_is_what_the_standard_library_reads(data):
    ours, theirs = payload(data.encode()), json.loads(data)
    assert (repr(ours), type(ours)) == (repr(theirs), type(theirs))


@pytest.mark.parametrize(
    "data", [b"{", b"", b"nope", b"{'a': 1}", b"[1,]", b'"\x01"', b"\xef\xbb\xbf1"]
)
def test_what_is_no_json_fails_as_in_the_standard_library(data):
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(data.decode())
    with pytest.raises(json.JSONDecodeError) as ours:
        payload(data)
    assert str(ours.value) == str(theirs.value)


def test_what_is_no_utf_8_fails_as_such():
    with pytest.raises(UnicodeDecodeError):
        payload(b'"\xff"')


# --- the same as the SDKs -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CORPUS)
async def test_the_fast_path_and_the_sdk_give_identical_events_and_errors(name):
    """Also byte by byte, which cuts every line and every character."""
    kind, body = CORPUS[name]
    bytewise = [body[at : at + 1] for at in range(len(body))]
    expected = await outcome(stream_of(kind, [body], fast=False))
    assert await outcome(stream_of(kind, [body], fast=True)) == expected
    assert await outcome(stream_of(kind, bytewise, fast=True)) == expected


@pytest.mark.parametrize("name", CORPUS)
def test_a_body_cut_at_any_byte_gives_the_same_server_events(name):
    _, body = CORPUS[name]
    expected = events_of(body)
    for at in range(len(body)):
        assert events_of(body[:at], body[at:]) == expected


@given(st.data())
@settings(max_examples=120, deadline=None)
async def test_in_any_blocks_the_fast_path_and_the_sdk_agree(data):
    """Also where the line ends are CR or CRLF, and where the body is cut off anywhere."""
    kind, body = CORPUS[data.draw(st.sampled_from([*CORPUS]))]
    end = data.draw(st.sampled_from([b"\n", b"\r", b"\r\n"]))
    body = body.replace(b"\n", end)[: data.draw(st.integers(0, len(body)) | st.none())]
    cuts = sorted({0, len(body), *data.draw(st.lists(st.integers(0, len(body)), max_size=8))})
    blocks = [body[a:b] for a, b in pairwise(cuts)]
    sdk = await outcome(stream_of(kind, blocks, fast=False))
    assert await outcome(stream_of(kind, blocks, fast=True)) == sdk


async def test_the_corpus_shows_every_kind_of_ending():
    """Texts, calls, errors of the SDKs and of the adapters: or it would prove little."""
    seen = []
    for name in CORPUS:
        kind, body = CORPUS[name]
        seen.append(await outcome(stream_of(kind, [body], fast=True)))
    types = {event[0] for events, _, _ in seen for event in events}
    errors = {error[0].__name__ for _, error, _ in seen if error}
    assert types >= {"token", "message", "tool_call", "complete", "error"}
    assert errors >= {"APIError", "APIStatusError", "JSONDecodeError", "UnicodeDecodeError"}
    assert "NetworkError" in errors


COMPRESSED = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", COMPRESSED)
async def test_a_compressed_body_is_decoded(coding):
    """In-band errors too, which are handed to the SDK as plain bytes."""
    headers = {"content-encoding": coding, "content-type": "text/event-stream; charset=utf-8"}
    for name in ("chat: astral", "chat: an error", "messages: an error"):
        kind, body = CORPUS[name]
        packed = COMPRESSED[coding](body)
        plain = await outcome(stream_of(kind, [body], fast=True))
        for blocks in ([packed], [packed[at : at + 7] for at in range(0, len(packed), 7)]):
            assert await outcome(stream_of(kind, blocks, fast=True, headers=headers)) == plain


@pytest.mark.parametrize("kind", ["chat", "responses", "messages"])
@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("gone"),
        httpx2.ReadError(""),
        httpx2.DecodingError("no gzip"),
        ssl.SSLError("bad record"),
        anyio.EndOfStream(),
        OSError("odd"),
        ValueError("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_fault_of_the_connection_is_told_as_the_sdk_tells_it(kind, error):
    body = CORPUS[f"{kind}: text"][1]
    block = body[: body.index(b"Hel") + 30]
    expected = await outcome(stream_of(kind, [block], fast=False, error=error))
    assert expected[1] is not None
    assert await outcome(stream_of(kind, [block], fast=True, error=error)) == expected


async def test_a_byte_order_mark_does_not_cost_the_first_event():
    """The SDKs lose it."""
    body = b"\xef\xbb\xbf" + sse(chat("x"), *END)
    events, error, _ = await outcome(stream_of("chat", [body], fast=True))
    assert [event[1] for event in events] == ["x", None]
    assert error is None


async def test_an_event_without_data_does_not_end_the_answer():
    """As a server's `retry:` or `id:` on its own, on which openai's decoder fails."""
    body = sse(b"retry: 3000\n\n", b"id: 1\n\n", b"event: x\n\n", chat("x"), *END)
    events, error, _ = await outcome(stream_of("chat", [body], fast=True))
    assert ([event[1] for event in events], error) == (["x", None], None)


async def test_a_fast_stream_can_be_stepped_through_as_the_sdks():
    stream = stream_of("chat", [sse(chat("x"), chat("y"), DONE)], fast=True)
    assert (await anext(stream))["choices"][0]["delta"] == {"content": "x"}
    assert (await anext(stream))["choices"][0]["delta"] == {"content": "y"}
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert stream.response.is_closed
