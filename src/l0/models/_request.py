"""What is asked, in each provider's form, and the function that opens one attempt of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from l0.models import _sim
from l0.models._clients import Clients, base_url_of
from l0.models._names import ModelName
from l0.stream import AttemptInfo, continue_messages
from l0.stream._fast import fast

_ANTHROPIC_TOKENS: Final = 4096  # the request must name a limit
_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, in no provider's form yet.

    `history` are the turns before the prompt, oldest first, each with role and content; `schema`
    is the JSON Schema of the answer, told to providers that hold a model to one.
    """

    prompt: str
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, str]] = ()
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"

    def messages(self, info: AttemptInfo | None) -> list[Any]:
        """The conversation, asked to go on where the text broke off, if it did."""
        asked = [*map(dict, self.history), {"role": "user", "content": self.prompt}]
        if info is None:
            return asked
        return continue_messages(asked, info.checkpoint, prompt=info.prompt)


Factory = Callable[[AttemptInfo | None], Awaitable[Any]]


def opener(
    model: ModelName, request: Request, clients: Clients, script: _sim.Script | None
) -> Factory:
    """The function that opens one attempt; with a script it goes to the local fault server.

    Example:
        >>> from l0.models import Clients, Request, opener, parse_model
        >>> callable(opener(parse_model("openai:gpt-5"), Request("Hello"), Clients(), None))
        True
    """
    clients.load(model.via)  # the import takes a second, which is not the model's
    make = _anthropic if model.via == "anthropic" else _openai

    async def open_stream(info: AttemptInfo | None) -> Any:
        local = script is not None
        client = clients.get(model.via, local=local)
        arguments = make(model, request, info)
        if script is not None:
            goes_on = info is not None and bool(info.checkpoint)
            arguments["extra_headers"] = script.headers(goes_on=goes_on)
        resource = client.messages if model.via == "anthropic" else client.chat.completions
        create = fast(resource) if clients.transport == "fast" else resource.create
        return await create(**_fit(resource.create, arguments))

    vars(open_stream)["model"] = str(model)  # which its attempts are recorded with
    return open_stream


def _openai(model: ModelName, request: Request, info: AttemptInfo | None) -> dict[str, Any]:
    system = [{"role": "system", "content": request.system}] if request.system else []
    limit = "max_tokens" if base_url_of("openai") else "max_completion_tokens"
    return {
        "model": f"sim:{model.name}" if model.provider == "sim" else model.name,
        "messages": system + request.messages(info),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_given(temperature=request.temperature, **{limit: request.max_tokens}),
        **_given(response_format=_response_format(request)),
        **request.params,
    }


def _response_format(request: Request) -> dict[str, Any] | None:
    """What holds a model to a schema; None where there is none, or none for an object.

    It is not asked for strictly: that accepts few schemas, and the answer is judged here anyway.
    """
    if request.schema is None or request.schema.get("type") != "object":
        return None
    name = _UNNAMEABLE.sub("_", request.schema_name).strip("_")[:64] or "answer"
    described = {"name": name, "schema": dict(request.schema), "strict": False}
    return {"type": "json_schema", "json_schema": described}


def _anthropic(model: ModelName, request: Request, info: AttemptInfo | None) -> dict[str, Any]:
    return {
        "model": f"sim:{model.name}" if model.provider == "sim" else model.name,
        "messages": request.messages(info),
        "stream": True,
        "max_tokens": request.max_tokens or _ANTHROPIC_TOKENS,
        **_given(system=request.system, temperature=request.temperature),
        **request.params,
    }


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _fit(create: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Parameters the client has no name for travel in the body: other servers know more."""
    known = inspect.signature(create).parameters
    more = {name: value for name, value in arguments.items() if name not in known}
    if not more:
        return arguments
    fitting = {name: value for name, value in arguments.items() if name in known}
    return {**fitting, "extra_body": {**more, **fitting.get("extra_body", {})}}
