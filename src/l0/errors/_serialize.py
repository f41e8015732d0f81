"""Failures as stored values: out of an exception, and back into one that classifies alike."""

from __future__ import annotations

from typing import Any

import msgspec

from l0.errors import _tree
from l0.errors._classify import classify
from l0.errors._error import Error, ErrorContext
from l0.errors._retry_after import retry_after
from l0.errors._secrets import text_of
from l0.errors._vocabulary import (
    ErrorCategory,
    ErrorCode,
    NetworkErrorType,
    RetryableErrorType,
)


class SerializedError(msgspec.Struct, frozen=True, omit_defaults=True):
    """A failure as the log keeps it: enough to classify, retry and show it again.

    `name` and `module` are those of the class, `retry_after` is in seconds. The message is kept as
    it was; whoever stores it redacts it.
    """

    name: str
    message: str
    code: ErrorCode | None = None
    category: ErrorCategory = ErrorCategory.MODEL
    status: int | None = None
    network_type: NetworkErrorType | None = None
    reason: RetryableErrorType | None = None
    quota: bool = False
    body_type: str | None = None
    retry_after: float | None = None
    module: str = ""


class RestoredError(Error):
    """A stored failure whose class is not the library's: `name` and `module` say what it was.

    It has the category, reason, status and wait of the original, so that it is retried alike.
    """

    advice = "See the log of the run it was stored with."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        stored: SerializedError | None = None,
    ) -> None:
        super().__init__(message, context)
        self.stored = stored or SerializedError(type(self).__name__, message)

    @property
    def name(self) -> str:
        """Class name of the original."""
        return self.stored.name

    @property
    def category(self) -> ErrorCategory:
        """Category of the original."""
        return self.stored.category

    @property
    def reason(self) -> RetryableErrorType | None:
        """Retry reason of the original."""
        return self.stored.reason

    @property
    def network_type(self) -> NetworkErrorType | None:
        """How the connection failed, if that is what happened."""
        return self.stored.network_type

    @property
    def quota(self) -> bool:
        """Whether the account was exhausted."""
        return self.stored.quota

    @property
    def body_type(self) -> str | None:
        """The provider's own word for the failure."""
        return self.stored.body_type

    def _portrait(self) -> tuple[str, str]:
        return self.name, self.message


def serialize_error(error: BaseException) -> SerializedError:
    """What the log keeps of a failure.

    Example:
        >>> serialize_error(ConnectionResetError("gone")).network_type.value
        'econnreset'
    """
    own = error if issubclass(type(error), Error) and isinstance(error, Error) else None
    if isinstance(own, RestoredError):
        return own.stored
    verdict = classify(error)
    return SerializedError(
        name=type(error).__name__,
        message=text_of(error) if own is None else own.message,
        code=None if own is None else own.code,
        category=verdict.category,
        status=verdict.status,
        network_type=verdict.network_type,
        reason=verdict.reason,
        quota=verdict.quota,
        body_type=verdict.body_type,
        retry_after=retry_after(error),
        module=str(type(error).__module__),
    )


def deserialize_error(stored: SerializedError) -> Error:
    """The failure again: of its own class if that is the library's, else a `RestoredError`.

    Either classifies as the original did.

    Example:
        >>> deserialize_error(serialize_error(KeyError("x"))).category.value
        'internal'
    """
    context = ErrorContext(code=stored.code, status=stored.status, retry_after=stored.retry_after)
    cls = _LIBRARY.get(stored.name) if stored.module.partition(".")[0] == "l0" else None
    if cls is not None:
        extras: dict[str, Any] = {}
        if issubclass(cls, _tree.NetworkError):
            extras["type"] = stored.network_type or NetworkErrorType.UNKNOWN
        elif issubclass(cls, _tree.ProviderError) and stored.body_type is not None:
            extras["body"] = {"type": stored.body_type}
        restored = cls(stored.message, context, **extras)
        if classify(restored).category is stored.category:
            return restored
    return RestoredError(stored.message, context, stored=stored)


def portable(value: Any) -> Any:
    """A value that pickles: other people's exceptions that don't are restored, the rest is told."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(portable, value))
    if value is None or isinstance(value, str | int | float | Error):
        return value
    import pickle  # loaded by whoever pickles

    try:
        # Many exceptions pickle, and fail only when they are built again.
        pickle.loads(pickle.dumps(value))  # noqa: S301  (our own bytes)
    except Exception:  # other people's classes: how they fail to pickle is theirs
        if isinstance(value, BaseException):
            return deserialize_error(serialize_error(value))
        return text_of(value)
    return value


_LIBRARY: dict[str, type[Error]] = {
    name: value
    for name, value in vars(_tree).items()
    if isinstance(value, type) and issubclass(value, Error)
}
