"""Every fault through the real clients: what a program sees, and what the server notes."""

from __future__ import annotations

import asyncio
import json
import ssl
import time

import pytest

from l0.testing._faults import parse_faults, slow, stall, stall_alive
from l0.testing._reply import Reply
from l0.testing._server import FaultServer

pytestmark = pytest.mark.sdk

TEXT = "Hello wörld again"  # three tokens
USER = [{"role": "user", "content": "hi"}]
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the tenths of a second that loading certificates takes."""
DROPPED = "peer closed connection without sending complete message body"


class Client:
    """The three APIs with one face: `text`, `finish` and `calls` fill up while it reads."""

    def __init__(self, server: FaultServer, api: str) -> None:
        import anthropic
        import openai

        self.api, self.text, self.finish, self.calls, self.usage = api, "", None, [], None
        self.extra: list[str] = []
        common = {"api_key": "test", "max_retries": 0}
        if api == "messages":
            http = anthropic.DefaultAsyncHttpxClient(verify=NO_TLS)
            url = server.anthropic_base_url
            self.client = anthropic.AsyncAnthropic(base_url=url, http_client=http, **common)
        else:
            http = openai.DefaultAsyncHttpxClient(verify=NO_TLS)
            self.client = openai.AsyncOpenAI(base_url=server.base_url, http_client=http, **common)

    async def open(self, *, stream: bool = True):
        if self.api == "chat":
            options = {"stream_options": {"include_usage": True}} if stream else {}
            return await self.client.chat.completions.create(
                model="m", messages=USER, stream=stream, **options
            )
        if self.api == "responses":
            return await self.client.responses.create(model="m", input="hi", stream=stream)
        return await self.client.messages.create(
            model="m", max_tokens=99, messages=USER, stream=stream
        )

    async def read(self) -> None:
        async for item in await self.open():
            getattr(self, f"_{self.api}")(item)

    def _chat(self, chunk) -> None:
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            self.text += choice.delta.content or ""
            self.finish = choice.finish_reason or self.finish
            self.calls += [part.function.arguments for part in choice.delta.tool_calls or []]

    def _responses(self, event) -> None:
        match event.type:
            case "response.output_text.delta":
                self.text += event.delta
            case "response.function_call_arguments.delta":
                self.calls.append(event.delta)
            case "error":
                self.extra.append(event.code)
            case "response.failed":
                self.extra.append(f"failed: {event.response.error.code}")
            case "response.completed" | "response.incomplete":
                self.finish = event.response.status
                self.usage = event.response.usage

    def _messages(self, event) -> None:
        match event.type:
            case "content_block_delta":
                self.text += getattr(event.delta, "text", "")
                self.calls.append(getattr(event.delta, "partial_json", ""))
            case "message_delta":
                self.finish = event.delta.stop_reason
                self.usage = getattr(event, "usage", None)


@pytest.fixture
async def server():
    async with FaultServer() as server:
        yield server


@pytest.fixture(params=["chat", "responses", "messages"])
async def client(server, request):
    client = Client(server, request.param)
    yield client
    await client.client.close()


def name_of(error: BaseException) -> str:
    return f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"


STATUS = {
    "400": ("BadRequestError", "BadRequestError"),
    "401": ("AuthenticationError", "AuthenticationError"),
    "402": ("APIStatusError", "PaymentRequiredError"),
    "403": ("PermissionDeniedError", "PermissionDeniedError"),
    "404": ("NotFoundError", "NotFoundError"),
    "408": ("APIStatusError", "RequestTimeoutError"),
    "429": ("RateLimitError", "RateLimitError"),
    "500": ("InternalServerError", "InternalServerError"),
    "503": ("InternalServerError", "ServiceUnavailableError"),
    "529": ("InternalServerError", "OverloadedError"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("spec", STATUS)
async def test_a_status_is_the_error_of_its_name(server, client, spec: str, stream: bool) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    with pytest.raises(Exception) as caught:
        await client.open(stream=stream)
    expected = STATUS[spec][client.api == "messages"]
    assert type(caught.value).__name__ == expected
    assert caught.value.status_code == int(spec)
    (request,) = server.requests
    assert (request.status, request.tokens_sent, request.finished) == (int(spec), 0, True)
    assert request.faults == parse_faults(spec)


async def test_retry_after_reaches_the_client(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="429(7)"))
    with pytest.raises(Exception) as caught:
        await client.open()
    assert caught.value.response.headers["retry-after"] == "7"
    word = {"messages": "rate_limit_error"}.get(client.api, "requests")
    assert caught.value.body.get("error", caught.value.body)["type"] == word


async def test_a_used_up_quota_says_so(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="quota"))
    with pytest.raises(Exception, match="quota of this account is used up") as caught:
        await client.open()
    assert caught.value.status_code == 429
    if client.api == "messages":
        assert caught.value.body["error"]["type"] == "billing_error"
    else:
        assert caught.value.code == caught.value.type == "insufficient_quota"


async def test_a_status_may_carry_a_code(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="400(context_length_exceeded)"))
    with pytest.raises(Exception, match="longer than the context") as caught:
        await client.open()
    if client.api == "messages":
        assert caught.value.body["error"]["type"] == "invalid_request_error"
    else:
        assert caught.value.code == "context_length_exceeded"


# The Anthropic SDK lets transport errors out of a stream as they are.
BROKEN = {
    ("chat", "drop@2"): "openai.APIConnectionError",
    ("responses", "drop@2"): "openai.APIConnectionError",
    ("messages", "drop@2"): "httpx2.RemoteProtocolError",
    ("chat", "cut@1"): "openai.APIConnectionError",
    ("responses", "cut@1"): "openai.APIConnectionError",
    ("messages", "cut@1"): "httpx2.RemoteProtocolError",
    ("chat", "reset@2"): "openai.APIConnectionError",
    ("responses", "reset@2"): "openai.APIConnectionError",
    ("messages", "reset@2"): "httpx2.ReadError",
}


@pytest.mark.parametrize("spec", ["drop@2", "cut@1", "reset@2"])
async def test_a_broken_connection_is_an_error_after_the_tokens_before_it(
    server, client, spec: str
) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    with pytest.raises(Exception) as caught:
        await client.read()
    assert name_of(caught.value) == BROKEN[client.api, spec]
    cause = caught.value if client.api == "messages" else caught.value.__cause__
    if spec == "reset@2":
        assert type(cause).__name__ == "ReadError"
    else:
        assert DROPPED in str(cause)
    sent = 1 if spec == "cut@1" else 2
    assert client.text == ("Hello" if sent == 1 else "Hello wörld")
    await server.wait_closed_connections()
    (request,) = server.requests
    assert (request.tokens_sent, request.finished, request.client_left) == (sent, True, False)
    assert request.faults == parse_faults(spec)


async def test_a_cut_goes_through_the_middle_of_a_character(server) -> None:
    """The bytes of `ö` are two; only the first arrives."""
    import httpx

    server.enqueue(Reply(TEXT, faults="cut@1"))
    got = b""
    async with httpx.AsyncClient(verify=NO_TLS) as http:
        body = {"model": "m", "messages": USER, "stream": True}
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("POST", f"{server.base_url}/chat/completions", json=body) as r:
                async for piece in r.aiter_raw():
                    got += piece
    assert got.endswith(b" w\xc3")


@pytest.mark.parametrize("spec", ["drop@0", "drop@3", "drop@99", "eof@99"])
async def test_a_fault_behind_the_end_hits_at_the_end(server, client, spec: str) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    if spec == "eof@99":
        await client.read()
    else:
        with pytest.raises(Exception, match="onnection"):
            await client.read()
    assert client.text == ("" if spec == "drop@0" else TEXT)
    assert client.finish is None
    assert server.requests[0].faults == parse_faults(spec)


async def test_a_clean_end_without_finish_is_no_error_to_the_client(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="eof@2"))
    await client.read()
    assert (client.text, client.finish) == ("Hello wörld", None)
    assert server.requests[0].tokens_sent == 2


@pytest.mark.parametrize("spec", ["stall@2(0.1)", "stall_alive@2(0.12)"])
async def test_a_stall_ends_after_its_time(server, client, spec: str) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    began = time.monotonic()
    await client.read()
    assert 0.1 <= time.monotonic() - began < 1
    assert client.text == TEXT
    assert client.finish


async def test_a_stall_may_be_full_of_keep_alives(server) -> None:
    import httpx

    async with httpx.AsyncClient(verify=NO_TLS) as http:
        for path, ping in (
            ("/v1/chat/completions", ": keep-alive\n\n"),
            ("/v1/messages", 'event: ping\ndata: {"type": "ping"}\n\n'),
        ):
            server.enqueue(Reply(TEXT, faults="stall_alive@2(0.12)"))
            body = {"model": "m", "messages": USER, "stream": True}
            answer = await http.post(server.url + path, json=body)
            assert 2 <= answer.text.count(ping) <= 3


ERRORS = {
    ("chat", "error@2"): ("openai.APIError", "The server had an error"),
    ("chat", "error@2(rate_limit_exceeded)"): ("openai.APIError", "Too many requests"),
    ("chat", "failed@2"): ("openai.APIError", "The server had an error"),
    ("messages", "error@2"): ("anthropic.APIStatusError", "overloaded_error"),
    ("messages", "error@2(rate_limit_exceeded)"): (
        "anthropic.APIStatusError",
        "rate_limit_exceeded",
    ),
    ("messages", "failed@2"): ("anthropic.APIStatusError", "overloaded_error"),
}


@pytest.mark.parametrize("spec", ["error@2", "error@2(rate_limit_exceeded)", "failed@2"])
async def test_an_error_inside_the_stream(server, client, spec: str) -> None:
    """Chat Completions and Messages raise it; Responses hands it over as an event."""
    server.enqueue(Reply(TEXT, faults=spec))
    if client.api == "responses":
        await client.read()
        word = "rate_limit_exceeded" if "rate" in spec else "server_error"
        assert client.extra == [f"failed: {word}" if spec == "failed@2" else word]
    else:
        kind, text = ERRORS[client.api, spec]
        with pytest.raises(Exception, match=text) as caught:
            await client.read()
        assert name_of(caught.value) == kind
        if client.api == "messages":
            assert caught.value.status_code == 200
    assert (client.text, client.finish) == ("Hello wörld", None)
    assert server.requests[0].tokens_sent == 2


async def test_garbage_is_not_json_to_the_client(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="garbage@2"))
    with pytest.raises(ValueError, match=r"line 1 column \d+") as caught:
        await client.read()
    assert name_of(caught.value) == "json.JSONDecodeError"
    assert client.text == "Hello wörld"


async def test_who_skips_garbage_gets_all_the_rest(server) -> None:
    import httpx

    async with httpx.AsyncClient(verify=NO_TLS) as http:
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
            body = {"model": "m", "messages": USER, "input": "hi", "stream": True}
            server.enqueue(Reply(TEXT), Reply(TEXT, faults="garbage@1"))
            good = (await http.post(server.url + path, json=body)).text.split("\n\n")
            bad = (await http.post(server.url + path, json=body)).text.split("\n\n")
            assert len(bad) == len(good) + 1


async def test_nothing_at_all_is_no_error_to_the_client(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="empty"))
    await client.read()
    assert (client.text, client.finish) == ("", None)
    assert server.requests[0].status == 200


async def test_a_finish_without_text(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="no_text", tool_calls=[("f", {})], reasoning="Hm"))
    await client.read()
    assert client.text == ""
    assert "".join(client.calls) == ""
    word = {"chat": "stop", "responses": "completed", "messages": "end_turn"}
    assert client.finish == word[client.api]


@pytest.mark.parametrize("spec", ["slow_headers(0.1)", "slow_first(0.1)", "slow(0.05)"])
async def test_slowness_comes_where_it_is_asked_for(server, client, spec: str) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    times = [time.monotonic()]
    stream = await client.open()
    times.append(time.monotonic())
    async for item in stream:
        before = client.text
        getattr(client, f"_{client.api}")(item)
        if client.text != before:
            times.append(time.monotonic())
    began, opened, first, *_, last = times
    assert client.text == TEXT
    waited = {"slow_headers(0.1)": opened - began, "slow_first(0.1)": first - began}
    assert waited.get(spec, last - began) >= 0.09
    assert server.requests[0].faults == parse_faults(spec)


async def test_the_headers_do_not_wait_for_a_slow_first_token(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="slow_first(60)"))
    async with asyncio.timeout(2):
        stream = await client.open()
    assert (server.requests[0].status, server.requests[0].tokens_sent) == (200, 0)
    await stream.close()
    await server.wait_closed_connections()
    assert server.requests[0].client_left


@pytest.mark.parametrize("spec", ["split", "split(3)", "split(1)"])
async def test_packets_of_any_size_make_the_same_text(server, client, spec: str) -> None:
    server.enqueue(Reply("hö👋🏽", faults=spec))
    await client.read()
    assert client.text == "hö👋🏽"
    assert client.finish


async def test_split_cuts_every_character_of_several_bytes(server) -> None:
    import httpx

    server.enqueue(Reply("日本 👋🏽", faults="split"), Reply("日本語", split_bytes=1))
    async with httpx.AsyncClient(verify=NO_TLS) as http:
        body = {"model": "m", "messages": USER, "stream": True}
        for size in (16, 1):
            async with http.stream("POST", f"{server.base_url}/chat/completions", json=body) as r:
                pieces = [piece async for piece in r.aiter_raw()]
            assert max(map(len, pieces)) <= size
            whole = b"".join(pieces)
            assert whole.endswith(b"data: [DONE]\n\n")
            ends = {sum(map(len, pieces[: index + 1])) for index in range(len(pieces))}
            starts = {at + 1 for at, byte in enumerate(whole) if byte >= 0xC2}
            assert starts
            assert starts <= ends


async def test_the_token_limit_ends_the_answer_with_its_word(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="length@2", tool_calls=[("f", {})]))
    await client.read()
    word = {"chat": "length", "responses": "incomplete", "messages": "max_tokens"}
    assert (client.text, client.finish) == ("Hello wörld", word[client.api])
    assert "".join(client.calls) == ""


@pytest.mark.parametrize("calls", [[], [("f", {"key": "value"}), ("g", {})]])
async def test_a_cut_tool_call_has_half_its_arguments_and_no_finish(server, client, calls) -> None:
    server.enqueue(Reply(TEXT, faults="tool_cut@1", tool_calls=calls))
    await client.read()
    assert client.text == "Hello"
    raw = "".join(client.calls)
    assert raw.startswith('{"key":' if calls else '{"city": "')
    assert "}" not in raw
    assert client.finish is None


@pytest.mark.parametrize("calls", [[], [("f", {"key": "value"})]])
async def test_garbled_tool_arguments_come_with_a_proper_finish(server, client, calls) -> None:
    server.enqueue(Reply(TEXT, faults="tool_garbage", tool_calls=calls))
    await client.read()
    with pytest.raises(ValueError):
        json.loads("".join(client.calls))
    word = {"chat": "tool_calls", "responses": "completed", "messages": "tool_use"}
    assert (client.text, client.finish) == (TEXT, word[client.api])


async def test_the_usage_may_be_missing(server, client) -> None:
    server.enqueue(Reply(TEXT), Reply(TEXT, faults="no_finish_usage"))
    await client.read()
    assert client.usage is not None
    client.usage = None
    await client.read()
    assert client.finish
    assert client.usage is None


@pytest.mark.parametrize("fault", [stall(2), stall_alive(2), slow(0.05)], ids=str)
async def test_a_client_that_closes_its_stream_is_noticed_at_once(server, client, fault) -> None:
    server.enqueue(Reply(TEXT + " word" * 50, faults=[fault]))
    stream = await client.open()
    async for item in stream:
        getattr(client, f"_{client.api}")(item)
        if client.text.startswith("Hello wörld"):
            break
    (request,) = server.requests
    await asyncio.sleep(0.02)
    assert request.closed_at is None
    began = time.monotonic()
    await stream.close()
    await server.wait_closed_connections(0.3)
    assert time.monotonic() - began < 0.3
    assert request.client_left
    assert not request.finished
    assert 0.02 < request.connected_seconds < 1
    assert 2 <= request.tokens_sent < 10


async def test_a_client_that_gives_up_on_slow_headers_is_noticed(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="slow_headers(5)"))
    asking = asyncio.ensure_future(client.open())
    while not server.requests:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await client.client.close()
    await server.wait_closed_connections(0.3)
    (request,) = server.requests
    assert (request.client_left, request.status, request.tokens_sent) == (True, None, 0)


WHOLE = {
    "drop@2": "APIConnectionError",
    "cut@2": "APIConnectionError",
    "reset@2": "APIConnectionError",
    "eof@2": "JSONDecodeError",
    "garbage@2": "JSONDecodeError",
    "tool_cut@2": "JSONDecodeError",
    "empty": "JSONDecodeError",
    "error@2(overloaded_error)": ("InternalServerError", "OverloadedError"),
}


@pytest.mark.parametrize("spec", WHOLE)
async def test_an_answer_given_whole_breaks_too(server, client, spec: str) -> None:
    server.enqueue(Reply(TEXT, faults=spec))
    with pytest.raises(Exception) as caught:
        await client.open(stream=False)
    expected = WHOLE[spec]
    if isinstance(expected, tuple):
        expected = expected[client.api == "messages"]
    assert type(caught.value).__name__ == expected
    (request,) = server.requests
    assert (request.finished, request.tokens_sent) == (True, 0)
    assert request.faults == parse_faults(spec)


async def test_a_failed_answer_given_whole(server, client) -> None:
    """Responses says it in the response, the others with a status."""
    server.enqueue(Reply(TEXT, faults="failed@2"))
    if client.api == "responses":
        whole = await client.open(stream=False)
        assert (whole.status, whole.error.code, whole.output) == ("failed", "server_error", [])
        return
    with pytest.raises(Exception) as caught:
        await client.open(stream=False)
    assert caught.value.status_code == {"chat": 500, "messages": 529}[client.api]


async def test_a_whole_answer_waits_where_a_stream_would_stall(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="stall@2(0.1)"))
    began = time.monotonic()
    await client.open(stream=False)
    assert 0.1 <= time.monotonic() - began < 1


async def test_faults_of_one_reply_hit_in_the_order_of_their_places(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="drop@2,slow_first(0.02),stall@1(0.02)"))
    with pytest.raises(Exception, match="onnection"):
        await client.read()
    assert client.text == "Hello wörld"
    assert list(map(str, server.requests[0].faults)) == [
        "slow_first(0.02)",
        "stall@1(0.02)",
        "drop@2",
    ]


async def test_a_drop_may_hit_inside_the_arguments_of_a_tool(server, client) -> None:
    """Behind the text, positions go on counting the fragments of the arguments."""
    server.enqueue(Reply(TEXT, tool_calls=[("f", {"a": "b"})], faults="drop@5"))
    with pytest.raises(Exception, match="onnection"):
        await client.read()
    assert client.text == TEXT
    assert '{"a": "b"}'.startswith("".join(client.calls))
    assert 0 < len("".join(client.calls)) < 10


async def test_the_connection_is_kept_after_faults_that_leave_it_whole(server, client) -> None:
    for spec in ("eof@2", "empty", "no_text", "length@1", "429"):
        server.enqueue(Reply(TEXT, faults=spec))
    for _ in range(4):
        await client.read()
        assert server.open_connections == 1
    with pytest.raises(Exception, match="Too many"):
        await client.read()
    assert server.open_connections == 1
