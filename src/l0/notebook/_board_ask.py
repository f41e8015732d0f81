"""From the options of a cell to several runs that are ready to start side by side."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from l0.models import DEFAULT, Script
from l0.notebook._ask import Asked, Setting, prepare
from l0.notebook._board_group import Group
from l0.notebook._board_handle import BoardHandle
from l0.notebook._interpolate import interpolate

MOST: Final = 24
"""Runs side by side: more than a page can show, or a provider likes."""


def asks_several(parsed: Namespace) -> bool:
    """Whether these options ask for more than one run."""
    return bool(parsed.n and parsed.n > 1) or parsed.race or parsed.consensus


def prepare_board(
    parsed: Namespace, prompt: str, names: Mapping[str, Any], setting: Setting
) -> Asked:
    """The runs that a cell asks for; nothing is opened yet.

    With `--race` and `--consensus` each model, fallbacks included, is a run of its own, `-n` times;
    with `-n` alone each run has the model and all its fallbacks.

    Raises:
        ValueError: there is one run only, or too many; or whatever is wrong with one of them.
    """
    _check(parsed)
    parsed, prompt, notes = _filled(parsed, prompt, names)
    kind = "race" if parsed.race else "consensus" if parsed.consensus else "parallel"
    asked = [
        prepare(Namespace(**{**vars(parsed), **one}), prompt, names, setting)
        for one in _runs(parsed, setting)
    ]
    if len(asked) > MOST:
        raise ValueError(f"{len(asked)} runs are too many; a board shows at most {MOST}")
    handles = [each.handle for each in asked]
    first = handles[0]
    group = Group(kind, [handle.stream for handle in handles], labels_of(handles))
    for handle in handles:
        handle.started = True  # by the group, not by whoever awaits it
    board = BoardHandle(
        group,
        handles,
        prompt=first.prompt,
        model=", ".join(dict.fromkeys(str(handle.model) for handle in handles)),
        format=first.format,
        name=parsed.out,
    )
    board.raise_on_abort = first.raise_on_abort
    for each in asked:
        notes += [note for note in each.notes if note not in notes]
    scripts = [each.script for each in asked if each.script is not None]
    return Asked(board, _Scripts(scripts) if scripts else None, notes)


def labels_of(handles: Sequence[Any]) -> list[str]:
    """Their models' names, numbered where several runs have the same one.

    >>> from types import SimpleNamespace as Run
    >>> labels_of([Run(model="a"), Run(model="b"), Run(model="a")])
    ['a · 1', 'b', 'a · 2']
    """
    total = Counter(str(handle.model) for handle in handles)
    seen: Counter[str] = Counter()
    labels = []
    for handle in handles:
        name = str(handle.model)
        seen[name] += 1
        labels.append(f"{name} · {seen[name]}" if total[name] > 1 else name)
    return labels


def _check(parsed: Namespace) -> None:
    if parsed.race and parsed.consensus:
        raise ValueError("--race takes the first answer, --consensus compares all; say one of them")
    count = parsed.n or 1
    if (parsed.race or parsed.consensus) and count < 2 and not parsed.fallback:
        word = "--race" if parsed.race else "--consensus"
        raise ValueError(f"{word} needs two runs at least: name another model with -f, or say -n 3")


def _filled(
    parsed: Namespace, prompt: str, names: Mapping[str, Any]
) -> tuple[Namespace, str, list[str]]:
    """The options and the prompt with their {expressions} read once, for all runs the same."""
    notes: list[str] = []

    def filled(text: str | None) -> str | None:
        if text is None or parsed.raw or "{" not in text:
            return text
        found = interpolate(text, names)
        notes.extend(note for note in found.notes if note not in notes)
        return found.text

    told = {
        **vars(parsed),
        "model": filled(parsed.model),
        "fallback": [filled(each) for each in parsed.fallback or ()],
        "system": filled(parsed.system),
        "raw": True,
    }
    return Namespace(**told), filled(prompt) or "", notes


def _runs(parsed: Namespace, setting: Setting) -> list[dict[str, Any]]:
    """What is different from run to run."""
    count = parsed.n or 1
    model = parsed.model or setting.model or DEFAULT
    if not (parsed.race or parsed.consensus):
        return [{"model": model}] * count
    return [
        {"model": each, "fallback": None}
        for each in (model, *parsed.fallback)
        for _ in range(count)
    ]


class _Scripts(Script):
    """The scripts of all runs, told as one how fast to talk."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._all = scripts
        super().__init__()

    @property
    def speed(self) -> float | None:
        """Tokens a second of each run."""
        return self._all[0].speed

    @speed.setter
    def speed(self, speed: float | None) -> None:
        for script in self._all:
            script.speed = speed
