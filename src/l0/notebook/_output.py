"""One output of a cell: a widget while something happens, static HTML when it is over."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final, Protocol
from uuid import uuid4

from l0.notebook._bridge import Bridge
from l0.notebook._where import get_shell, where

log = logging.getLogger("l0")

_KEPT: Final = 8
"""Widgets of what has ended that stay open for pages that come back."""

_late: deque[LiveWidget] = deque()


class LiveWidget(Protocol):
    """The live half of an output."""

    @property
    def bridge(self) -> Bridge:
        """What tells the page."""

    @property
    def bundle(self) -> dict[str, Any]:
        """What a front-end needs to show it."""

    def finish(self) -> None:
        """It is over: leave the whole state in the widget."""

    def close(self) -> None:
        """Its views on the page disappear."""


class Output(ABC):
    """What a cell shows of something that takes a while; subclasses say what that is.

    Args:
        quiet: show nothing.
        shell: the IPython shell, where it is not the present one.
    """

    def __init__(self, *, quiet: bool = False, shell: Any = None) -> None:
        self.view: LiveWidget | None = None
        self._quiet = quiet
        self._shell = shell if shell is not None else get_shell()
        self._where = where(self._shell)
        self._display_id = uuid4().hex
        self._begun_in: object = None
        self._shown_in: object = None  # the cell that has the final output
        self._over = False

    @abstractmethod
    def _static(self, *, timeless: bool) -> dict[str, str]:
        """As HTML and text, as of now."""

    @abstractmethod
    def _open(self) -> LiveWidget:
        """The live view."""

    @abstractmethod
    def _tell(self, error: BaseException | None) -> None:
        """It is over, perhaps because of this."""

    @property
    def headless(self) -> bool:
        """Whether nobody watches: no widget, one output at the end, the same in each execution."""
        return self._where == "headless"

    @property
    def on_page(self) -> bool:
        """Whether a person sees it, and in it what a failed run is about."""
        return self._where == "page" and not self._quiet

    def show(self) -> None:
        """Begin: a widget where a person watches, nothing yet elsewhere."""
        self._begun_in = self._cell()
        if self._quiet or self._where != "page":
            return
        bundle: dict[str, Any] = dict(self._bundle())
        try:
            self.view = self._open()
            bundle |= self.view.bundle
        except Exception:  # without a widget it is shown when it is over
            log.warning("the live view can't be shown; `%l0 doctor` says why", exc_info=True)
        self._publish(bundle)

    async def finish(self, error: BaseException | None = None) -> None:
        """It is over: what is shown of it stays as it is from now on."""
        if self._over:
            return
        self._over = True
        self._tell(error)
        if self.view is not None:
            self.view.finish()
        if not self._quiet:
            self._conclude()
        if self.view is not None:
            _let_go(self.view)

    def republish(self) -> None:
        """Show the final output in the present cell, unless it stands there already."""
        if self._quiet or self._where == "none" or self._shown_in == self._cell():
            return
        self._shown_in = self._cell()
        self._publish(self._bundle(), new=True)

    def _conclude(self) -> None:
        if self._where == "page":
            self._shown_in = self._begun_in
            self._publish(self._bundle(), update=True)
        elif self._where != "none" and self._begun_in == self._cell():
            # A cell that is over takes no more output from a headless client or a terminal.
            self._shown_in = self._begun_in
            self._publish(self._bundle(), new=True)

    def _cell(self) -> object:
        return getattr(self._shell, "execution_count", None)

    def _bundle(self) -> dict[str, str]:
        return self._static(timeless=self.headless)

    def _publish(self, data: dict[str, Any], *, update: bool = False, new: bool = False) -> None:
        """Hand a bundle to IPython; `new`: an output of its own, which nothing replaces."""
        if self._shell is None:
            return
        if self._where == "terminal":
            data = {"text/plain": data["text/plain"]}
        transient = {} if new else {"display_id": self._display_id}
        self._shell.display_pub.publish(data=data, metadata={}, transient=transient, update=update)


def _let_go(view: LiveWidget) -> None:
    """Say nothing more. The latest widgets stay open: updates of a display do not reach a page
    that was away when its run ended, and there the saved output still asks for the widget.
    """
    view.bridge.close()
    _late.append(view)
    while len(_late) > _KEPT:
        _late.popleft().close()
