"""From the options of a cell to a run that is ready to start."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from l0.errors._nearest import nearest
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
from l0.models._request import Factory
from l0.models._sim import SHORT_GAP
from l0.notebook import _chat, _structured_ask, _values
from l0.notebook._handle import Handle
from l0.notebook._interpolate import interpolate
from l0.schema import UnifiedSchema, structured_stream
from l0.stream import AttemptInfo, run

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
_SHOWN_PROMPT: Final = 200
_REASONING: Final = {"include_reasoning": True, "include_thinking": True}
"""What a model says of its thinking is shown, folded; one that says nothing costs nothing."""


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

    schema = _structured_ask.find_schema(parsed.schema, names) if parsed.schema else None
    default = _structured_ask.DEFAULT if schema else DEFAULT
    named = (parsed.model or setting.model or default, *(parsed.fallback or ()))
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
    talk = _conversation(parsed.chat, names, request.system) if parsed.chat else None
    if talk is not None:
        notes.append(_chat.note(parsed.chat, talk, request.prompt))
        turns = talk.fitting(request.prompt)
        request = dataclasses.replace(request, system=talk.system, history=turns)
    primary, *others = (
        _opener(
            model,
            request,
            schema,
            setting.clients,
            script if parsed.chaos or _is_sim(model) else None,
        )
        for model in models
    )
    if parsed.chaos:
        notes.append(_chaos_note(parsed.chaos, models))
    names_of = [str(model) for model in models]
    resume = setting.resume if parsed.resume is None else parsed.resume
    judges = rules(parsed.guardrails or setting.guardrails, names)
    if schema is not None and not parsed.guardrails:
        judges = _structured_ask.without_json_rules(judges)
    options: dict[str, Any] = {
        "fallbacks": others,
        "guardrails": judges,
        "drift": True if parsed.drift else None,
        "retry": parsed.retry or _values.retry(setting.retry),
        "timeout": _timeout(parsed, setting, script, notes),
        "continuation": resume,
        "adapter_options": _REASONING,
        "meta": {"model": names_of[0], "prompt": request.prompt[:_SHOWN_PROMPT]},
    }
    structured = None if schema is None else structured_stream(schema, primary, **options)
    handle = Handle(
        run(primary, **options) if structured is None else structured.stream,
        prompt=request.prompt,
        model=names_of[0],
        fallbacks=names_of[1:],
        format=parsed.format or ("data" if schema else setting.format),
        name=parsed.out,
    )
    handle.schema, handle.structured, handle.conversation = schema, structured, talk
    handle.raise_on_abort = parsed.on_abort == "raise"
    return Asked(handle, script, notes)


def hint(parsed: Namespace) -> str:
    """What is said, once, to a person who names no model."""
    default = _structured_ask.DEFAULT if parsed.schema else DEFAULT
    return (
        f"no model named, so {default} answers, offline; "
        "%%l0 openai:… or %config L0Magics.model = '…' names one"
    )


def _opener(
    model: ModelName,
    request: Request,
    schema: UnifiedSchema[Any] | None,
    clients: Clients,
    script: Script | None,
) -> Factory:
    """The function that opens one attempt; where data is asked for, each attempt says so."""
    if schema is None:
        return opener(model, request, clients, script)
    clients.load(model.via)

    async def open_stream(info: AttemptInfo | None) -> Any:
        asked = _structured_ask.request_for(request, schema, info)
        return await opener(model, asked, clients, script)(info)

    vars(open_stream)["model"] = str(model)  # which its attempts are recorded with
    return open_stream


def _conversation(name: str, names: Mapping[str, Any], system: str | None) -> _chat.Conversation:
    """The conversation of this name, a new one if there is none; `system` is its prompt from now.

    Raises:
        ValueError: the variable holds something else.
    """
    held = names.get(name)
    if held is None:
        return _chat.Conversation(system)
    if not isinstance(held, _chat.Conversation):
        raise ValueError(
            f"{name} holds no conversation but {type(held).__name__}; name another variable, or "
            f"make it one: l0.notebook.Conversation(messages=[…])"
        )
    if system is not None:
        held.system = system
    return held


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
        near = nearest(name, _RULES)
        hint = f"did you mean {near}? " if near else ""
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
