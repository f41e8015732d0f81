"""The fault server's endpoints: from a request to the reply it gets, in its provider's shape."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs

from l0.testing._answer import Asked, compose
from l0.testing._faults import Fault, plain_number
from l0.testing._http import Connection, Request
from l0.testing._play import Player
from l0.testing._record import RecordedRequest
from l0.testing._reply import Reply
from l0.testing._sim import SIM_MODELS, known_models
from l0.testing._wire import Answer, Payload, Wire, to_json
from l0.testing._wire_chat import ChatWire
from l0.testing._wire_messages import MessagesWire
from l0.testing._wire_responses import ResponsesWire

_ROUTES: Final[dict[str, type[Wire]]] = {
    "/v1/chat/completions": ChatWire,
    "/v1/responses": ResponsesWire,
    "/v1/messages": MessagesWire,
}
_KEPT: Final = 64
"""Background responses that can be taken up again; older ones are forgotten."""
_OF_THE_MODEL: Final = frozenset({"failed", "length", "no_text", "tool_garbage", "no_finish_usage"})
"""Faults that are part of the answer itself, so a resumed stream shows them too."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the connection its answer goes to."""

    connection: Connection
    request: Request
    record: RecordedRequest
    number: int

    @property
    def wire(self) -> type[Wire]:
        """The provider whose shape errors have, whatever the path."""
        if self.request.path.startswith("/v1/messages"):
            return MessagesWire
        if "anthropic-version" in self.request.headers:
            return MessagesWire
        return _ROUTES.get(self.request.path, ChatWire)

    @property
    def headers(self) -> dict[str, str]:
        """What every answer carries."""
        return {self.wire.request_id_header: f"req_{self.number:06d}"}

    def send(self, status: int, body: Payload, headers: Mapping[str, str] | None = None) -> None:
        """Answers with JSON."""
        data = to_json(body)
        self.record.status = status
        fields = {**self.headers, **(headers or {}), "content-type": "application/json"}
        if not self.request.keep_alive:
            fields["connection"] = "close"
        self.connection.start(status, fields, size=len(data))
        self.record.close(finished=True)
        self.connection.write(data, last=True)

    def refuse(self, status: int, say: str, code: str | None = None) -> None:
        """Answers with an error in the provider's shape."""
        self.send(status, self.wire.error_body(status, None, code, say))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A background response, as the model produced it."""

    answer: Answer
    reply: Reply
    faults: Sequence[Fault]
    resumable: bool


class Endpoints:
    """Answers exchanges; `next_reply` hands out the replies."""

    def __init__(self, seed: int, next_reply: Callable[[Mapping[str, str], bool], Reply]) -> None:
        self._seed = seed
        self._next_reply = next_reply
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def answer(self, exchange: Exchange) -> None:
        """Answers one request completely."""
        path, method = exchange.request.path, exchange.request.method
        if method == "POST" and path in _ROUTES:
            await self._post(exchange, _ROUTES[path])
        elif method == "GET" and path == "/v1/models":
            exchange.send(200, _models(anthropic=exchange.wire is MessagesWire))
        elif method == "GET" and path.startswith("/v1/responses/"):
            await self._resume(exchange, path.removeprefix("/v1/responses/"))
        else:
            exchange.refuse(404, f"There is no {method} {path} here.")

    async def _post(self, exchange: Exchange, wire: type[Wire]) -> None:
        record = exchange.record
        try:
            record.body = _read_json(exchange.request.body)
            turns = wire.turns(record.body)
            model = record.model
            if not model:
                raise ValueError("model must name a model")
        except ValueError as error:
            exchange.refuse(400, str(error))
            return
        if model.startswith("sim:") and model.removeprefix("sim:") not in SIM_MODELS:
            say = f"The model {model!r} does not exist; there are {', '.join(known_models())}."
            exchange.refuse(404, say, "model_not_found")
            return
        reply = self._next_reply(exchange.request.headers, False)
        if await _refused(exchange, reply.fault_list):
            return
        asked = Asked(
            wire, model, record.body, turns, self._seed, exchange.number, int(time.time())
        )
        answer, record.continued_from = compose(reply, reply.fault_list, asked)
        if answer.background and wire is ResponsesWire:
            self._keep(reply, asked)
        await _play(exchange, wire(answer), reply, reply.fault_list)

    def _keep(self, reply: Reply, asked: Asked) -> None:
        # The model goes on when the connection is gone: only its own faults are kept.
        answer, _ = compose(reply, reply.fault_list, asked, unbroken=True)
        faults = [fault for fault in reply.fault_list if fault.kind in _OF_THE_MODEL]
        resumable = all(fault.kind != "no_resume" for fault in reply.fault_list)
        self._kept[f"resp_{answer.id}"] = _Kept(answer, reply, faults, resumable)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _resume(self, exchange: Exchange, name: str) -> None:
        kept = self._kept.get(name)
        if kept is None or not kept.resumable:
            exchange.refuse(404, f"Response with id {name!r} not found.")
            return
        query = parse_qs(exchange.request.query)
        after = query.get("starting_after", ["-1"])[0]
        if not after.removeprefix("-").isdecimal():
            exchange.refuse(400, f"starting_after must be a number, not {after!r}")
            return
        trouble = self._next_reply(exchange.request.headers, True).fault_list
        if await _refused(exchange, trouble):
            return
        seen = len(kept.answer.tokens) - _units_left(kept.answer, int(after))
        again = [fault for fault in (*kept.reply.fault_list, *trouble) if fault.kind == "repeat"]
        exchange.record.faults += again[:1]
        wire = ResponsesWire(kept.answer, -1 if again else int(after))
        own = [
            replace(fault, at=max(0, fault.at - seen)) if fault.at is not None else fault
            for fault in kept.faults
        ]
        await _play(exchange, wire, kept.reply, (*own, *trouble))


async def _refused(exchange: Exchange, faults: Sequence[Fault]) -> bool:
    """Plays what comes before the status line; True when that is an error."""
    for fault in faults:
        if fault.kind == "slow_headers":
            await asyncio.sleep(fault.seconds or 0)
    error = next((fault for fault in faults if fault.kind == "status"), None)
    if error is None or error.code is None:
        return False
    exchange.record.faults += [fault for fault in faults if fault.kind == "slow_headers"] + [error]
    wait = {} if error.retry_after is None else {"retry-after": plain_number(error.retry_after)}
    body = exchange.wire.error_body(error.code, error.error_type, error.error_code, "")
    exchange.send(error.code, body, wait)
    return True


async def _play(exchange: Exchange, wire: Wire, reply: Reply, faults: Sequence[Fault]) -> None:
    record = exchange.record
    player = Player(
        exchange.connection, exchange.request, record, wire=wire, reply=reply, faults=faults
    )
    await (player.stream if record.stream else player.whole)(exchange.headers)


def _units_left(answer: Answer, after: int) -> int:
    wire = ResponsesWire(answer, after)
    for _ in wire.head():
        pass
    return sum(1 for _ in wire.text_units())


def _read_json(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body of the request isn't JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body of the request must be a JSON object")
    return body


def _models(*, anthropic: bool) -> Payload:
    names = known_models()
    if not anthropic:
        entry = {"object": "model", "created": 1_760_000_000, "owned_by": "l0"}
        return {"object": "list", "data": [{"id": name, **entry} for name in names]}
    made = "2025-10-09T08:53:20Z"
    return {
        "data": [
            {
                "type": "model",
                "id": name,
                "display_name": f"{name} ({about})",
                "created_at": made,
                "lifecycle": "active",
            }
            for name, about in zip(names, SIM_MODELS.values(), strict=True)
        ],
        "has_more": False,
        "first_id": names[0],
        "last_id": names[-1],
    }
