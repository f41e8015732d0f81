"""One face for every form a schema may have: a tag, `parse` and `safe_parse`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from l0.errors import Error, SchemaValidationError
from l0.schema._faults import SchemaFault, error_of, path_of

T = TypeVar("T")

Check = Callable[[Any, str | None, bool], tuple[Any, Sequence[SchemaFault]]]
"""Judges JSON data, and the text it was read from where there is one, strictly or not."""


class SafeParse(NamedTuple):
    """What judging data came to: whether it is valid, what became of it, what is wrong."""

    ok: bool
    data: Any
    error: SchemaValidationError | None


class UnifiedSchema(Generic[T]):
    """A schema of any form, used in one way.

    `as_schema` and `wrap_json_schema` make one; to make your own, give a `parse` that raises
    `ValueError`, a `safe_parse`, or both. `strict` says whether it has a strict mode.

    Args:
        tag: which form it is.
        parse: judges data; a parameter `strict` is needed for strict mode.
        safe_parse: likewise, giving `(ok, data, error)`.
        name: what it is called in messages and events.
        json_schema: its description for a prompt or a provider, or a function that makes one.

    Raises:
        TypeError: neither of the two is given.

    Example:
        >>> def even(data):
        ...     if data % 2:
        ...         raise ValueError("odd")
        ...     return data
        >>> UnifiedSchema("mine", even).safe_parse(3).ok
        False
    """

    def __init__(
        self,
        tag: str,
        parse: Callable[..., T] | None = None,
        safe_parse: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        json_schema: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        if parse is None and safe_parse is None:
            raise TypeError("a UnifiedSchema needs parse, safe_parse, or both")
        given = [each for each in (parse, safe_parse) if each is not None]
        own = _Own(parse, safe_parse, name or tag)
        self.tag = tag
        self.name = name or tag
        self.strict = all(map(_takes_strict, given))
        self._describe = json_schema
        self._check: Check = own.check

    @classmethod
    def _of(
        cls,
        tag: str,
        name: str,
        check: Check,
        json_schema: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None,
    ) -> UnifiedSchema[Any]:
        """One of the library's own forms, which judge the text itself."""
        made: UnifiedSchema[Any] = cls.__new__(cls)
        made.tag, made.name, made.strict = tag, name, True
        made._check, made._describe = check, json_schema
        return made

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """Its description as JSON Schema, None where it has none."""
        told = self._describe() if callable(self._describe) else self._describe
        return None if told is None else dict(told)

    def safe_parse(self, data: Any, strict: bool = False) -> SafeParse:
        """Judge JSON data: `(ok, data, error)`; raises nothing for what is wrong with it."""
        value, faults = self._check(data, None, strict)
        if faults:
            return SafeParse(False, None, error_of(faults, self.name))
        return SafeParse(True, value, None)

    def parse(self, data: Any, strict: bool = False) -> T:
        """The validated value of JSON data.

        Raises:
            SchemaValidationError: the data is not valid; `errors` says where and why.
        """
        done = self.safe_parse(data, strict)
        if done.error is not None:
            raise done.error
        value: T = done.data
        return value

    def __repr__(self) -> str:
        return f"<UnifiedSchema {self.name} ({self.tag})>"


class _Own:
    """The two functions of the caller's own schema as one check."""

    def __init__(
        self,
        parse: Callable[..., Any] | None,
        safe_parse: Callable[..., Any] | None,
        name: str,
    ) -> None:
        self._parse, self._safe_parse, self._name = parse, safe_parse, name

    def check(
        self,
        data: Any,
        text: str | None,  # noqa: ARG002  as every check
        strict: bool,
    ) -> tuple[Any, Sequence[SchemaFault]]:
        more = {"strict": True} if strict else {}
        if self._safe_parse is not None:
            ok, value, error = self._plain(self._safe_parse(data, **more))
            return (value, ()) if ok else (None, _faults_of(error))
        assert self._parse is not None
        try:
            return self._plain(self._parse(data, **more)), ()
        except ValueError as error:
            return None, _faults_of(error)

    def _plain(self, answer: Any) -> Any:
        if inspect.iscoroutine(answer):
            answer.close()
            raise TypeError(
                f"parse and safe_parse of the schema {self._name} are coroutine functions; "
                "a schema judges data at once"
            )
        return answer


def _takes_strict(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in that doesn't tell
        return False
    return any(p.name == "strict" or p.kind is p.VAR_KEYWORD for p in parameters)


def _faults_of(error: Any) -> tuple[SchemaFault, ...]:
    """The faults in whatever somebody's own schema reports."""
    if isinstance(error, SchemaValidationError) and error.errors:
        return tuple(map(as_fault, error.errors))
    if isinstance(error, Error):
        return (SchemaFault("", error.message, type(error).__name__),)
    listed = getattr(error, "errors", None)
    if callable(listed) and hasattr(error, "error_count"):  # pydantic's
        from l0.schema._models import faults_of

        return faults_of(error)
    if isinstance(error, list | tuple) and error:
        return tuple(map(as_fault, error))
    kind = type(error).__name__ if isinstance(error, BaseException) else "invalid"
    return (SchemaFault("", str(error) or kind, kind),)


def as_fault(error: Any) -> SchemaFault:
    """A fault from what checkers report: a mapping, an object with these fields, a text."""
    if isinstance(error, SchemaFault):
        return error
    if isinstance(error, Mapping):
        told = {name: error.get(name) for name in ("path", "message", "type")}
    else:
        told = {name: getattr(error, name, None) for name in ("path", "message", "type")}
    path = told["path"]
    if path is not None and not isinstance(path, str):
        path = path_of(path)
    return SchemaFault(path or "", str(told["message"] or error), str(told["type"] or "invalid"))


def text_of(data: Any) -> str:
    """JSON data as text.

    Raises:
        TypeError: it is no JSON data.
    """
    try:
        return json.dumps(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"a schema judges JSON data: objects, arrays, texts, numbers; {error}"
        ) from error
