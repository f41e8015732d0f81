"""The catalog mechanism: each event type is declared once, as one frozen payload class."""

from __future__ import annotations

import difflib
import re
from typing import Any, ClassVar, TypeVar

import msgspec


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


P = TypeVar("P", bound=type[Payload])

_catalog: dict[str, type[Payload]] = {}


def register_payload(cls: P) -> P:
    """Declare an event type: a class decorator for subclasses of `Payload`.

    Raises:
        TypeError: the class is no payload.
        ValueError: another class has declared the type.
    """
    if not (isinstance(cls, type) and issubclass(cls, Payload)):
        raise TypeError(f"{cls!r} is no Payload; declare `class {cls}Payload(Payload)`")
    known = _catalog.get(cls.type)
    if known is not None and known.__qualname__ != cls.__qualname__:
        raise ValueError(f"the event type {cls.type} is declared by {known.__qualname__}")
    _catalog[cls.type] = cls
    return cls


def catalog() -> dict[str, type[Payload]]:
    """Every declared type and its payload class, in the order of declaration."""
    return dict(_catalog)


def payload_class(type_: str) -> type[Payload]:
    """The payload class of a type.

    Raises:
        ValueError: there is no such type; the nearest one is named.
    """
    try:
        return _catalog[type_]
    except KeyError:
        near = difflib.get_close_matches(str(type_).upper(), _catalog, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{type_!r} is no event type{hint}") from None
