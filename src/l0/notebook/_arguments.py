"""What `%%l0` and `%l0` understand: the options, and how a line is read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from l0.errors._nearest import nearest
from l0.models import is_model
from l0.notebook._transform import AWAITED
from l0.notebook._values import (
    RETRY_PRESETS,
    count,
    parameter,
    retry,
    speed,
    temperature,
    timeout,
    variable,
)

FORMATS: Final = ("markdown", "text", "json", "code")


def _typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of values whose complaints argparse passes on."""

    def typed(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


# --- options --------------------------------------------------------------------------------

_Option = tuple[tuple[str, ...], dict[str, Any]]

OPTIONS: Final[list[_Option]] = [
    (
        ("model",),
        {
            "nargs": "?",
            "metavar": "MODEL",
            "help": "provider:model (openai:gpt-…, anthropic:claude-…, sim:story), a bare name "
            "whose provider is known, or an alias; left out: %%config L0Magics.model, else "
            "sim:story, which needs no key",
        },
    ),
    (
        ("-o", "--out"),
        {
            "metavar": "NAME",
            "type": _typed(variable),
            "help": "keep the handle in this variable: str(NAME) is the text, NAME.events() a "
            "DataFrame; `_` and Out hold it too",
        },
    ),
    (
        ("-f", "--fallback"),
        {
            "metavar": "MODEL",
            "action": "append",
            "help": "try this model when the one before it has failed for good; repeatable",
        },
    ),
    (
        ("--retry",),
        {
            "metavar": "N",
            "type": _typed(retry),
            "help": f"at most N retries, or a preset: {', '.join(RETRY_PRESETS)}",
        },
    ),
    (
        ("--timeout",),
        {
            "metavar": "S,S",
            "type": _typed(timeout),
            "help": "initial,inter[,total]: seconds to the first token, between two tokens, and in "
            "all; `none` for no limit; default 30,30",
        },
    ),
    (
        ("--resume",),
        {
            "action": argparse.BooleanOptionalAction,
            "help": "after a broken connection go on from the last good token; on by default, "
            "--no-resume starts over",
        },
    ),
    (
        ("-g", "--guardrails"),
        {
            "metavar": "NAME",
            "help": "rules that judge the text: a preset (minimal, recommended, strict, json, "
            "markdown, latex, none) or a variable that holds rules; default recommended",
        },
    ),
    (("--drift",), {"action": "store_true", "help": "retry when the answer wanders off"}),
    (("-s", "--system"), {"metavar": "TEXT", "help": "the system prompt"}),
    (
        ("--chat",),
        {
            "metavar": "NAME",
            "type": _typed(variable),
            "help": "continue the conversation in this variable, which is made at its first use; "
            "NAME shows the transcript",
        },
    ),
    (
        ("--schema",),
        {
            "metavar": "NAME",
            "type": _typed(variable),
            "help": "ask for data: a pydantic model, dataclass, TypedDict or JSON Schema in this "
            "variable; the handle's `data` is the validated object",
        },
    ),
    (
        ("-F", "--format"),
        {
            "choices": FORMATS,
            "help": "how the answer is drawn; default markdown, data with --schema",
        },
    ),
    (
        ("-n", "--runs"),
        {
            "metavar": "N",
            "type": _typed(count),
            "dest": "n",
            "help": "ask N times, side by side; with --race and --consensus each model N times",
        },
    ),
    (
        ("--race",),
        {
            "action": "store_true",
            "help": "MODEL and each -f side by side: the first whole answer wins, the others are "
            "called off",
        },
    ),
    (
        ("--consensus",),
        {
            "action": "store_true",
            "help": "compare the answers of several runs (-n, or MODEL and each -f): the one that "
            "most agree on, how sure that is, and where the others differ",
        },
    ),
    (
        ("--temperature",),
        {"metavar": "T", "type": _typed(temperature), "help": "sampling temperature"},
    ),
    (
        ("--max-tokens",),
        {"metavar": "N", "type": _typed(count), "help": "the longest answer, in tokens"},
    ),
    (
        ("-p", "--param"),
        {
            "metavar": "KEY=VALUE",
            "action": "append",
            "type": _typed(parameter),
            "help": "any other parameter of the request, such as -p seed=7; repeatable",
        },
    ),
    (
        ("--chaos",),
        {
            "metavar": "SCRIPT",
            "help": "let it go wrong: drop@40,stall@80,429,… each hits one request, sent to the "
            "local fault server instead of the provider; %%l0 chaos lists the faults",
        },
    ),
    (
        ("--speed",),
        {
            "metavar": "TOKENS/S",
            "type": _typed(speed),
            "help": "how fast sim models talk, or `max`; default 60, headless max",
        },
    ),
    (
        ("--bg",),
        {
            "action": "store_true",
            "help": "return at once; `await NAME` in a later cell, %%l0 stop NAME ends it",
        },
    ),
    (("--raw",), {"action": "store_true", "help": "send {braces} as they are"}),
    (("--quiet",), {"action": "store_true", "help": "show nothing"}),
    (
        ("--on-abort",),
        {
            "choices": ("keep", "raise"),
            "default": "keep",
            "help": "what Stop does: keep the text so far (default), or raise",
        },
    ),
    (("-h", "--help"), {"action": "store_true", "help": "show this"}),
    ((AWAITED,), {"action": "store_true", "help": argparse.SUPPRESS}),
]

_SHOWN: Final = [flags for flags, about in OPTIONS if about.get("help") != argparse.SUPPRESS]
NAMES: Final = [flag for flags in _SHOWN for flag in flags if flag.startswith("-")]
"""Every option, by each of its names."""

_VALUELESS: Final = {
    flag
    for flags, about in OPTIONS
    for flag in flags
    if about.get("action") in {"store_true", argparse.BooleanOptionalAction}
} | {"--no-resume"}
_KNOWN: Final = {*NAMES, "--no-resume", AWAITED}


def with_options(magic: Any) -> Any:
    """Declares the options on a magic, in the order of its help."""
    from IPython.core import magic_arguments

    declare: Any = magic_arguments
    for flags, about in reversed(OPTIONS):
        magic = declare.argument(*flags, **about)(magic)
    magic = declare.magic_arguments()(magic)
    magic.parser.allow_abbrev = False  # half a name is a typo, and would change its meaning later
    return magic


# --- reading a line -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line without its quotes, and where it stood; `closed` if its quotes are."""

    text: str
    start: int
    end: int
    closed: bool = True


def words(line: str) -> Iterator[Word]:
    """The words of a line; quotes hold blanks together at the start of a word and behind `=`."""
    at, length = 0, len(line)
    while at < length:
        if line[at].isspace():
            at += 1
            continue
        start, text = at, ""
        while at < length and not line[at].isspace():
            if line[at] in "\"'" and (at == start or line[at - 1] == "="):
                end = line.find(line[at], at + 1)
                if end < 0:
                    yield Word(line[start:], start, length, closed=False)
                    return
                text, at = text + line[at + 1 : end], end + 1
            else:
                text, at = text + line[at], at + 1
        yield Word(text, start, at)


def split_options(line: str) -> list[str]:
    """The words of a line that has no prompt.

    Raises:
        ValueError: a quote is not closed.
    """
    found = list(words(line))
    if found and not found[-1].closed:
        raise ValueError(f"the quote is not closed: {found[-1].text}")
    return [word.text for word in found]


def split_line(line: str, aliases: Mapping[str, str]) -> tuple[list[str], str]:
    """The options and the model that a `%l0` line begins with, and the prompt as it stands.

    The prompt begins with the first word that is neither, or behind `--`.

    Raises:
        ValueError: the quote of an option's value is not closed.
    """
    found: list[str] = []
    named = value_due = False
    for word in words(line):
        text = word.text
        if value_due and not word.closed:
            raise ValueError(f"the quote is not closed: {text}")
        if value_due:
            found.append(text)
            value_due = False
        elif text == "--":
            return found, line[word.end :].strip()
        elif _is_option(text):
            found.append(text)
            value_due = takes_value(text)
        elif not named and line[word.start] not in "\"'" and is_model(text, aliases):
            found.append(text)
            named = True
        else:
            return found, line[word.start :].strip()
    return found, ""


def takes_value(flag: str) -> bool:
    """Whether the next word is the value of this option."""
    return flag in _KNOWN and flag not in _VALUELESS


def _is_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and (word[1].isalpha() or word.startswith("--"))


def parse(parser: Any, argv: list[str]) -> argparse.Namespace:
    """The options of a line.

    Raises:
        ValueError: an option is unknown (the nearest one is named), or a word is left over.
        UsageError: a value can't be used.
    """
    parsed, extra = parser.parse_known_args(argv)
    for word in extra:
        if _is_option(word):
            raise ValueError(_unknown(word.partition("=")[0]))
    if extra:
        raise ValueError(
            f"what is {extra[0]!r}? one MODEL and options stand in the first line, the prompt "
            "below it"
        )
    found: argparse.Namespace = parsed
    return found


def _unknown(name: str) -> str:
    near = nearest(name, NAMES, 0.7)
    hint = f"did you mean {near}? " if near else ""
    longest = [flags[-1] for flags in _SHOWN if flags[-1].startswith("-")]
    return f"unknown option {name}; {hint}known are {', '.join(longest)}"
