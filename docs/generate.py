"""Write the tables of the pages that the code can say itself: `python docs/generate.py [--check]`.

A table stands between `<!-- generated: name -->` and `<!-- end: name -->`. `--check` writes nothing
and fails when a page is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from l0 import errors, guardrails
from l0.errors import Error, classify
from l0.events import Payload, catalog, folds
from l0.guardrails._drift_config import CONFIDENCE
from l0.notebook._arguments import OPTIONS
from l0.notebook._commands import COMMANDS
from l0.stream import Retry
from l0.testing import SIM_MODELS, http_error, list_faults

PAGES = Path(__file__).resolve().parent
NONE = "\N{EN DASH}"
MARKED = re.compile(r"<!-- generated: (\w+) -->\n.*?<!-- end: \1 -->\n", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write every page that is out of date, or only name them; the exit status."""
    stale = out_of_date()
    if "--check" in arguments:
        for page in stale:
            print(f"{page.name} is out of date: run python docs/generate.py")
        return 1 if stale else 0
    for page, text in stale.items():
        page.write_text(text, encoding="utf-8")
        print(f"{page.name} is written")
    return 0


def out_of_date() -> dict[Path, str]:
    """The pages whose tables are not what the code says, each with what it should be."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        fresh = MARKED.sub(_section, text)
        if fresh != text:
            found[page] = fresh
    return found


def _section(found: re.Match[str]) -> str:
    name = found[1]
    if name not in TABLES:
        raise ValueError(f"no table {name!r}; there are {', '.join(TABLES)}")
    return f"<!-- generated: {name} -->\n{TABLES[name]()}<!-- end: {name} -->\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars in cells are escaped, code spans included, as GitHub reads them."""
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + " --- |" * (lines[0].count("|") - 1))
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


# --- events ---------------------------------------------------------------------------------


def events() -> str:
    """Every event type: what it says, when it is emitted."""
    own = [cls for cls in catalog().values() if cls.__module__.startswith("l0.")]
    return table(
        ("type", "payload", "emitted"),
        (
            (f"`{cls.type}`" + (" ●" if folds(cls) else ""), _fields(cls), _first_paragraph(cls))
            for cls in own
        ),
    )


def _fields(cls: type[Payload]) -> str:
    hints = typing.get_type_hints(cls)
    shown = []
    for field in msgspec.structs.fields(cls):
        hint = hints[field.name]
        optional = isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint)
        shown.append(field.name + ("?" if optional else ""))
    return ", ".join(shown)


def _first_paragraph(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# --- the notebook ---------------------------------------------------------------------------


def options() -> str:
    """The options of `%%l0`."""
    rows = []
    for flags, about in OPTIONS:
        help_ = about.get("help", "")
        if help_ == "==SUPPRESS==":
            continue
        name = ", ".join(f"`{flag}`" for flag in flags)
        metavar = about.get("metavar")
        if flags == ("model",):
            name = "`MODEL`"
        elif metavar:
            name += f" `{metavar}`"
        elif "choices" in about:
            name += f" `{'|'.join(about['choices'])}`"
        rows.append((name, help_.replace("%%", "%")))
    return table(("option", "meaning"), rows)


def commands() -> str:
    """The commands of `%l0`."""
    return table(
        ("command", "what it does"),
        ((f"`%l0 {known.usage}`", known.about) for known in COMMANDS.values()),
    )


def defaults() -> str:
    """What `%config L0Magics` can set, from the traits themselves."""
    from l0.notebook._magics import L0Magics

    traits = L0Magics.class_traits(config=True)
    own = [name for name in vars(L0Magics) if name in traits]
    return table(
        ("`%config L0Magics.…`", "default", "meaning"),
        ((f"`{name}`", f"`{traits[name].default()!r}`", _setting(traits[name])) for name in own),
    )


def _setting(trait: typing.Any) -> str:
    """What a setting means, and what it may be."""
    values = getattr(trait, "values", ())
    choices = f" One of {', '.join(f'`{value}`' for value in values)}." if values else ""
    return f"{trait.help}{choices}"


def models() -> str:
    """The sim models."""
    return table(
        ("model", "what it says"), ((f"`sim:{name}`", about) for name, about in SIM_MODELS.items())
    )


# --- testing, guardrails, retries -------------------------------------------------------------


def faults() -> str:
    """The faults of the fault server."""
    return table(("fault", "what happens"), ((f"`{name}`", about) for name, about in list_faults()))


def presets() -> str:
    """The rule sets."""
    names = "none minimal recommended strict json_only markdown_only latex_only"
    return table(("preset", "rules", "in words"), map(_preset, names.split()))


def _preset(name: str) -> tuple[str, str, str]:
    make = getattr(guardrails.Guardrails, name)
    rules = ", ".join(rule.name for rule in make()) or NONE
    return f"`Guardrails.{name}()`", rules, _first_paragraph(make)


def drift() -> str:
    """The kinds of drift and how sure a hit of each is."""
    wanted = guardrails.DriftConfig().threshold
    said = dict(
        re.findall(r"detect_(\w+): (.+?)(?=\n)", inspect.getdoc(guardrails.DriftConfig) or "")
    )
    return table(
        ("kind", "what it is", "confidence", "by default"),
        (
            (f"`{kind}`", said[kind].rstrip("."), f"{sure:g}", "acts" if sure >= wanted else "told")
            for kind, sure in CONFIDENCE.items()
        ),
    )


def retries() -> str:
    """The retry presets."""
    names = ("none", "minimal", "recommended", "strict", "exponential", "mobile", "edge")
    rows = []
    for name in names:
        made: Retry = getattr(Retry, name)()
        rows.append(
            (
                f"`Retry.{name}()`",
                f"{made.attempts} / {made.max_retries}",
                str(made.backoff) if made.max_retries else NONE,
                f"{made.base_delay:g} s, at most {made.max_delay:g} s"
                if made.max_retries
                else NONE,
            )
        )
    return table(("preset", "attempts / max_retries", "backoff", "delay"), rows)


# --- errors ---------------------------------------------------------------------------------


def tree() -> str:
    """The error tree, as its module draws it."""
    drawn = (inspect.getdoc(sys.modules["l0.errors._tree"]) or "").split("\n\n")[1]
    return "```text\n" + inspect.cleandoc(drawn) + "\n```\n"


def codes() -> str:
    """Every error class with a code: category, reason, whether it is retried."""
    rows = []
    for name in errors.__all__:
        cls = getattr(errors, name)
        if not (inspect.isclass(cls) and issubclass(cls, Error)) or cls.default_code is None:
            continue
        if cls.__name__ != name or "default_code" not in vars(cls):
            continue
        found = classify(cls("message"))
        reason = NONE if found.reason is None else f"`{found.reason.value}`"
        rows.append((f"`{name}`", f"`{cls.default_code.value}`", found.category.value, reason))
    return table(("class", "code", "category", "reason of its retry"), sorted(rows))


def statuses() -> str:
    """What HTTP statuses mean for a retry."""
    shown = (400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 529)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for status in shown:
        found = classify(http_error(status))
        reason = NONE if found.reason is None else f"`{found.reason.value}`"
        verdict = (found.category.value, reason, "yes" if found.retryable else "no")
        groups.setdefault(verdict, []).append(status)
    quota = classify(http_error(429, code="insufficient_quota"))
    rows = [
        (", ".join(map(str, group)), category, reason, retried)
        for (category, reason, retried), group in groups.items()
    ]
    retried = "yes" if quota.retryable else "no"
    rows.append(("429 with a quota code", quota.category.value, NONE, retried))
    return table(("status", "category", "reason", "retried"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "events": events,
    "options": options,
    "commands": commands,
    "defaults": defaults,
    "models": models,
    "faults": faults,
    "presets": presets,
    "drift": drift,
    "retries": retries,
    "tree": tree,
    "codes": codes,
    "statuses": statuses,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
