"""The explorer as a widget: what the page asks, the kernel answers; the page is `explorer.ts`.

Each request carries a number `n`, which its answer repeats; the page asks again when none comes.

| request | answer |
| --- | --- |
| `list`: `text`, `status`, `model`, `sort`, `down`, `from`, `count`, `refresh` | `rows` |
| `open`: `id`, `part` | `rows` of one run, a part at a time, with its `facts` |
| `diff`: `sides`, two of `[id, attempt]`, attempt 0 being the text that stands | `parts` |
| `keep` | none: the view becomes static |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from l0.notebook._bridge import _clean
from l0.notebook._explorer_diff import compared
from l0.notebook._explorer_opened import Opened
from l0.notebook._explorer_runs import Line, Runs
from l0.notebook._explorer_static import EMPTY, facts_of, money, spent
from l0.notebook._static import NAMES
from l0.notebook._stream import STATIC, extras

log = logging.getLogger("l0")

COUNT: Final = 100
"""Lines in one answer, where the page does not say."""

_KEPT: Final = 4  # opened runs that are remembered
_LONG: Final = 400  # characters of a prompt or an error in a line
_NO_RUNS: Final = f"{EMPTY}. Refresh looks again."
_NO_MATCH: Final = "No run matches the filters."

_STATUSES: Final = {name: status for status, name in NAMES.items()}

Message = dict[str, Any]


class Desk:
    """Answers what a page asks about runs.

    Args:
        runs: all of them.
        known: runs that are opened already.
        keep: called when the page asks for the static form.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> Desk(Runs(InMemoryEventStore())).answer({"type": "list", "n": 1})["total"]
        0
    """

    def __init__(
        self,
        runs: Runs,
        known: dict[str, Opened] | None = None,
        *,
        keep: Callable[[], Any] | None = None,
    ) -> None:
        self.runs = runs
        self._opened = dict(known or {})
        self._fixed = frozenset(self._opened)
        self.keep = keep

    def answer(self, message: Any) -> Message | None:
        """The answer to a request; None where there is none to give."""
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "keep" and self.keep is not None:
            self.keep()
        if not isinstance(kind, str) or kind not in _ANSWERS:
            return None
        head = {"type": kind, "n": message.get("n")}
        try:
            told: Message = _ANSWERS[kind](self, message)
        except Exception as error:  # whatever is wrong with a store, the page is told
            log.debug("the explorer could not answer %r", kind, exc_info=True)
            told = {"error": str(error) or type(error).__name__}
        answer: Message = _clean({**head, **told})
        return answer

    def table(self, message: Message) -> Message:
        """A part of the table as the page wants it."""
        runs = self.runs
        if message.get("refresh") or runs.is_cheap:
            runs.refresh()
            for stream_id in set(self._opened) - self._fixed:
                del self._opened[stream_id]
        found = runs.find(
            str(message.get("text") or ""),
            status=_STATUSES.get(str(message.get("status")), str(message.get("status") or "")),
            model=str(message.get("model") or ""),
            sort=str(message.get("sort") or "started"),
            down=bool(message.get("down", True)),
        )
        begin = max(0, int(message.get("from") or 0))
        count = min(max(1, int(message.get("count") or COUNT)), 500)
        return {
            "from": begin,
            "rows": [_plain(line) for line in found[begin : begin + count]],
            "total": len(found),
            "all": len(runs.lines),
            "empty": _NO_MATCH if runs.lines else _NO_RUNS,
            "statuses": _choices(NAMES.get(line.status, line.status) for line in runs.lines),
            "models": _choices(line.model for line in runs.lines),
            "costs": any(line.cost is not None for line in runs.lines),
        }

    def run(self, message: Message) -> Message:
        """A part of one run."""
        opened = self.opened(str(message.get("id")))
        parts = opened.parts
        part = min(max(0, int(message.get("part") or 0)), len(parts) - 1)
        told = {"id": message.get("id"), "part": part, "parts": len(parts), "rows": parts[part]}
        return told if part else {**told, "facts": opened.facts()}

    def diff(self, message: Message) -> Message:
        """Two texts word by word."""
        (left, first), (right, second) = message["sides"]
        parts, alike = compared(
            self.opened(str(left)).text_of(first or None),
            self.opened(str(right)).text_of(second or None),
        )
        return {"parts": [list(part) for part in parts], "alike": alike}

    def texts(self, ids: list[str]) -> list[Message]:
        """The texts of runs, to choose from."""
        told = []
        for name, stream_id in zip("AB", ids, strict=False):
            opened = self.opened(stream_id)
            *attempts, stands = opened.texts()
            told.append({**stands, "text": f"{name} · {facts_of(opened)}"})
            if len(attempts) > 1:
                told += [{**each, "text": f"{name} · {each['text']}"} for each in attempts]
        return told

    def opened(self, stream_id: str) -> Opened:
        """A run in full; the latest few are remembered."""
        found = self._opened.pop(stream_id, None) or self.runs.open(stream_id)
        self._opened[stream_id] = found  # the latest one last
        rest = [each for each in self._opened if each not in self._fixed]
        for each in rest[:-_KEPT]:
            del self._opened[each]
        return found


_ANSWERS: Final[dict[str, Callable[[Desk, Message], Message]]] = {
    "list": Desk.table,
    "open": Desk.run,
    "diff": Desk.diff,
}


def _plain(line: Line) -> Message:
    """A line as the page draws it: its texts in the order of the columns.

    When it started is a number, for the clock of the page.
    """
    texts = [text for text in (line.prompt, line.error) if text]
    cells = [
        NAMES.get(line.status, line.status),
        line.model or "",
        " · ".join(text if len(text) <= _LONG else text[:_LONG] + "…" for text in texts),
        str(line.attempts),
        f"{line.token_count:,}",
        spent(line.first_token),
        spent(line.duration),
        "" if line.cost is None else money(line.cost),
    ]
    return {"id": line.id, "status": line.status, "started": line.started, "cells": cells}


def _choices(values: Any) -> list[str]:
    return sorted({value for value in values if value})


@cache
def widget_class() -> type[Any]:
    """The anywidget class, made when the first explorer is shown.

    Raises:
        ImportError: anywidget is not installed.
    """
    import anywidget
    import traitlets

    class ExplorerWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """Runs, as a table, one by one, or two side by side."""

        _esm = STATIC / "explorer.js"
        _css = STATIC / "explorer.css"

        mode = traitlets.Unicode("runs").tag(sync=True)
        """`runs`, `run` (one alone) or `compare` (two side by side)."""
        ids: Any = traitlets.List().tag(sync=True)
        """The runs that are open from the beginning."""
        table = traitlets.Dict().tag(sync=True)
        """The first answer, so that the page needn't ask for it."""
        texts: Any = traitlets.List().tag(sync=True)
        """What two runs side by side have to choose from."""
        extras: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
        """What draws code, marks findings and copies the text, once a run is opened."""
        can_keep = traitlets.Bool().tag(sync=True)
        """Whether there is an output that its static form could replace."""

        def __init__(self, desk: Desk, mode: str, ids: list[str]) -> None:
            self._desk = desk
            table = desk.answer({"type": "list", "n": 0}) if mode == "runs" else None
            texts = desk.texts(ids) if mode == "compare" else []
            keeps = desk.keep is not None
            super().__init__(mode=mode, ids=ids, table=table or {}, texts=texts, can_keep=keeps)
            self.on_msg(self._hear)

        def _hear(self, _: Any, content: Any, __: Any) -> None:
            answer = self._desk.answer(content)
            if answer is not None and self.comm is not None:
                if answer["type"] == "open" and self.extras is None:
                    self.extras = extras()
                self.send(answer)

        def __repr__(self) -> str:
            return f"<l0 explorer, {self.mode}>"

    return ExplorerWidget
