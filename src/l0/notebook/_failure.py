"""Failures as a notebook shows them: a few lines that say what to do, and no key in any."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from l0.errors import Error, ErrorCategory, classify
from l0.errors._secrets import redact_text
from l0.models import KEYS
from l0.notebook._rows import without_own_keys

if TYPE_CHECKING:
    from l0.notebook._handle import Handle


class RunInterrupted(KeyboardInterrupt):
    """The kernel was interrupted while a cell waited for a run; the run is aborted.

    It ends the cell and, as any interrupt, a Run All, with one line and no traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}"]


def interrupted(handle: Handle) -> RunInterrupted:
    """What ends the cell whose run was interrupted."""
    count = handle.state.token_count
    kept = f"{handle.name}.text holds it" if handle.name else "%l0 show last shows it"
    return RunInterrupted(f"the run was aborted after {count} tokens; {kept}")


def shown(error: BaseException, handle: Handle) -> BaseException:
    """The same exception, which notebooks now show in a few lines.

    One whose text holds a key is replaced, because the text itself is stored in the notebook.
    """
    text = without_keys(str(error))
    if text != str(error):
        error = Error(text).with_traceback(None)
    lines = [f"{type(error).__name__}: {text}", _where(handle)]
    if not getattr(handle.display, "on_page", False):  # where the view doesn't say it
        lines.insert(1, f"What to do: {advice(error)}")
    try:
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    except (AttributeError, TypeError):  # a class without room for it is shown in full
        pass
    return error


def _where(handle: Handle) -> str:
    tries = len(handle.errors)
    failed = f"{tries} attempt{'' if tries == 1 else 's'} failed; " if tries else ""
    return f"{failed}stream {handle.stream_id}"


def without_keys(text: str) -> str:
    """A text without the keys of this process, and without anything that has the shape of one."""
    return redact_text(without_own_keys(text))


def advice(error: BaseException) -> str:
    """What a person can do about a failure, the library's or the provider's."""
    if isinstance(error, Error):
        return error.advice
    found = classify(error)
    if found.status in _BY_STATUS:
        return _BY_STATUS[found.status]
    if found.quota:
        return "The account's quota is used up: see its billing page, or name a fallback with -f."
    if found.category is ErrorCategory.NETWORK:
        where = next((url for url in _addresses() if url), None)
        reach = f"Is {where} up and reachable?" if where else "Is the network up?"
        return f"{reach} --retry tries more often, -f names another model."
    if found.retryable:
        return "Try again later, raise --retry, or name another model with -f."
    return "The cause is in `errors` of the handle, the story in `%l0 show last`."


_BY_STATUS: dict[Any, str] = {
    400: "The provider refused the request: see the message, then the options and -p.",
    401: f"The provider refused the key: check {' or '.join(KEYS.values())}.",
    403: "The key may not use this model: check the account, or name another model.",
    404: "The provider doesn't know the model: check its name and the base URL.",
    422: "The provider refused the request: see the message, then the options and -p.",
}


def _addresses() -> list[str | None]:
    return [os.environ.get("OPENAI_BASE_URL"), os.environ.get("ANTHROPIC_BASE_URL")]
