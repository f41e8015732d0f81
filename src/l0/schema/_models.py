"""Schemas from Python types: pydantic models, dataclasses, TypedDicts, any annotation."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from l0.schema._faults import KINDS, SchemaFault, kind_of, path_of
from l0.schema._unified import UnifiedSchema, text_of

_FORMS = (
    "a pydantic model, a dataclass, a TypedDict, an annotation such as list[int], a JSON Schema as "
    "a dict, or a UnifiedSchema"
)


def model_schema(annotation: Any, name: str | None = None) -> UnifiedSchema[Any]:
    """A schema of a type.

    Raises:
        TypeError: no data can be checked against it.
    """
    adapter = _adapter(annotation)

    def check(data: Any, text: str | None, strict: bool) -> tuple[Any, Sequence[SchemaFault]]:
        from pydantic import ValidationError

        mode: dict[str, Any] = {"strict": True, "extra": "forbid"} if strict else {}
        try:
            return adapter.validate_json(text_of(data) if text is None else text, **mode), ()
        except ValidationError as error:
            return None, faults_of(error)

    return UnifiedSchema._of("pydantic", name or name_of(annotation), check, adapter.json_schema)


def faults_of(error: Any) -> tuple[SchemaFault, ...]:
    """The faults a `pydantic.ValidationError` lists."""
    return tuple(
        SchemaFault(path_of(each["loc"]), _message(each), each["type"])
        for each in error.errors(include_url=False, include_context=False)
    )


def _message(error: Any) -> str:
    said, kind = str(error["msg"]), type(error.get("input"))
    said = said.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    # What was found is told by its kind: values may be secret, and the text is at hand.
    wrong_kind = error["type"].endswith(("_type", "_parsing"))
    return f"{said}; got {kind_of(error['input'])}" if wrong_kind and kind in KINDS else said


def name_of(annotation: Any) -> str:
    """What a type is called."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("__main__.", "")


# --- adapters -------------------------------------------------------------------------------


def _adapter(annotation: Any) -> Any:
    from pydantic import TypeAdapter

    if isinstance(annotation, TypeAdapter):
        return annotation
    try:
        hash(annotation)
    except TypeError:  # such as metadata that is a list
        return _built(annotation)
    return _kept(repr(annotation), annotation)


@functools.lru_cache(maxsize=256)
def _kept(told: str, annotation: Any) -> Any:  # noqa: ARG001  unions are equal in any order
    return _built(annotation)


def _built(annotation: Any) -> Any:
    from pydantic import PydanticUserError, TypeAdapter
    from pydantic.errors import PydanticUndefinedAnnotation

    if annotation is None or isinstance(annotation, str) or inspect.isroutine(annotation):
        raise TypeError(f"{annotation!r} is no schema; give {_FORMS}")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(_portable(annotation))
    except (PydanticUserError, PydanticUndefinedAnnotation, NameError, TypeError) as error:
        said = str(error).split("\n", 1)[0]
        raise TypeError(f"{annotation!r} is no schema ({said}); give {_FORMS}") from error
    return adapter


def _portable(annotation: Any) -> Any:
    """The annotation with each `typing.TypedDict` as pydantic can read it before Python 3.12."""
    if sys.version_info >= (3, 12):
        return annotation
    if typing.is_typeddict(annotation):
        return _readable(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None or origin is typing.Literal:
        return annotation
    again = tuple(map(_portable, args[:1] if origin is typing.Annotated else args))
    again += args[1:] if origin is typing.Annotated else ()
    if all(new is old for new, old in zip(again, args, strict=True)):
        return annotation
    if origin is types.UnionType:
        return typing.Union[again]  # noqa: UP007  made at run time
    return typing.Annotated[again] if origin is typing.Annotated else _again(annotation, again)


def _again(annotation: Any, args: tuple[Any, ...]) -> Any:
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(args)
    return typing.get_origin(annotation)[args]


@functools.lru_cache(maxsize=256)
def _readable(cls: Any) -> Any:
    from typing_extensions import TypedDict

    if type(cls).__module__ != "typing":
        return cls
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {}
    for name, hint in hints.items():
        inner, marked = hint, typing.get_origin(hint)
        needed = name in cls.__required_keys__
        if marked in {typing.Required, typing.NotRequired}:
            inner, needed = typing.get_args(hint)[0], marked is typing.Required
        fields[name] = (typing.Required if needed else typing.NotRequired)[_portable(inner)]
    made: Any = TypedDict(cls.__name__, fields)  # type: ignore[misc]  # made at run time
    made.__module__, made.__doc__ = cls.__module__, cls.__doc__
    return made


# --- shapes ---------------------------------------------------------------------------------


def shape_type(shape: Mapping[str, Any], name: str = "object") -> Any:
    """A type for `{"name": str, "age": (int, 0)}`: its values are dicts with these keys.

    A value of the shape is a type, a type and its default, or a shape again.

    Raises:
        TypeError: the shape is none.
    """
    from pydantic import AfterValidator, Field, create_model

    if not isinstance(shape, Mapping) or not all(isinstance(key, str) for key in shape):
        raise TypeError(
            f'an object is described by {{"name": str, "age": (int, 0)}}; not by {shape!r}'
        )
    fields: dict[str, Any] = {}
    for index, (key, value) in enumerate(shape.items()):
        annotation, default = value, ...
        if isinstance(value, tuple):
            if len(value) != 2:
                raise TypeError(f"{key!r} is a type, or a type and its default; not {value!r}")
            annotation, default = value
        if isinstance(annotation, Mapping):
            annotation = shape_type(annotation, key)
        elif isinstance(annotation, UnifiedSchema) or annotation is None:
            raise TypeError(f"{key!r} is a type such as str or list[int]; not {annotation!r}")
        # The keys need not be names Python accepts, so they are aliases.
        fields[f"f{index}"] = (_portable(annotation), Field(default, alias=key))
    try:
        model = create_model(name, **fields)
    except Exception as error:  # pydantic has many words for a type it can't read
        said = str(error).split("\n", 1)[0]
        raise TypeError(f"the object has a field that is no type: {said}") from error
    return typing.Annotated[model, AfterValidator(_as_dict(tuple(shape)))]


def _as_dict(keys: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    def as_dict(made: Any) -> dict[str, Any]:
        return {key: getattr(made, f"f{index}") for index, key in enumerate(keys)}

    return as_dict
