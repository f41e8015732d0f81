"""The fault server as an HTTP server: connections, requests it can't read, and leaving no trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from pathlib import Path

import pytest

from l0.testing._faults import drop, stall
from l0.testing._reply import Reply
from l0.testing._server import FaultServer

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the tenths of a second that loading certificates takes."""

CHAT = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}


class Raw:
    """A socket that speaks bytes, for what no client library would send."""

    async def __aenter__(self):
        return self

    def __init__(self, server: FaultServer) -> None:
        self.port = int(server.url.rpartition(":")[2])

    async def send(self, data: bytes) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(data)

    async def read(self) -> bytes:
        async with asyncio.timeout(1):
            return await self.reader.read()

    async def __aexit__(self, *_) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):  # the server may have been the one to leave
            await self.writer.wait_closed()


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"POST /v1/chat/completions HTTP/{version}", "host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def open_files() -> int:
    """Files and sockets of this process; 0 where the system doesn't list them."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def sized(body: bytes) -> str:
    return f"content-length: {len(body)}"


@pytest.fixture
async def server():
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def http():
    import httpx

    async with httpx.AsyncClient(verify=NO_TLS) as client:
        yield client


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01 not a request\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, 431),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(
    server, request_bytes: bytes, status: int
) -> None:
    async with Raw(server) as raw:
        await raw.send(request_bytes)
        answer = await raw.read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer
    assert server.requests == []


async def test_a_client_that_leaves_in_mid_request_leaves_no_trace(server) -> None:
    async with Raw(server) as raw:
        await raw.send(post(b'{"mod', "content-length: 100"))
        await asyncio.sleep(0.01)
    await server.wait_closed_connections()
    assert server.requests == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not json", "isn't JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"model": "m"}', "messages must be a list"),
        (b'{"model": "m", "messages": []}', "at least one message"),
        (b'{"model": "m", "messages": ["hi"]}', "must be an object"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}', "model must name a model"),
        (b"\xff\xfe{", "isn't JSON"),
        (b"[" * 100_000, "isn't JSON"),
    ],
)
async def test_a_body_that_cannot_be_is_refused_without_using_up_a_reply(
    server, http, body: bytes, message: str
) -> None:
    server.enqueue(Reply("Kept"))
    refused = await http.post(f"{server.base_url}/chat/completions", content=body)
    assert refused.status_code == 400
    assert message in refused.json()["error"]["message"]
    answered = await http.post(f"{server.base_url}/chat/completions", json=CHAT)
    assert answered.json()["choices"][0]["message"]["content"] == "Kept"


async def test_an_unknown_path_is_refused_in_the_shape_of_its_provider(server, http) -> None:
    openai = await http.get(f"{server.url}/v1/nothing")
    assert openai.status_code == 404
    assert openai.json()["error"]["type"] == "invalid_request_error"
    assert "There is no GET /v1/nothing here." in openai.json()["error"]["message"]
    for url, headers in (
        (f"{server.url}/v1/messages/batches", {}),
        (f"{server.url}/v1/files", {"anthropic-version": "2023-06-01"}),
    ):
        anthropic = await http.get(url, headers=headers)
        assert anthropic.json()["type"] == "error"
        assert anthropic.json()["error"]["type"] == "not_found_error"
    assert (await http.get(f"{server.base_url}/chat/completions")).status_code == 404


async def test_an_unknown_sim_model_is_refused_with_the_known_ones(server, http) -> None:
    server.enqueue(Reply("Kept"))
    for path in ("/v1/chat/completions", "/v1/messages"):
        refused = await http.post(server.url + path, json={**CHAT, "model": "sim:poem"})
        assert refused.status_code == 404
        assert "sim:story" in refused.json()["error"]["message"]
    refused = await http.post(f"{server.base_url}/responses", json={"model": "sim:x", "input": "a"})
    assert refused.json()["error"]["code"] == "model_not_found"
    answered = await http.post(f"{server.base_url}/chat/completions", json=CHAT)
    assert answered.json()["choices"][0]["message"]["content"] == "Kept"


async def test_one_connection_serves_many_requests(server, http) -> None:
    for stream in (True, False, True):
        await http.post(f"{server.base_url}/chat/completions", json={**CHAT, "stream": stream})
        assert server.open_connections == 1
    assert all(request.finished for request in server.requests)


async def test_requests_sent_before_their_turn_wait_for_it(server) -> None:
    body = json.dumps(CHAT).encode()
    server.enqueue(Reply("First"), Reply("Second"))
    async with Raw(server) as raw:
        first, last = post(body, sized(body)), post(body, sized(body), "connection: close")
        await raw.send(first + last)
        answer = await raw.read()
    assert answer.index(b"First") < answer.index(b"Second")


async def test_a_chunked_request_is_read_whole(server) -> None:
    body = json.dumps(CHAT).encode()
    chunks = b"%x\r\n%b\r\n5;name=value\r\n%b\r\n0\r\ntrailer: x\r\n\r\n" % (
        len(body) - 5,
        body[:-5],
        body[-5:],
    )
    server.enqueue(Reply("Whole"))
    async with Raw(server) as raw:
        await raw.send(post(chunks, "transfer-encoding: chunked", "connection: close"))
        assert b'"Whole"' in await raw.read()
    assert server.requests[0].body == CHAT


async def test_a_client_that_waits_for_100_continue_gets_it(server) -> None:
    body = json.dumps(CHAT).encode()
    async with Raw(server) as raw:
        await raw.send(post(b"", sized(body), "expect: 100-continue", "connection: close"))
        async with asyncio.timeout(1):
            assert await raw.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        raw.writer.write(body)
        assert b"HTTP/1.1 200 OK" in await raw.read()


async def test_an_old_client_gets_a_body_that_ends_with_the_connection(server) -> None:
    body = json.dumps({**CHAT, "stream": True}).encode()
    server.enqueue(Reply("Old and good"))
    async with Raw(server) as raw:
        await raw.send(post(body, sized(body), version="1.0"))
        answer = await raw.read()
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"data: [DONE]\n\n")


async def test_keys_are_never_recorded(server, http) -> None:
    headers = {"Authorization": "Bearer sk-1", "x-api-key": "sk-2", "Cookie": "sk-3", "x-mine": "a"}
    await http.post(f"{server.base_url}/chat/completions", json=CHAT, headers=headers)
    (request,) = server.requests
    assert "sk-" not in repr(request)
    assert request.headers["authorization"] == request.headers["x-api-key"] == "[redacted]"
    assert request.headers["x-mine"] == "a"
    assert (request.method, request.path, request.model) == (
        "POST",
        "/v1/chat/completions",
        "gpt-test",
    )
    assert request.body == CHAT
    assert not request.stream


async def test_each_answer_has_an_id_of_its_own(server, http) -> None:
    answers = [await http.post(f"{server.base_url}/chat/completions", json=CHAT) for _ in "ab"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2
    assert len({answer.json()["id"] for answer in answers}) == 2


async def test_the_same_seed_gives_the_same_ids_and_answers(http) -> None:
    seen = []
    for seed in (1, 1, 2):
        async with FaultServer(seed=seed) as server:
            answer = await http.post(f"{server.base_url}/chat/completions", json=CHAT)
            seen.append((answer.json()["id"], answer.json()["choices"]))
    assert seen[0] == seen[1] != seen[2]


async def test_a_server_that_is_not_running_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = FaultServer().base_url


async def test_starting_and_closing_twice_is_once() -> None:
    server = FaultServer()
    await server.start()
    url = server.url
    await server.start()
    assert server.url == url
    await server.close()
    await server.close()
    await server.start()
    assert server.url
    await server.close()


async def test_closing_ends_every_task_and_socket_even_in_mid_answer() -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    server = FaultServer(*[Reply("Hello world", faults=[stall(1)])] * 3)
    await server.start()
    body = json.dumps({**CHAT, "stream": True}).encode()
    async with Raw(server) as one, Raw(server) as idle, Raw(server) as half:
        await one.send(post(body, sized(body)))
        await idle.send(b"")
        await half.send(post(b"", "content-length: 10"))
        await one.reader.readuntil(b"Hello")
        await server.close()
        assert server.open_connections == 0
        assert asyncio.all_tasks() == tasks
    assert open_files() == files
    (request,) = server.requests
    assert not request.finished
    assert not request.client_left
    assert request.closed_at is not None


async def test_closing_right_after_a_connection_was_made_ends_that_too() -> None:
    tasks = asyncio.all_tasks()
    server = FaultServer()
    await server.start()
    async with Raw(server) as raw:
        await raw.send(b"")
        await server.close()
        await asyncio.sleep(0.01)
        assert server.open_connections == 0
        assert asyncio.all_tasks() == tasks


async def test_nothing_is_logged_when_clients_leave(server, http, caplog) -> None:
    for fault in (drop(1), stall(1)):
        server.enqueue(Reply("Hello world", faults=[fault]))
        body = json.dumps({**CHAT, "stream": True}).encode()
        async with Raw(server) as raw:
            await raw.send(post(body, sized(body)))
            await raw.reader.readuntil(b"Hello")
    await server.wait_closed_connections()
    assert caplog.records == []


async def test_waiting_for_connections_says_how_many_are_open(server, http) -> None:
    await http.post(f"{server.base_url}/chat/completions", json=CHAT)
    with pytest.raises(TimeoutError, match=r"1 connections are still open after 0.02 s"):
        await server.wait_closed_connections(0.02)
    await http.aclose()
    await server.wait_closed_connections()


async def test_a_client_that_does_not_read_slows_the_server_and_is_noticed_when_it_leaves(
    server,
) -> None:
    server.enqueue(Reply("word " * 400_000))
    body = json.dumps({**CHAT, "stream": True}).encode()
    async with Raw(server) as raw:
        await raw.send(post(body, sized(body)))
        async with asyncio.timeout(10):
            while not server.requests:
                await asyncio.sleep(0.01)
            (request,) = server.requests
            sent = 0
            while not sent or sent != request.tokens_sent:
                sent = request.tokens_sent
                await asyncio.sleep(0.05)
        assert sent < 300_000
        assert not request.finished
    await server.wait_closed_connections()
    assert request.client_left
    assert not request.finished


async def test_a_client_that_leaves_the_end_unread_has_left(server) -> None:
    """All was written and lies in the socket's buffer; the client goes after the first token."""
    server.enqueue(Reply("Hello world"))
    body = json.dumps({**CHAT, "stream": True}).encode()
    loop = asyncio.get_running_loop()
    import socket

    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, post(body, sized(body)))
        await loop.sock_recv(sock, 20)
        (request,) = server.requests
        async with asyncio.timeout(10):
            while not request.finished:
                await asyncio.sleep(0.01)
        assert not request.client_left
    await server.wait_closed_connections()
    assert request.client_left


async def test_a_fast_answer_is_served_fast(server, http) -> None:
    """A pace that a slow machine keeps too; ten times it is usual."""
    server.enqueue(Reply("word " * 50_000))
    began = time.perf_counter()
    answer = await http.post(f"{server.base_url}/chat/completions", json={**CHAT, "stream": True})
    assert answer.text.count("\n\n") > 50_000
    assert time.perf_counter() - began < 2
