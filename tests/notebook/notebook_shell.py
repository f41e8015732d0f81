"""A shell of its own for each test, and a view that draws nothing but remembers."""

import builtins
import sys
from types import ModuleType

import pytest


class Display:
    """What `LiveDisplay` promises, written down instead of drawn."""

    made = []
    headless = True
    shown = staticmethod(lambda view: None)

    def __init__(
        self, stream, *, model, fallbacks, format, notes, quiet, on_stop, background, shell
    ):
        self.stream, self.model, self.format, self.notes = stream, model, format, list(notes)
        self.fallbacks = fallbacks
        self.quiet, self.stop, self.background = quiet, on_stop, background
        self.calls, self.error = [], None
        self.made.append(self)

    def show(self):
        self.calls.append("show")
        self.shown(self)

    async def finish(self, error=None):
        self.calls.append("finish")
        self.error = error

    def republish(self):
        self.calls.append("republish")


class Cells:
    """Runs cells as a notebook does, and keeps what they printed."""

    def __init__(self, shell, capsys, monkeypatch):
        self.shell, self.capsys, self.monkeypatch = shell, capsys, monkeypatch
        self.ns, self.out, self.err = shell.user_ns, "", ""

    def __call__(self, source):
        """The result of a cell that must succeed."""
        result = self.run(source)
        assert result.success, self.out + self.err
        return result.result

    def run(self, source):
        self.capsys.readouterr()
        result = self.shell.run_cell(source, store_history=True)
        self.out, self.err = self.capsys.readouterr()
        return result

    def usage_error(self, source):
        """The one line of a cell that is used wrongly."""
        result = self.run(source)
        assert type(result.error_in_exec).__name__ == "UsageError", self.out + self.err
        assert self.err.count("\n") == 1
        return self.err.removeprefix("UsageError: ").strip()

    def set_views(self, *, headless=True, shown=lambda view: None):
        """What the views to come are like; `shown` is called with each."""
        self.monkeypatch.setattr(Display, "headless", headless)
        self.monkeypatch.setattr(Display, "shown", staticmethod(shown))

    @property
    def magics(self):
        """The magics of the extension."""
        return self.shell._l0_extension.magics

    @property
    def view(self):
        """The view of the latest run."""
        return Display.made[-1]


@pytest.fixture
def cells(shell, capsys, monkeypatch):
    """A shell with the extension loaded and views that draw nothing."""
    double = ModuleType("l0.notebook._display")
    double.LiveDisplay = Display
    monkeypatch.setitem(sys.modules, double.__name__, double)
    monkeypatch.setattr(Display, "made", [])
    cells = Cells(shell, capsys, monkeypatch)
    cells("%load_ext l0")
    return cells


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """An IPython shell in this process, without files, history or anybody's configuration."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("L0_STORE", str(tmp_path / "runs.db"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delattr(builtins, "_", raising=False)  # doctests leave it, and IPython yields to it
    from IPython.core import async_helpers
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=config)
    yield made
    from l0.notebook import unload

    unload(made)
    loop = async_helpers._asyncio_event_loop
    if loop is not None and not loop.is_closed():
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    made.restore_sys_module_state()
    InteractiveShell.clear_instance()
