"""What `%load_ext l0` adds to a shell, and `%unload_ext l0` takes away."""

from __future__ import annotations

from typing import Any, Final

_NAME: Final = "_l0_extension"


class _Extension:
    """Everything added to one shell."""

    def __init__(self, shell: Any) -> None:
        from l0.notebook import _cell, _complete, _recording
        from l0.notebook._magics import L0Magics, warn
        from l0.notebook._transform import AwaitCells, keep_questions

        self.shell = shell
        self.magics = L0Magics(shell)
        self.awaits = AwaitCells(shell)
        self.questions = keep_questions
        self.note_cell = _cell.note_cell
        self.matcher = _complete.matcher(self.magics)
        shell.register_magics(self.magics)
        shell.input_transformers_cleanup.append(self.questions)
        shell.input_transformers_post.append(self.awaits)
        shell.events.register("pre_execute", self.note_cell)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(self.matcher)
        _cell.note_cell()
        self.magics.store_note, trouble = _recording.begin()
        if trouble is not None:
            warn(trouble)

    def remove(self) -> None:
        from l0.models import _sim
        from l0.notebook import _recording

        shell, magics = self.shell, self.magics
        for handle in list(magics.running.values()):
            handle.abort_by("user")
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop("l0", None)
        shell.magics_manager.registry.pop(type(magics).__name__, None)
        _take(shell.configurables, magics)
        _take(shell.input_transformers_cleanup, self.questions)
        _take(shell.input_transformers_post, self.awaits)
        if self.note_cell in shell.events.callbacks["pre_execute"]:
            shell.events.unregister("pre_execute", self.note_cell)
        if shell.Completer is not None:
            _take(shell.Completer.custom_matchers, self.matcher)
        magics.clients.close()
        _sim.close()
        _recording.end()


def load(ipython: Any) -> None:
    """Add the magics, their completion and the await cells to a shell; twice changes nothing.

    Example:
        >>> from IPython.core.interactiveshell import InteractiveShell
        >>> from l0.notebook import load, unload
        >>> shell = InteractiveShell()
        >>> load(shell)
        >>> "l0" in shell.magics_manager.magics["cell"]
        True
        >>> unload(shell)
    """
    if getattr(ipython, _NAME, None) is None:
        setattr(ipython, _NAME, _Extension(ipython))


def unload(ipython: Any) -> None:
    """Take away everything that `load` added, ending the runs that are still on.

    Example:
        >>> from IPython.core.interactiveshell import InteractiveShell
        >>> from l0.notebook import load, unload
        >>> shell = InteractiveShell()
        >>> load(shell)
        >>> unload(shell)
        >>> "l0" in shell.magics_manager.magics["cell"]
        False
    """
    extension = getattr(ipython, _NAME, None)
    if extension is not None:
        setattr(ipython, _NAME, None)
        extension.remove()


def _take(values: list[Any], value: Any) -> None:
    """Remove one value by identity: magics compare by their traits."""
    values[:] = [each for each in values if each is not value]
