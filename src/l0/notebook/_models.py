"""From the name of a model to a function that opens its stream."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from l0.notebook import _sim
from l0.notebook._clients import BASE_URLS, KEYS, Clients, base_url_of, key_of
from l0.stream import AttemptInfo, continue_messages

DEFAULT: Final = "sim:story"
"""Answers where no model is named: offline, without a key."""

PROVIDERS: Final = (*KEYS, "sim")

_OWN_NAMES: Final = (  # bare names whose provider is known
    (re.compile(r"(?:gpt|chatgpt|codex)-.+|o\d+(?:-.+)?"), "openai"),
    (re.compile(r"claude-.+"), "anthropic"),
)
_ANTHROPIC_TOKENS: Final = 4096  # the request must name a limit


# --- names ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """A model and who serves it; `via` is the client that speaks to it."""

    provider: str
    name: str
    via: str

    def __str__(self) -> str:
        odd = self.provider == "sim" and self.via != "openai"
        return f"{self.provider}:{self.name}" + (f"@{self.via}" if odd else "")


def parse_model(text: str, aliases: Mapping[str, str] | None = None) -> Model:
    """The model that `provider:model`, a bare name or an alias stands for.

    >>> str(parse_model("claude-sonnet-4-5"))
    'anthropic:claude-sonnet-4-5'

    Raises:
        ValueError: nobody knows it; the nearest known name is given.
    """
    aliases = aliases or {}
    text = aliases.get(text, text)
    provider, colon, name = text.partition(":")
    if colon and provider in KEYS and name:
        return Model(provider, name, provider)
    if colon and provider == "sim":
        return _sim_model(name)
    for own, provider in () if colon else _OWN_NAMES:
        if own.fullmatch(text):
            return Model(provider, text, provider)
    raise ValueError(_unknown(text, aliases))


def is_model(word: str, aliases: Mapping[str, str]) -> bool:
    """Whether a word that may also begin a prompt is meant as a model, mistyped ones included."""
    if word in aliases or any(own.fullmatch(word) for own, _ in _OWN_NAMES):
        return True
    provider, colon, name = word.partition(":")
    if not colon or not name or name.startswith("/"):
        return False
    return bool(difflib.get_close_matches(provider.lower(), PROVIDERS, n=1, cutoff=0.75))


def _sim_model(text: str) -> Model:
    known = _sim.models()
    name, _, via = text.partition("@")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        every = ", ".join(f"sim:{each}" for each in known)
        hint = f"did you mean sim:{near[0]}?" if near else f"there are {every}"
        raise ValueError(f"no model sim:{name}; {hint}")
    if via not in {"", *KEYS}:
        raise ValueError(f"sim:{text}: behind the @ stands {' or '.join(KEYS)}")
    return Model("sim", name, via or "openai")


def _unknown(text: str, aliases: Mapping[str, str]) -> str:
    provider, colon, name = text.partition(":")
    if colon:
        near = difflib.get_close_matches(provider.lower(), PROVIDERS, n=1)
        hint = f"did you mean {near[0]}:{name}? " if near else ""
        if provider in PROVIDERS:
            hint = f"name one, such as {provider}:…; "
        return f"no provider for {text!r}; {hint}providers are {', '.join(PROVIDERS)}"
    known = {each: each for each in aliases}
    known |= {each: f"sim:{each}" for each in _sim.models()}
    known |= {full: full for full in list(known.values())}
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {known[near[0]]}? " if near else ""
    return (
        f"no model {text!r}; {hint}write provider:model, such as openai:{text}, or see %l0 models"
    )


def known_models(provider: str) -> list[str]:
    """The models of a provider that the installed client names; for completion."""
    from typing import get_args

    names: Iterable[Any]
    if provider == "sim":
        names = _sim.models()
    elif provider == "openai":
        from openai.types import ChatModel

        names = get_args(ChatModel)
    elif provider == "anthropic":
        from anthropic.types import Model as AnthropicModel

        names = [name for part in get_args(AnthropicModel) for name in get_args(part)]
    else:
        names = ()
    return [f"{provider}:{name}" for name in names]


def check_key(model: Model) -> None:
    """Raise a ValueError that says which variable is missing, if the model needs one."""
    if model.provider == "sim" or key_of(model.provider) or base_url_of(model.provider):
        return
    name, url = KEYS[model.provider], BASE_URLS[model.provider]
    raise ValueError(
        f"{model} needs a key: set {name} in the kernel's environment, here with "
        f'import os, getpass; os.environ["{name}"] = getpass.getpass(), '
        f"or {url} for a compatible server; {DEFAULT} needs none"
    )


# --- requests -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, in no provider's form yet."""

    prompt: str
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def messages(self, info: AttemptInfo) -> list[Any]:
        """The conversation, asked to go on where the text broke off, if it did."""
        asked = [{"role": "user", "content": self.prompt}]
        return continue_messages(asked, info.checkpoint, prompt=info.prompt)


Factory = Callable[[AttemptInfo], Awaitable[Any]]


def opener(model: Model, request: Request, clients: Clients, script: _sim.Script | None) -> Factory:
    """The function that opens one attempt; with a script it goes to the local fault server."""
    clients.load(model.via)  # the import takes a second, which is not the model's
    make = _anthropic if model.via == "anthropic" else _openai

    async def open_stream(info: AttemptInfo) -> Any:
        local = script is not None
        client = clients.get(model.via, local=local)
        arguments = make(model, request, info)
        if script is not None:
            arguments["extra_headers"] = script.headers()
        resource = client.messages if model.via == "anthropic" else client.chat.completions
        return await resource.create(**_fit(resource.create, arguments))

    return open_stream


def _openai(model: Model, request: Request, info: AttemptInfo) -> dict[str, Any]:
    system = [{"role": "system", "content": request.system}] if request.system else []
    limit = "max_tokens" if base_url_of("openai") else "max_completion_tokens"
    return {
        "model": f"sim:{model.name}" if model.provider == "sim" else model.name,
        "messages": system + request.messages(info),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_given(temperature=request.temperature, **{limit: request.max_tokens}),
        **request.params,
    }


def _anthropic(model: Model, request: Request, info: AttemptInfo) -> dict[str, Any]:
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
