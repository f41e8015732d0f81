"""The base of every library error, and what it knows about the run that failed."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from l0.errors._secret_shapes import REPLACEMENT
from l0.errors._secrets import is_secret, redact_text, redacted, text_of
from l0.errors._vocabulary import (
    ErrorCategory,
    ErrorCode,
    NetworkErrorType,
    RetryableErrorType,
    get_error_category,
    reason_of,
)

E = TypeVar("E", bound="Error")


class RecoveryPolicy(msgspec.Struct, frozen=True):
    """What recovery was still possible when an attempt failed; part of the ERROR event."""

    retry_enabled: bool = False
    fallback_enabled: bool = False
    max_retries: int = 0
    max_fallbacks: int = 0
    attempt: int = 1
    fallback_index: int = 0


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """What was known about the run when it failed.

    `checkpoint` and `partial_text` are texts, `content_length` counts characters, `retry_after` is
    in seconds, `attempt` counts from 1. `metadata` is the library's, `meta` the caller's. A code
    given to a class that has its own gives way to it.

    Raises:
        ValueError: `code` is no `ErrorCode`.

    Example:
        >>> ErrorContext(attempt=2, checkpoint="Hello").replace(attempt=3).attempt
        3
    """

    code: ErrorCode | None = None
    checkpoint: str | None = None
    partial_text: str | None = None
    token_count: int | None = None
    content_length: int | None = None
    model_retry_count: int | None = None
    network_retry_count: int | None = None
    fallback_index: int | None = None
    attempt: int | None = None
    stream_id: str | None = None
    status: int | None = None
    retry_after: float | None = None
    violations: tuple[Any, ...] = field(default=(), hash=False)
    errors: tuple[Any, ...] = field(default=(), hash=False)
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)
    meta: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if self.code is not None:
            try:
                object.__setattr__(self, "code", ErrorCode(self.code))
            except ValueError:
                known = ", ".join(ErrorCode)
                raise ValueError(
                    f"code={self.code!r} is no ErrorCode; use one of {known}"
                ) from None
        object.__setattr__(self, "violations", tuple(self.violations))
        object.__setattr__(self, "errors", tuple(self.errors))
        object.__setattr__(self, "metadata", _plain(self.metadata))
        object.__setattr__(self, "meta", _plain(self.meta))

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)


class Error(Exception):
    """Base of every failure the library reports; `L0Error` is the same class.

    A subclass takes its code, category and retry reason from `default_code`, or, where it has none,
    sets `default_category` and `default_reason`; `advice` is the last line of
    `to_detailed_string()`. Two errors are equal if class, message, context and attributes are; the
    time doesn't count. Every error pickles and copies to an equal one.

    Example:
        >>> from l0.errors import ErrorContext, ZeroOutputError
        >>> error = ZeroOutputError("Nothing was written", ErrorContext(attempt=3))
        >>> error.code.value, error.category.value, error.context.attempt
        ('ZERO_OUTPUT', 'content', 3)
    """

    default_code: ClassVar[ErrorCode | None] = None
    default_category: ClassVar[ErrorCategory] = ErrorCategory.MODEL
    default_reason: ClassVar[RetryableErrorType | None] = None
    advice: ClassVar[str] = "Look up the run in its log for what happened before."

    context: ErrorContext
    timestamp: float

    def __init__(self, message: str = "", context: ErrorContext | None = None) -> None:
        super().__init__(message)
        context = context or ErrorContext()
        if self.default_code is not None and context.code is not self.default_code:
            context = replace(context, code=self.default_code)
        self.context = context
        self.timestamp = time.time()

    @property
    def message(self) -> str:
        """The text of the failure."""
        return str(self.args[0]) if self.args else ""

    @property
    def code(self) -> ErrorCode | None:
        """The stable code; None for the classes that only group others."""
        return self.context.code

    @property
    def category(self) -> ErrorCategory:
        """What the failure says about trying again; `classify` says the same."""
        return self.default_category if self.code is None else get_error_category(self.code)

    @property
    def reason(self) -> RetryableErrorType | None:
        """The reason under which it would be retried, if it has one."""
        return self.default_reason if self.code is None else reason_of(self.code)

    @property
    def network_type(self) -> NetworkErrorType | None:
        """How the connection failed, if that is what happened."""
        return None

    @property
    def quota(self) -> bool:
        """Whether the account, not the moment, is exhausted."""
        return False

    @property
    def body_type(self) -> str | None:
        """The provider's own word for the failure, if it gave one."""
        return None

    @property
    def status(self) -> int | None:
        """HTTP status behind the failure, if there was one."""
        return self.context.status

    @property
    def retry_after(self) -> float | None:
        """Seconds the provider asked to wait."""
        return self.context.retry_after

    @property
    def stream_id(self) -> str | None:
        """The run to look up in the log."""
        return self.context.stream_id

    @property
    def partial_text(self) -> str | None:
        """The text that stood when the run failed."""
        return self.context.partial_text

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is text that another attempt could continue from."""
        return bool(self.context.checkpoint)

    def get_checkpoint(self) -> str | None:
        """The last text known to be good; None if there is none."""
        return self.context.checkpoint or None

    def to_detailed_string(self) -> str:
        """Message, code, counts and what to do, a line each, without secrets.

        Example:
            >>> from l0.errors import ZeroOutputError
            >>> print(ZeroOutputError("Nothing was written").to_detailed_string())
            Nothing was written
            code: ZERO_OUTPUT (content)
            what to do: Check that the prompt asks for text; an empty answer is often a refusal.
        """
        known = self.context
        lines = [redact_text(self.message) or type(self).__name__]
        lines.append(f"code: {self.code or type(self).__name__} ({self.category})")
        counts = (
            ("attempt", known.attempt),
            ("model retries", known.model_retry_count),
            ("network retries", known.network_retry_count),
            ("fallback", known.fallback_index),
            ("HTTP status", self.status),
        )
        told = [f"{name} {count}" for name, count in counts if count is not None]
        if told:
            lines.append(", ".join(told))
        if known.checkpoint:
            lines.append(f"checkpoint: {len(known.checkpoint)} characters")
        if known.stream_id:
            lines.append(f"stream: {known.stream_id}")
        return "\n".join([*lines, f"what to do: {self.advice}"])

    def to_json(self) -> dict[str, Any]:
        """Everything known about the failure as JSON-safe values, without secrets.

        Example:
            >>> Error("refused: Bearer 0123456789abcdef").to_json()["message"]
            'refused: Bearer [redacted]'
        """
        known = {
            each.name: value
            for each in fields(self.context)
            if (value := getattr(self.context, each.name)) not in (None, ()) and each.name != "code"
        }
        told: dict[str, Any] = {
            "name": type(self).__name__,
            "message": redacted(self.message),
            "code": None if self.code is None else self.code.value,
            "category": self.category.value,
            "timestamp": self.timestamp,
            "context": redacted(known),
        }
        for name, value in self._attributes().items():
            told[name] = REPLACEMENT if is_secret(name, value) else redacted(value)
        if self.__cause__ is not None:
            told["cause"] = redacted(self.__cause__)
        notes = getattr(self, "__notes__", None)
        if notes:
            told["notes"] = redacted(notes)
        return told

    def _attributes(self) -> dict[str, Any]:
        """What this class carries beyond message, context and time."""
        told = ("context", "timestamp", "__notes__")
        return {name: value for name, value in self.__dict__.items() if name not in told}

    def _portrait(self) -> tuple[str, str]:
        return type(self).__name__, self.message

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return same(
            (self.args, self.context, self._attributes()),
            (other.args, other.context, other._attributes()),
        )

    def __hash__(self) -> int:
        return hash((type(self), self.message))

    def __reduce__(self) -> tuple[Any, ...]:
        from l0.errors._serialize import portable  # it restores into this tree

        known = {each.name: getattr(self.context, each.name) for each in fields(self.context)}
        state = portable(self.__dict__ | {"context": None})
        state["context"] = ErrorContext(**portable(known))
        return rebuild, (type(self), self.args, state)

    def __copy__(self) -> Self:
        return rebuild(type(self), self.args, self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Other people's exceptions often can't be built anew; they don't change, so they stay.
        for error in self.context.errors:
            if not isinstance(error, Error):
                memo[id(error)] = error
        return rebuild(type(self), self.args, copy.deepcopy(self.__dict__, memo))


class ListingError(Error):
    """Private base of the errors that list others."""

    def __init__(
        self, message: str = "", context: ErrorContext | None = None, *, errors: Iterable[Any] = ()
    ) -> None:
        super().__init__(message, including(context, errors=tuple(errors)))

    @property
    def errors(self) -> tuple[Any, ...]:
        """The failures or faults behind this one, oldest first."""
        return self.context.errors


def is_l0_error(value: object) -> bool:
    """Whether a value is a failure that the library itself reported.

    Example:
        >>> from l0.errors import ZeroOutputError, is_l0_error
        >>> is_l0_error(ZeroOutputError("no")), is_l0_error(OSError("no"))
        (True, False)
    """
    return isinstance(value, Error)


def including(context: ErrorContext | None, **values: tuple[Any, ...]) -> ErrorContext:
    """The context with those of the values that are not empty."""
    return (context or ErrorContext()).replace(**{k: v for k, v in values.items() if v})


def rebuild(cls: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    """An error as it was, whatever arguments its constructor takes."""
    error = cls.__new__(cls)
    super(Error, error).__init__(*args)
    error.__dict__.update(state)
    return error


def portrait(error: BaseException) -> tuple[str, str]:
    """Class name and text: what is left of other people's exceptions after pickling."""
    if isinstance(error, Error):
        return error._portrait()
    return type(error).__name__, text_of(error)


def same(one: Any, other: Any) -> bool:
    """Equality that also holds for other people's exceptions, which compare by identity."""
    if one is other:
        return True
    if isinstance(one, BaseException) and isinstance(other, BaseException):
        if isinstance(one, Error) and type(one) is type(other):
            return one == other
        return portrait(one) == portrait(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, ErrorContext):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    try:
        return bool(one == other)
    except Exception:  # other people's __eq__ (arrays, frames): not comparable is not equal
        return False


def _plain(value: Any) -> Any:
    """Mappings as new dicts at every level: a read-only view neither pickles nor copies."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value
