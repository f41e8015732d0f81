"""The library's log on the terminal, for a look at what goes on."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from l0.events._redact import as_redactor

log = logging.getLogger("l0")
log.addHandler(logging.NullHandler())  # a library says nothing unless it is asked to


def enable_debug() -> None:
    """Write everything on the logger `l0` to stderr; calling it again adds nothing.

    Secrets are taken out of the lines.

    Example:
        >>> enable_debug()
        >>> import logging
        >>> log = logging.getLogger("l0")
        >>> log.isEnabledFor(logging.DEBUG)
        True
        >>> log.setLevel(logging.WARNING)  # quieter again
    """
    log.setLevel(logging.DEBUG)
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what stderr is at the moment, which a notebook or a test may change."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(_Clean("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @property
    def stream(self) -> TextIO:
        return sys.stderr


class _Clean(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        redactor = as_redactor(True)
        assert redactor is not None
        return redactor.text(super().format(record))
