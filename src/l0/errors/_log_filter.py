"""What the library logs holds no secret: messages and tracebacks of other people's exceptions."""

from __future__ import annotations

import logging

from l0.errors._secrets import redact_text


class SecretFilter(logging.Filter):
    """Takes secrets out of records of the logger `l0`, before any handler sees them.

    A record without one is left as it was. One whose traceback has one keeps the traceback as text,
    in place of the exception, which handlers would write themselves.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without its secrets."""
        try:
            _clean(record)
        except Exception:  # other people's values, which fail to be told: logging says so itself
            return True
        return True


def _clean(record: logging.LogRecord) -> None:
    message = record.getMessage()
    clean = redact_text(message)
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[1] is not None:
        told = logging.Formatter().formatException(record.exc_info)
        clean = redact_text(told)
        if clean != told:
            record.exc_info, record.exc_text = None, clean


def install() -> None:
    """Filter what the library logs, once."""
    log = logging.getLogger("l0")
    if not any(type(each).__name__ == SecretFilter.__name__ for each in log.filters):
        log.addFilter(SecretFilter())
