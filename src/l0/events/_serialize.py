"""Values of the library as JSON and back: events, payloads, records, and every room's options.

There is no second set of classes: msgspec reads and writes the ones that are in use.
"""

from __future__ import annotations

import base64
import functools
import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum, StrEnum
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from l0.errors import Error
from l0.events._catalog import catalog
from l0.events._state import State

T = TypeVar("T")

_encode = msgspec.json.Encoder(order="sorted").encode
_LONE = re.compile("[\ud800-\udfff]")
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_DEEPEST = 100
_MOST = 1_000_000  # containers; a graph of a dozen that know each other has more paths than that
_LONGEST = 10_000  # bits of a number that is written in digits; Python refuses many more


def to_dict(value: Any) -> dict[str, Any]:
    """Every field of an event, payload, record, state, error or options object, JSON-safe.

    Fields that hold callables, or anything else JSON has no word for, are left out of options; in
    what happened, such a value is told as text.

    Raises:
        TypeError: the value has no fields.

    Example:
        >>> from l0.events import Usage
        >>> to_dict(Usage(input_tokens=3))["total_tokens"]
        3
    """
    told = Plain(faithful=True).of(value)
    if not isinstance(told, dict):
        raise TypeError(f"{value!r} has no fields; give an event, a payload, a state or options")
    return told


def to_json(value: Any) -> str:
    """`to_dict(value)` as canonical JSON: keys sorted, no blanks; takes lists and scalars, too.

    Example:
        >>> from l0.events import Progress
        >>> to_json(Progress(percent=50.0))
        '{"eta":null,"message":null,"percent":50.0,"step":null,"total_steps":null}'
    """
    return _encode(Plain(faithful=True).of(value)).decode()


def check_meta(meta: Any) -> None:
    """Raise unless this can be the caller's facts about a run: a mapping that can be copied.

    Raises:
        TypeError: it is no mapping.
        ValueError: it contains itself, or nests too deep.
    """
    if meta is None:
        return
    if not isinstance(meta, Mapping):
        raise TypeError(f"meta is a mapping, such as {{'request_id': 'r-1'}}; not {meta!r}")
    _check_nesting(meta, _DEEPEST)


def _check_nesting(value: Any, levels: int) -> None:
    if isinstance(value, Mapping | list | tuple):
        if levels == 0:
            raise ValueError(
                f"meta contains itself, or nests deeper than {_DEEPEST} levels; give plain facts, "
                "such as {'request_id': 'r-1'}"
            )
        for item in value.values() if isinstance(value, Mapping) else value:
            _check_nesting(item, levels - 1)


def from_json(cls: type[T], text: str | bytes) -> T:
    """The object that `to_json` wrote; fields that were left out have their defaults.

    Raises:
        TypeError: objects of the class aren't read from JSON.
        ValueError: the text is not such an object; the message says where.

    Example:
        >>> from l0.events import Usage
        >>> from_json(Usage, '{"input_tokens": 3}').input_tokens
        3
    """
    _check_class(cls)
    form = _form(cast("Hashable", cls))
    try:
        return cast("T", _built(msgspec.json.decode(text, type=form)))
    except ValueError as error:
        raise ValueError(f"this is no JSON of a {cls.__name__}: {error}") from error


def schema_of(cls: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a public class; fields that hold callables are left out.

    Raises:
        TypeError: the class has no schema.

    Example:
        >>> from l0.events import Progress
        >>> sorted(schema_of(Progress)["$defs"]["Progress"]["properties"])[:2]
        ['eta', 'message']
    """
    _check_class(cls)
    return _schema(_form(cls))


def schema() -> dict[str, Any]:
    """The JSON Schema of the whole catalog, one entry an event type, discriminated by `type`.

    Example:
        >>> schema()["discriminator"]["propertyName"]
        'type'
    """
    return _schema(Union[tuple(catalog().values())])  # noqa: UP007  made at run time


# --- writing --------------------------------------------------------------------------------


def encode(value: Any) -> tuple[str, tuple[str, ...]]:
    """Canonical JSON of a value, whatever it holds, and how it had to be changed for that.

    Changes are named `surrogates` (halves of a character became U+FFFD, one for one, so that
    offsets stay right) and `json` (an object became text, a key that was no text became one, a
    container that holds itself became "…").
    """
    try:
        return _encode(value).decode(), ()
    except (TypeError, ValueError, OverflowError, RecursionError):
        plain = Plain()
        return _encode(plain.of(value)).decode(), tuple(sorted(plain.changes))


class Plain:
    """Makes a JSON-safe copy of anything; `changes` says what could not be kept as it was.

    `faithful` is for what is to be read again by `from_json`: fields of options that have no JSON
    form are left out. Numbers that are not finite become null.
    """

    def __init__(self, *, faithful: bool = False) -> None:
        self.changes: set[str] = set()
        self._faithful = faithful
        self._inside: set[int] = set()  # the containers around the one at hand
        self._left = _MOST

    def of(self, value: Any, depth: int = 0) -> Any:
        """The copy."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.of(value.value, depth)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return self._number(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, bytes | bytearray | memoryview):
            return base64.b64encode(value).decode()
        self._left -= 1
        if depth > _DEEPEST or self._left < 0 or id(value) in self._inside:
            self.changes.add("json")
            return "…"
        self._inside.add(id(value))
        try:
            return self._container(value, depth + 1)
        finally:
            self._inside.discard(id(value))

    def _container(self, value: Any, depth: int) -> Any:
        told = self._fields(value)
        if told is not None:
            return {name: self.of(item, depth) for name, item in told.items()}
        if isinstance(value, Mapping):
            try:
                items = list(value.items())
            except Exception:  # someone else's mapping: how it fails is its own business
                return self._other(value)
            return {self._key(key): self.of(item, depth) for key, item in items}
        if isinstance(value, list | tuple):
            return [self.of(item, depth) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((self.of(item, depth) for item in value), key=_encode)
        return self._other(value)

    def _number(self, value: int) -> int | str:
        if value.bit_length() <= _LONGEST:
            return int(value)
        self.changes.add("json")
        return hex(value)

    def _text(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            self.changes.add("surrogates")
            return _LONE.sub("\ufffd", value)
        return str(value)

    def _key(self, key: Any) -> str:
        if isinstance(key, Enum):
            key = key.value
        if not isinstance(key, str):
            self.changes.add("json")
            return self._text(_told(key, str))
        return self._text(key)

    def _fields(self, value: Any) -> dict[str, Any] | None:
        """Name and value of each field, of what has fields."""
        if isinstance(value, msgspec.Struct):
            config = value.__struct_config__
            tag = {} if config.tag_field is None else {config.tag_field: config.tag}
            return tag | {name: getattr(value, name) for name in value.__struct_fields__}
        if isinstance(value, State):
            return value.to_dict()
        if isinstance(value, BaseException):
            self.changes.add("json")
            if isinstance(value, Error):
                return value.to_json()
            return {"name": type(value).__name__, "message": _told(value, str)}
        if is_dataclass(value) and not isinstance(value, type):
            names = _form(type(value)).__struct_fields__
            told = {name: getattr(value, name, None) for name in names}
            return {n: v for n, v in told.items() if not self._faithful or _has_form(v)}
        return None

    def _other(self, value: Any) -> Any:
        try:
            return msgspec.to_builtins(value)  # dates, UUIDs, decimals
        except Exception:  # someone else's object: how it fails is its own business
            self.changes.add("json")
            return self._text(_ADDRESS.sub("", _told(value, repr)))


def _told(value: Any, tell: Callable[[Any], str]) -> str:
    try:
        return tell(value)
    except Exception:  # other people's __str__ and __repr__ must not end a recording
        return f"<{type(value).__name__}>"


def _has_form(value: Any) -> bool:
    """Whether JSON has a word for the value and all that is in it."""
    if callable(value) and not isinstance(value, msgspec.Struct):
        return False
    if is_dataclass(value) and not isinstance(value, type):
        return True  # judged field by field
    if isinstance(value, Mapping):
        return all(isinstance(k, str | int | float | Enum) for k in value) and all(
            map(_has_form, value.values())
        )
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_has_form, value))
    if isinstance(value, State | Enum | bytes | bytearray | memoryview):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    try:
        msgspec.to_builtins(value)
    except Exception:  # as above: it has none
        return False
    return True


# --- reading, and schemas -------------------------------------------------------------------


def _check_class(cls: Any) -> None:
    if not isinstance(cls, type) or not (issubclass(cls, msgspec.Struct) or is_dataclass(cls)):
        hint = "; a State comes from a replay" if cls is State else ""
        raise TypeError(f"{cls!r} is no class of events, payloads, records or options{hint}")


def _schema(type_: Any) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", Plain().of(msgspec.json.schema(type_)))
    except TypeError as error:
        raise TypeError(f"{type_!r} has no JSON Schema: {error}") from error


_options: dict[type, type] = {}  # the options class of each form


@functools.cache
def _form(cls: Any) -> Any:
    """What msgspec reads for a class: itself, or the fields of options that have a JSON form."""
    if not is_dataclass(cls) or not isinstance(cls, type):
        return cls
    hints = _hints(cls)
    shown: list[Any] = []
    for each in fields(cls):
        hint = _readable(hints[each.name])
        if not each.init or callable(each.default) or not _is_json(hint):
            continue
        if each.default is not MISSING and _has_form(each.default):
            shown.append((each.name, hint, each.default))
        elif each.default is MISSING and each.default_factory is MISSING:
            shown.append((each.name, hint))
        else:
            shown.append((each.name, Union[hint, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007
    form = msgspec.defstruct(cls.__name__, shown, kw_only=True, namespace={"__doc__": cls.__doc__})
    _options[form] = cls
    return form


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except Exception:  # other people's classes may name types that only a type checker sees
        return dict.fromkeys((each.name for each in fields(cls)), Any)


def _readable(hint: Any) -> Any:
    """A declared type as msgspec can read it."""
    args = get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _form(hint)
    if get_origin(hint) in (Union, UnionType):
        # Text that also may be a member of an enum is text; the class makes a member of it.
        if str in args:
            args = tuple(a for a in args if not (isinstance(a, type) and issubclass(a, StrEnum)))
        return Union[tuple(_readable(arg) for arg in args)]  # noqa: UP007
    if args and get_origin(hint) in _CONTAINERS:
        return get_origin(hint)[tuple(map(_readable, args))]
    return hint


_CONTAINERS = (list, tuple, dict, set, frozenset, Sequence, Mapping)


def _is_json(hint: Any) -> bool:
    try:
        msgspec.json.schema(hint)
    except TypeError:
        return False
    return True


def _built(value: Any) -> Any:
    """Options again, of what was read of them."""
    cls = _options.get(type(value))
    if cls is not None:
        known = {name: getattr(value, name) for name in value.__struct_fields__}
        return cls(**{k: _built(v) for k, v in known.items() if v is not msgspec.UNSET})
    if type(value) in (list, tuple):
        return type(value)(map(_built, value))
    if type(value) is dict:
        return {key: _built(item) for key, item in value.items()}
    return value
