"""What `%l0 COMMAND` does: look at runs, end them, name models, check the installation."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from l0.errors._nearest import nearest
from l0.models import BASE_URLS, KEYS, PROVIDERS, _sim, base_url_of, key_of, parse_model
from l0.notebook import _cell
from l0.notebook._arguments import split_options
from l0.notebook._handle import Handle
from l0.notebook._table import Table
from l0.stream import Stream, run_sync

if TYPE_CHECKING:
    from l0.notebook._magics import L0Magics

Command = Callable[["L0Magics"], Any]


@dataclass(frozen=True, slots=True)
class _Known:
    run: Callable[..., Any]
    usage: str
    about: str
    least: int = 0
    most: int = 0


def find(line: str) -> Command | None:
    """The command that a line begins with; None: it is a prompt.

    Raises:
        ValueError: the command takes other arguments.
    """
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    known = COMMANDS.get(word)
    if known is None:
        near = nearest(word, COMMANDS, 0.8)
        if near and line.strip() == word:
            raise ValueError(
                f"{word} is no command; did you mean {near}? "
                f"commands are {', '.join(COMMANDS)}; "
                f"for a prompt write %l0 -- {line.strip()}"
            )
        return None
    arguments = split_options(line)[1:]
    if not known.least <= len(arguments) <= known.most:
        raise ValueError(
            f"write %l0 {known.usage} ({known.about}); "
            f"for a prompt that begins with {word!r} write %l0 -- {word} …"
        )
    return lambda magics: known.run(magics, *arguments)


# --- runs -----------------------------------------------------------------------------------


def _runs(magics: L0Magics) -> Any:
    from l0.notebook import _frames

    return _frames.runs(_store(magics))


def _show(magics: L0Magics, which: str) -> Any:
    from l0.notebook import _view

    return _view.view(_find_run(magics, which))


def _replay(magics: L0Magics, which: str) -> Any:
    from l0.notebook import _explorer

    return _explorer.replayed(_find_run(magics, which))


def _compare(magics: L0Magics, left: str, right: str) -> Any:
    from l0.notebook import _explorer

    return _explorer.compared(_find_run(magics, left), _find_run(magics, right))


def _find_run(magics: L0Magics, which: str) -> Any:
    """A run of this session by its variable, or a recorded one by its id or the start of it."""
    assert magics.shell is not None
    if which == "last" and magics.last is not None:
        return magics.last
    held = magics.shell.user_ns.get(which)
    if isinstance(held, Handle | Stream):
        return held
    store = _store(magics)
    ids = [each.stream_id for each in run_sync(store.list_streams())]
    found = ids[:1] if which == "last" else [each for each in ids if each.startswith(which)]
    if len(found) != 1:
        few = "no run" if not found else f"{len(found)} runs"
        raise ValueError(
            f"{few} {which!r}; give a variable, a stream id or the start of one, or `last`: "
            "%l0 runs lists them"
        )
    return run_sync(store.get_events(found[0]))


def _store(magics: L0Magics) -> Any:
    from l0.events import get_default_store

    store = get_default_store()
    if store is None:
        raise ValueError(f"runs are not recorded ({magics.store_note}); %l0 log PATH begins that")
    return store


def _stop(magics: L0Magics, which: str | None = None) -> Any:
    """Ends runs; gives what waits until they have ended."""
    assert magics.shell is not None
    running = list(magics.running.values())
    if which is None and len(running) > 1:
        names = ", ".join(handle.name or handle.stream_id for handle in running)
        raise ValueError(f"several runs are on ({names}); write %l0 stop NAME or %l0 stop all")
    if which not in {None, "all"}:
        held = magics.shell.user_ns.get(which)
        found = [h for h in running if h is held or h.stream_id.startswith(str(which))]
        if not found and not isinstance(held, Handle):
            raise ValueError(f"{which!r} is no run; write %l0 stop NAME or %l0 stop all")
        running = found
    for handle in running:
        handle.abort_by("stop")
    told = ", ".join(handle.name or str(handle.model) for handle in running)
    print(f"stopped: {told}" if running else "nothing is running")  # noqa: T201

    async def ended() -> None:
        for handle in running:
            await _cell.until_over(handle)

    return ended()


def _log(magics: L0Magics, path: str | None = None) -> None:
    if path is not None:
        from l0.notebook._recording import record_in

        magics.store_note = record_in(path)
    print(magics.store_note)  # noqa: T201


# --- models ---------------------------------------------------------------------------------


def _models(magics: L0Magics) -> Table:
    rows = [(f"sim:{name}", about) for name, about in _sim.models().items()]
    for provider in KEYS:
        url = base_url_of(provider)
        ready = f"any model of {url or provider}" if key_of(provider) or url else "no key yet"
        rows.append((f"{provider}:…", f"{ready} ({KEYS[provider]})"))
    rows += [(name, f"alias of {target}") for name, target in magics.aliases.items()]
    return Table(("model", "what it is"), rows)


def _alias(magics: L0Magics, name: str | None = None, target: str | None = None) -> Any:
    if name is None:
        return Table(("alias", "model"), list(magics.aliases.items()))
    if target is None:
        if name not in magics.aliases:
            raise ValueError(f"no alias {name!r}; write %l0 alias NAME MODEL to define one")
        del magics.aliases[name]
        print(f"{name} is no alias any more")  # noqa: T201
        return None
    if ":" in name or name in COMMANDS or name in PROVIDERS or name.startswith("-"):
        raise ValueError(f"{name!r} can't be an alias: it means something already")
    magics.aliases[name] = str(parse_model(target, magics.aliases))
    print(f"{name} is {magics.aliases[name]}")  # noqa: T201
    return None


def _chaos(_: L0Magics) -> Table:
    from l0.testing import list_faults

    return Table(("fault", "what happens"), list_faults())


# --- the installation -----------------------------------------------------------------------

_PACKAGES: Final = (
    "l0",
    "IPython",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "pandas",
    "pyarrow",
    "openai",
    "anthropic",
)


def _doctor(magics: L0Magics) -> Table:
    rows = [("Python", f"{platform.python_version()} on {platform.system()}")]
    rows += [(name, _version(name)) for name in _PACKAGES]
    rows.append(("front-end", _front_end(magics.shell)))
    rows.append(("Stop button", _stop_button(magics.shell)))
    rows.append(("runs", magics.store_note))
    for name in (*KEYS.values(), *BASE_URLS.values()):
        rows.append((name, "set" if os.environ.get(name) else "not set"))
    return Table(("what", "as it is"), rows)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed (pip install {name})"


def _front_end(shell: Any) -> str:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return "a terminal, or a shell in a program"
    if "google.colab" in sys.modules:
        return "Colab"
    if "pyodide" in sys.modules:
        return "JupyterLite"
    if any(name.startswith("VSCODE") for name in os.environ):
        return "VS Code"
    headless = not getattr(kernel, "_allow_stdin", True)
    return "headless (nbclient, nbval, nbconvert, papermill)" if headless else "Jupyter"


def _stop_button(shell: Any) -> str:
    kernel = getattr(shell, "kernel", None)
    if not shell.autoawait:
        return "by interrupt only: %autoawait is off"
    if kernel is None:
        return "Ctrl-C"
    version = tuple(int(part) for part in _version("ipykernel").split(".")[:2] if part.isdigit())
    return "at once" if version >= (7, 4) else "by interrupt: ipykernel 7.4 answers at once"


COMMANDS: Final[dict[str, _Known]] = {
    "runs": _Known(_runs, "runs", "the recorded runs, as a DataFrame"),
    "show": _Known(_show, "show RUN", "the view of a run: a variable, its id, or `last`", 1, 1),
    "replay": _Known(_replay, "replay RUN", "the run again, at its own pace or yours", 1, 1),
    "compare": _Known(_compare, "compare A B", "two runs side by side, what differs marked", 2, 2),
    "stop": _Known(_stop, "stop [NAME|all]", "end background runs, keeping their text", 0, 1),
    "models": _Known(_models, "models", "what can stand for MODEL"),
    "alias": _Known(_alias, "alias [NAME [MODEL]]", "a short name for a model", 0, 2),
    "chaos": _Known(_chaos, "chaos", "the faults for --chaos"),
    "log": _Known(_log, "log [PATH]", "where runs are recorded, or from now on", 0, 1),
    "doctor": _Known(_doctor, "doctor", "versions, front-end, which keys are set"),
}
"""Every command by its first word."""
