"""The fault server on a thread of its own: it answers while the caller is busy."""

from __future__ import annotations

import http.client
import json
import threading
import time

import pytest

from l0.testing._faults import stall
from l0.testing._reply import Reply
from l0.testing._server import FaultServer
from l0.testing._thread import ThreadedFaultServer

CHAT = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}


def ask(server: ThreadedFaultServer, **options) -> str:
    """A request from a thread that has no loop."""
    headers = options.pop("headers", {})
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=2)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(CHAT | options), headers)
        return json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]
    finally:
        connection.close()


async def test_it_answers_while_the_callers_loop_is_busy() -> None:
    with FaultServer.in_thread(Reply("one"), Reply("two"), seed=3) as server:
        assert [ask(server), ask(server)] == ["one", "two"]
        assert [request.finished for request in server.requests] == [True, True]


def test_it_has_everything_a_server_has() -> None:
    with FaultServer.in_thread() as server:
        assert server.base_url == f"{server.url}/v1"
        assert server.anthropic_base_url == server.url
        server.enqueue(Reply("queued"))
        server.default = Reply("default")
        headers = server.script("key", Reply("scripted"))
        assert ask(server, headers=headers) == "scripted"
        assert [ask(server), ask(server)] == ["queued", "default"]
        assert server.default == Reply("default")
        server.wait_closed_connections()
        assert server.open_connections == 0


def test_closing_ends_its_thread_even_in_mid_answer() -> None:
    before = threading.active_count()
    server = FaultServer.in_thread(Reply("Hello world", faults=[stall(1)]))
    server.start()
    server.start()
    assert threading.active_count() == before + 1
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=2)
    connection.request("POST", "/v1/chat/completions", json.dumps(CHAT | {"stream": True}))
    answer = connection.getresponse()
    assert b"data" in answer.fp.peek()
    began = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - began < 0.9
    assert threading.active_count() == before
    answer.close()
    connection.close()


def test_it_can_be_opened_again() -> None:
    server = FaultServer.in_thread()
    for text in ("one", "two"):
        with server:
            server.enqueue(Reply(text))
            assert ask(server) == text
        with pytest.raises(RuntimeError, match="isn't running"):
            _ = server.url


def test_waiting_for_connections_of_a_closed_server_is_no_wait() -> None:
    FaultServer.in_thread().wait_closed_connections()


def test_a_port_that_is_taken_is_an_error_of_the_caller() -> None:
    with FaultServer.in_thread() as server:
        port = int(server.url.rpartition(":")[2])
        second = FaultServer.in_thread(port=port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        second.close()


def test_many_threads_share_one_server() -> None:
    with FaultServer.in_thread() as server:
        keys = [str(number) for number in range(8)]
        said: dict[str, list[str]] = {}

        def run(key: str) -> None:
            headers = server.script(key, *[Reply(f"{key}-{turn}") for turn in range(5)])
            said[key] = [ask(server, headers=headers) for _ in range(5)]

        threads = [threading.Thread(target=run, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert said == {key: [f"{key}-{turn}" for turn in range(5)] for key in keys}
