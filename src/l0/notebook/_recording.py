"""Where the runs of a notebook are recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "L0_STORE"
"""Names another place than the user's data directory; `none` records nothing."""

_opened: list[Any] = []  # stores of ours, to be closed at unload


def begin() -> tuple[str, str | None]:
    """Open the store of this user; where runs are recorded, and what is wrong with that, if it is.

    A store that was set before stays.
    """
    from l0.events import get_default_store

    wanted = os.environ.get(VARIABLE, "").strip()
    try:
        present = get_default_store()
        if present is not None:
            return f"runs are recorded in {present}", None
        if wanted == "none":
            return f"{VARIABLE}=none", None
        return record_in(wanted or str(_default_path())), None
    except Exception as error:  # the magics work without a store; the person is told once
        note = f"{type(error).__name__}: {error}"
        return note, f"runs are not recorded ({note}); set {VARIABLE} to a path, or to none"


def record_in(place: str) -> str:
    """Record runs here from now on: a .db file, a directory for JSONL files, or a URL.

    Raises:
        ValueError: it can't be opened there.
    """
    from l0.errors import StoreError
    from l0.events import open_store, set_default_store

    try:
        store = open_store(_url(place))
    except (StoreError, OSError) as error:
        raise ValueError(f"{place} can't be used: {error}") from None
    set_default_store(store)
    _opened.append(store)
    return f"runs are recorded in {place}"


def end() -> None:
    """Close what was opened here; later runs are recorded nowhere."""
    from l0.events import get_default_store, set_default_store
    from l0.stream import run_sync

    if _opened and get_default_store() in _opened:
        set_default_store(None)
    while _opened:
        run_sync(_opened.pop().close())


def _url(place: str) -> str:
    if ":" in place[2:]:
        return place
    path = Path(place).expanduser()
    if path.suffix in {".jsonl", ".json", ".csv"}:
        raise ValueError(f"{place}: name a .db file, or a directory for one JSONL file a run")
    database = path.suffix.lower() in {".db", ".sqlite", ".sqlite3"}
    (path.parent if database else path).mkdir(parents=True, exist_ok=True)
    return str(path)


def _default_path() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "l0" / "runs.db"
