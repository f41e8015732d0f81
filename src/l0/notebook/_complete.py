"""Completion in lines of the magic: options, models, variables, commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from l0.models import KEYS, PROVIDERS, known_models
from l0.notebook import _arguments, _values
from l0.notebook._ask import GUARDRAIL_PRESETS
from l0.notebook._chat import Conversation
from l0.notebook._commands import COMMANDS
from l0.notebook._handle import Handle
from l0.notebook._structured_ask import is_schema

if TYPE_CHECKING:
    from l0.notebook._magics import L0Magics

_LINE: Final = re.compile(r"^\s*(?:[\w.\[\]'\"]+\s*=\s*)?%l0\s+")
_CELL: Final = re.compile(r"^%%l0(?:\s|$)")
_EXPRESSION: Final = re.compile(r"(?<!\{)\{\s*(\w*)$")

_OF_OPTION: Final = {
    "--retry": _values.RETRY_PRESETS,
    "--timeout": ("30,30", "30,10", "none"),
    "--format": _arguments.FORMATS,
    "-F": _arguments.FORMATS,
    "--on-abort": ("keep", "raise"),
    "--speed": ("60", "max"),
}


def matcher(magics: L0Magics) -> Any:
    """The matcher to append to the completer's `custom_matchers`."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="l0", priority=200)  # type: ignore[untyped-decorator]
    def complete_l0(context: Any) -> Any:
        found = complete(magics, context.full_text, context.cursor_line, context.cursor_position)
        if found is None:
            return {"completions": []}
        fragment, texts = found
        return {
            "completions": [SimpleCompletion(text=text, type="l0") for text in texts],
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    return complete_l0


def complete(magics: L0Magics, text: str, line: int, column: int) -> tuple[str, list[str]] | None:
    """The word before the cursor and what it may become; None: the shell may say."""
    lines = text.split("\n")
    before = lines[line][:column]
    in_cell = bool(_CELL.match(lines[0]))
    if in_cell and line > 0:
        return _in_prompt(magics, before)
    lead = _CELL.match(before) if in_cell else _LINE.match(before)
    if lead is None:
        return None
    typed = before[lead.end() :]
    fragment = re.split(r"\s", typed)[-1]
    words = typed[: len(typed) - len(fragment)].split()
    if not in_cell and "{" in fragment:
        return _in_prompt(magics, before)
    return fragment, _starting(fragment, _possible(magics, words, fragment, in_cell=in_cell))


def _in_prompt(magics: L0Magics, before: str) -> tuple[str, list[str]] | None:
    """Prose is nobody's to complete; an expression in braces begins with a variable."""
    found = _EXPRESSION.search(before)
    if found is None:
        return None
    return found[1], _starting(found[1], _variables(magics, object))


def _possible(magics: L0Magics, words: list[str], fragment: str, *, in_cell: bool) -> Iterable[str]:
    previous = words[-1] if words else ""
    if not in_cell and words and words[0] in COMMANDS:
        return _of_command(magics, words)
    if _arguments.takes_value(previous):
        return _of_option(magics, previous, fragment)
    if fragment.startswith("-"):
        return (*_arguments.NAMES, "--no-resume")
    models = _models(magics, fragment)
    if words or in_cell:
        return models
    return (*COMMANDS, *models)


def _of_command(magics: L0Magics, words: list[str]) -> Iterable[str]:
    match words:
        case ["show" | "replay" | "compare"] | ["compare", _]:
            return ("last", *_variables(magics, Handle))
        case ["stop"]:
            return ("all", *(handle.name for handle in magics.running.values() if handle.name))
        case ["alias"]:
            return magics.aliases
        case ["alias", _]:
            return (f"{provider}:" for provider in PROVIDERS)
    return ()


def _of_option(magics: L0Magics, option: str, fragment: str) -> Iterable[str]:
    match option:
        case "-f" | "--fallback":
            return _models(magics, fragment)
        case "-g" | "--guardrails":
            return (*GUARDRAIL_PRESETS, *_variables(magics, list))
        case "--chat":
            return _variables(magics, Conversation)
        case "--schema":
            return _variables(magics, object, is_schema)
        case "-o" | "--out":
            return _variables(magics, Handle)
        case "--chaos":
            return _faults(fragment)
    return _OF_OPTION.get(option, ())


def _models(magics: L0Magics, fragment: str) -> Iterable[str]:
    """Every sim model and alias; those of a provider once its name is typed."""
    provider = fragment.partition(":")[0]
    if ":" in fragment and provider in KEYS:
        try:
            return known_models(provider)
        except ImportError:
            return ()
    return (*magics.aliases, *known_models("sim"), *(f"{each}:" for each in KEYS))


def _faults(fragment: str) -> Iterable[str]:
    from l0.testing import list_faults

    done = fragment.rpartition(",")[0]
    lead = f"{done}," if done else ""
    return (lead + spelling for spelling, _ in list_faults())


def _variables(
    magics: L0Magics, kind: type, fits: Callable[[Any], bool] = lambda _: True
) -> list[str]:
    assert magics.shell is not None
    return sorted(
        name
        for name, value in magics.shell.user_ns.items()
        if isinstance(value, kind)
        and fits(value)
        and not name.startswith("_")
        and name not in magics.shell.user_ns_hidden
    )


def _starting(fragment: str, texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text.startswith(fragment)]
