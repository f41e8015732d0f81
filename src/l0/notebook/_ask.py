"""From the options of a cell to a run that is ready to start."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from l0.models import (
    DEFAULT,
    Clients,
    ModelName,
    Request,
    Script,
    check_key,
    opener,
    parse_model,
)
from l0.models._sim import SHORT_GAP
from l0.notebook import _values
from l0.notebook._handle import Handle
from l0.notebook._interpolate import interpolate
from l0.stream import run

_RULES: Final = {
    "minimal": "minimal",
    "recommended": "recommended",
    "strict": "strict",
    "json": "json_only",
    "markdown": "markdown_only",
    "latex": "latex_only",
    "none": "none",
}
GUARDRAIL_PRESETS: Final = tuple(_RULES)
HINT: Final = (
    f"no model named, so {DEFAULT} answers, offline; "
    "%%l0 openai:… or %config L0Magics.model = '…' names one"
)
_SHOWN_PROMPT: Final = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a cell runs: names and clients, and what holds where it says nothing."""

    aliases: Mapping[str, str]
    clients: Clients
    model: str = ""
    guardrails: str = "recommended"
    retry: str = "recommended"
    timeout: str = "30,30"
    resume: bool = True
    format: str = "markdown"


@dataclass(slots=True)
class Asked:
    """A run that is ready to start, and what its view says of it."""

    handle: Handle
    script: Script | None
    """What the local fault server does, where it takes part."""
    notes: list[str] = field(default_factory=list)


def prepare(parsed: Namespace, prompt: str, names: Mapping[str, Any], setting: Setting) -> Asked:
    """The run that a cell asks for; nothing is opened yet.

    Raises:
        ValueError: a name is unknown, a key is missing, or a value makes no sense.
    """
    notes: list[str] = []

    def filled(text: str) -> str:
        if parsed.raw or "{" not in text:
            return text
        found = interpolate(text, names)
        notes.extend(found.notes)
        return found.text

    named = (parsed.model or setting.model or DEFAULT, *(parsed.fallback or ()))
    models = [parse_model(filled(text), setting.aliases) for text in named]
    script = _script(parsed.chaos, models)
    if not parsed.chaos:
        for model in models:
            check_key(model)
    request = Request(
        prompt=filled(prompt).strip(),
        system=None if parsed.system is None else filled(parsed.system),
        temperature=parsed.temperature,
        max_tokens=parsed.max_tokens,
        params=dict(parsed.param or ()),
    )
    if not request.prompt:
        raise ValueError("the prompt is empty; write it below %%l0, or behind %l0")
    primary, *others = (
        opener(model, request, setting.clients, script if parsed.chaos or _is_sim(model) else None)
        for model in models
    )
    if parsed.chaos:
        notes.append(_chaos_note(parsed.chaos, models))
    names_of = [str(model) for model in models]
    resume = setting.resume if parsed.resume is None else parsed.resume
    stream = run(
        primary,
        fallbacks=others,
        guardrails=rules(parsed.guardrails or setting.guardrails, names),
        drift=True if parsed.drift else None,
        retry=parsed.retry or _values.retry(setting.retry),
        timeout=_timeout(parsed, setting, script, notes),
        continuation=resume,
        meta={"model": names_of[0], "prompt": request.prompt[:_SHOWN_PROMPT]},
    )
    handle = Handle(
        stream,
        prompt=request.prompt,
        model=names_of[0],
        fallbacks=names_of[1:],
        format=parsed.format or setting.format,
        name=parsed.out,
    )
    handle.raise_on_abort = parsed.on_abort == "raise"
    return Asked(handle, script, notes)


def rules(name: str, names: Mapping[str, Any]) -> list[Any]:
    """The rules of a preset, or those that a variable holds.

    Raises:
        ValueError: it is neither.
    """
    from l0.guardrails import Guardrails

    if name in _RULES:
        preset: list[Any] = getattr(Guardrails, _RULES[name])()
        return preset
    if name not in names:
        near = difflib.get_close_matches(name, _RULES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"no guardrails {name!r}; {hint}presets are {', '.join(_RULES)}, or define a variable "
            f"{name} = [custom_pattern_rule(…)]"
        )
    held = names[name]
    found = list(held) if isinstance(held, list | tuple) else [held]
    if not all(hasattr(rule, "check") or hasattr(rule, "start") for rule in found):
        raise ValueError(
            f"{name} holds no rules but {type(held).__name__}; make it a list such as "
            "Guardrails.recommended() or [custom_pattern_rule(…)]"
        )
    return found


def _is_sim(model: ModelName) -> bool:
    return model.provider == "sim"


def _script(chaos: str | None, models: list[ModelName]) -> Script | None:
    if not chaos and not any(map(_is_sim, models)):
        return None
    try:
        return Script(chaos)
    except ValueError as error:
        raise ValueError(f"--chaos: {error}; %l0 chaos lists the faults") from None


def _chaos_note(chaos: str, models: list[ModelName]) -> str:
    real = [str(model) for model in models if not _is_sim(model)]
    instead = f", instead of {' and '.join(real)}," if real else ""
    return f"chaos: the local fault server{instead} answers with {chaos}, one fault a request"


def _timeout(parsed: Namespace, setting: Setting, script: Script | None, notes: list[str]) -> Any:
    if parsed.timeout is not None:
        return parsed.timeout
    usual = _values.timeout(setting.timeout)
    if script is None or not script.stalls:
        return usual
    notes.append(f"a stall is over after {SHORT_GAP:g} s between tokens here; --timeout sets it")
    return usual.replace(inter_token=SHORT_GAP)
