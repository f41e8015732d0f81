"""The catalog mechanism: each event type is declared once, as one frozen payload class."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, ClassVar, TypeVar

import msgspec

from l0.errors._nearest import nearest
from l0.errors._secrets import redact_text


def _type_of(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name.removesuffix("Payload")).upper()


class Payload(msgspec.Struct, frozen=True, tag_field="type", tag=_type_of):
    """Base of every payload; `TokensPayload` declares the type `TOKENS`.

    A payload says what happened; when, where and for whom is added by the event that carries it.
    """

    type: ClassVar[str] = ""
    listed: ClassVar[bool] = True  # False: only handlers that name the type get it (token rate)
    emitter: ClassVar[str] = "stream"

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        cls.type = _type_of(cls.__name__)

    def __repr__(self) -> str:
        """Its fields, without secrets: what a cell ends in is saved with the notebook."""
        return redact_text(super().__repr__())


P = TypeVar("P", bound=type[Payload])

_catalog: dict[str, type[Payload]] = {}

# The families of the rooms above, by the module that declares them: imports point down, and a log
# must read the same whether or not the room that wrote it is in use. A test holds the two together.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "l0.schema._payloads": (
        "STRUCTURED_START",
        "PARSE_START",
        "PARSE_ERROR",
        "PARSE_END",
        "AUTO_CORRECT_START",
        "AUTO_CORRECT_END",
        "SCHEMA_VALIDATION_START",
        "SCHEMA_VALIDATION_ERROR",
        "SCHEMA_VALIDATION_END",
        "STRUCTURED_END",
    ),
    "l0.compose._consensus_payloads": (
        "CONSENSUS_START",
        "CONSENSUS_STREAM_START",
        "CONSENSUS_STREAM_END",
        "CONSENSUS_OUTPUT_COLLECTED",
        "CONSENSUS_ANALYSIS",
        "CONSENSUS_RESOLUTION",
        "CONSENSUS_END",
    ),
    "l0.compose._map_payloads": (
        "MAP_START",
        "MAP_ROW",
        "MAP_PROGRESS",
        "MAP_LIMITED",
        "MAP_STOPPED",
        "MAP_END",
    ),
}
_HOMES = {type_: module for module, types in _FAMILIES.items() for type_ in types}


def register_payload(cls: P) -> P:
    """Declare an event type: a class decorator for subclasses of `Payload`.

    Raises:
        TypeError: the class is no payload.
        ValueError: another class has declared the type.

    Example:
        >>> from l0.events import payload_class
        >>> known = payload_class("TOKENS")
        >>> register_payload(known) is known  # once more is no harm
        True
    """
    if not (isinstance(cls, type) and issubclass(cls, Payload)):
        raise TypeError(f"{cls!r} is no Payload; declare `class {cls}Payload(Payload)`")
    known, home = _catalog.get(cls.type), _HOMES.get(cls.type, cls.__module__)
    if known is not None and known.__qualname__ != cls.__qualname__:
        raise ValueError(f"the event type {cls.type} is declared by {known.__qualname__}")
    if home != cls.__module__:
        raise ValueError(f"the event type {cls.type} is declared by {home}")
    _catalog[cls.type] = cls
    return cls


def catalog() -> dict[str, type[Payload]]:
    """Every declared type and its payload class, in the order of declaration, room by room.

    The families of rooms that are not in use yet are declared now.

    Example:
        >>> catalog()["RETRY_ATTEMPT"].__name__
        'RetryAttemptPayload'
    """
    for module, types in _FAMILIES.items():
        if types[-1] not in _catalog:
            _declare(module)
    others = {type_: cls for type_, cls in _catalog.items() if type_ not in _HOMES}
    return others | {type_: _catalog[type_] for type_ in _HOMES if type_ in _catalog}


def type_names() -> tuple[str, ...]:
    """Every declared type, without importing the rooms that declare them."""
    return tuple(dict.fromkeys((*_catalog, *_HOMES)))


def find_payload(type_: str) -> type[Payload] | None:
    """The payload class of a type, None for an unknown one; only its own room is imported."""
    found = _catalog.get(type_)
    if found is None and type_ in _HOMES:
        _declare(_HOMES[type_])
        found = _catalog.get(type_)
    return found


def known_type(type_: str) -> str:
    """The type as text, once it is known to be one; no room is imported for it.

    Raises:
        ValueError: there is no such type; the nearest one is named.
    """
    if type_ in _catalog or type_ in _HOMES:
        return str(type_)
    raise _unknown(type_)


def payload_class(type_: str) -> type[Payload]:
    """The payload class of a type.

    Raises:
        ValueError: there is no such type; the nearest one is named.

    Example:
        >>> payload_class("TOKENS").__name__
        'TokensPayload'
    """
    found = find_payload(type_)
    if found is None:
        raise _unknown(type_)
    return found


def _unknown(type_: str) -> ValueError:
    near = nearest(str(type_).upper(), type_names())
    hint = f"; did you mean {near}?" if near else ""
    return ValueError(f"{type_!r} is no event type{hint}")


def _declare(module: str) -> None:
    """Import a family; one that was imported while another catalog stood is declared again."""
    for each in vars(import_module(module)).values():
        if isinstance(each, type) and issubclass(each, Payload) and each.__module__ == module:
            _catalog.setdefault(each.type, each)
