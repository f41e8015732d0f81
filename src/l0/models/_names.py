"""What stands for a model: `provider:model`, a bare name, an alias; and who serves it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from l0.errors._nearest import nearest
from l0.models import _sim
from l0.models._clients import BASE_URLS, KEYS, base_url_of, key_of

DEFAULT: Final = "sim:story"
"""Answers where no model is named: offline, without a key."""

PROVIDERS: Final = (*KEYS, "sim")

_OWN_NAMES: Final = (  # bare names whose provider is known
    (re.compile(r"(?:gpt|chatgpt|codex)-.+|o\d+(?:-.+)?"), "openai"),
    (re.compile(r"claude-.+"), "anthropic"),
)


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model and who serves it; `via` is the client that speaks to it."""

    provider: str
    name: str
    via: str

    def __str__(self) -> str:
        odd = self.provider == "sim" and self.via != "openai"
        return f"{self.provider}:{self.name}" + (f"@{self.via}" if odd else "")


def parse_model(text: str, aliases: Mapping[str, str] | None = None) -> ModelName:
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
        return ModelName(provider, name, provider)
    if colon and provider == "sim":
        return _sim_model(name)
    for own, provider in () if colon else _OWN_NAMES:
        if own.fullmatch(text):
            return ModelName(provider, text, provider)
    raise ValueError(_unknown(text, aliases))


def is_model(word: str, aliases: Mapping[str, str]) -> bool:
    """Whether a word that may also begin a prompt is meant as a model, mistyped ones included.

    Example:
        >>> is_model("sim:story", {}), is_model("lighthouse", {})
        (True, False)
    """
    if word in aliases or any(own.fullmatch(word) for own, _ in _OWN_NAMES):
        return True
    provider, colon, name = word.partition(":")
    if not colon or not name or name.startswith("/"):
        return False
    return nearest(provider.lower(), PROVIDERS, 0.75) is not None


def _sim_model(text: str) -> ModelName:
    known = _sim.models()
    name, _, via = text.partition("@")
    if name not in known:
        near = nearest(name, known)
        every = ", ".join(f"sim:{each}" for each in known)
        hint = f"did you mean sim:{near}?" if near else f"there are {every}"
        raise ValueError(f"no model sim:{name}; {hint}")
    if via not in {"", *KEYS}:
        raise ValueError(f"sim:{text}: behind the @ stands {' or '.join(KEYS)}")
    return ModelName("sim", name, via or "openai")


def _unknown(text: str, aliases: Mapping[str, str]) -> str:
    provider, colon, name = text.partition(":")
    if colon:
        near = nearest(provider.lower(), PROVIDERS)
        hint = f"did you mean {near}:{name}? " if near else ""
        if provider in PROVIDERS:
            hint = f"name one, such as {provider}:…; "
        return f"no provider for {text!r}; {hint}providers are {', '.join(PROVIDERS)}"
    known = {each: each for each in aliases}
    known |= {each: f"sim:{each}" for each in _sim.models()}
    known |= {full: full for full in list(known.values())}
    near = nearest(text, known)
    hint = f"did you mean {known[near]}? " if near else ""
    return (
        f"no model {text!r}; {hint}write provider:model, such as openai:{text}, or see %l0 models"
    )


def known_models(provider: str) -> list[str]:
    """The models of a provider that the installed client names; for completion.

    Example:
        >>> known_models("sim")[:2]
        ['sim:story', 'sim:json']
    """
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


def check_key(model: ModelName) -> None:
    """Raise a ValueError that says which variable is missing, if the model needs one.

    Example:
        >>> check_key(parse_model("sim:story"))  # needs none
    """
    if model.provider == "sim" or key_of(model.provider) or base_url_of(model.provider):
        return
    name, url = KEYS[model.provider], BASE_URLS[model.provider]
    raise ValueError(
        f"{model} needs a key: set {name} in the environment, such as by "
        f'`import os, getpass; os.environ["{name}"] = getpass.getpass()`, '
        f"or {url} for a compatible server; {DEFAULT} needs none"
    )
