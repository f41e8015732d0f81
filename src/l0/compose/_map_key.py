"""What tells one row's question from another's: the key under which its answer is stored."""

from __future__ import annotations

import dis
import functools
import hashlib
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_VERSION = 1  # of what goes into a key; another one asks everything again
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def row_key(prompt: Any, model: str, schema: str | None, own: Any) -> str:
    """The key of a row: 32 hexadecimal digits, the same in every process.

    Args:
        prompt: a text, or a list of messages.
        model: `identity` of the model.
        schema: the identity of the schema, if there is one.
        own: what the caller's `key=` makes of the row.

    Example:
        >>> row_key("Hello", "name:gpt-x", None, None)
        '...'
    """
    parts = [_VERSION, prompt, model, schema, own]
    try:
        told = msgspec.json.encode(parts, enc_hook=_plain, order="sorted")
    except UnicodeEncodeError:  # half a surrogate pair, which a DataFrame may hold
        told = repr(parts).encode()
    return hashlib.blake2b(told, digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    item = getattr(value, "item", None)  # of a NumPy scalar
    return item() if callable(item) else _ADDRESS.sub("", repr(value))


def identity(model: Any, name: str | None = None) -> str:
    """What a model is, as a text that is the same in every process.

    That is its `name`, if it is given one; or else, of a function, its name, its code and the plain
    values that it refers to: defaults, closed-over and global ones. So with another model name or
    temperature in it, it is another model. Of another object it is what its `__l0_identity__`, its
    class, or a repr without an address says.

    Raises:
        ValueError: nothing about it says what it is.
    """
    if name is not None:
        return f"name:{name}"
    described = _described(model, set())
    if described is None:
        raise ValueError(
            f"nothing tells the model {model!r} from another one of its kind, so its answers "
            "can't be stored; give map(name='…') a name for it, or store=False"
        )
    return described


def _described(value: Any, seen: set[int]) -> str | None:
    """A callable as text; None if nothing can be told."""
    if id(value) in seen:
        return "…"
    seen.add(id(value))
    if isinstance(value, functools.partial):
        function = _described(value.func, seen)
        parts = [_value(each, seen) for each in value.args]
        parts += [f"{key}={_value(value.keywords[key], seen)}" for key in sorted(value.keywords)]
        return None if function is None else f"partial({function}, {', '.join(parts)})"
    if isinstance(value, types.MethodType):
        owner = _object(value.__self__)
        return None if owner is None else f"{owner}.{_described(value.__func__, seen)}"
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    return _object(value)


def _object(value: Any) -> str | None:
    """An object that says what it is: a class, or one whose repr is its own without an address.

    One with settings says it by a method `__l0_identity__`, as what `l0.model` gives does.
    """
    if (own := _own(value)) is not None:
        return own
    owner = getattr(value, "__self__", None)
    if isinstance(value, types.BuiltinFunctionType) and not isinstance(owner, types.ModuleType):
        told = _object(owner)
        return None if told is None else f"{told}.{value.__name__}"
    kind = value if isinstance(value, type | types.BuiltinFunctionType) else type(value)
    called = f"{kind.__module__}.{kind.__qualname__}"
    if kind is value:
        return called
    told = repr(value)
    if _ADDRESS.search(told):
        return None
    return f"{called}:{told}"


def _own(value: Any) -> str | None:
    """What an object itself says that it is; None if it doesn't."""
    say = getattr(type(value), "__l0_identity__", None)
    return None if say is None else f"{type(value).__qualname__}:{say(value)}"


def _function(function: types.FunctionType, seen: set[int]) -> str:
    code = function.__code__
    keywords = function.__kwdefaults__ or {}
    parts = [f"{function.__module__}.{function.__qualname__}", _code(code)]
    parts += [_value(each, seen) for each in function.__defaults__ or ()]
    parts += [f"{key}={_value(keywords[key], seen)}" for key in sorted(keywords)]
    changed = set(_changed(code))  # such as counters: what they are now tells nothing
    for key, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if key not in changed:
            try:
                parts.append(f"{key}={_value(cell.cell_contents, seen)}")
            except ValueError:  # not bound yet
                parts.append(f"{key}?")
    for key in sorted(set(_globals(code)) - changed):
        if key in function.__globals__:
            parts.append(f"{key}={_value(function.__globals__[key], seen)}")
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


def _globals(code: types.CodeType) -> Iterator[str]:
    """The global names a function reads."""
    for each in _codes(code):
        for step in dis.get_instructions(each):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield step.argval


_CHANGING = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"),
    *("popleft", "put", "put_nowait", "remove", "setdefault", "update"),
}


def _changed(code: types.CodeType) -> Iterator[str]:
    """The outer names whose values a function itself changes."""
    for each in _codes(code):
        steps = list(dis.get_instructions(each))
        items_are_set = any(step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") for step in steps)
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            if step.opname in ("STORE_GLOBAL", "STORE_DEREF"):
                yield step.argval
            if step.opname not in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
                continue
            if items_are_set or (after is not None and after.argval in _CHANGING):
                yield step.argval


def _code(code: types.CodeType) -> str:
    """What a function does: its instructions, names and constants, without places and files."""
    consts = [
        _code(each) if isinstance(each, types.CodeType) else _constant(each)
        for each in code.co_consts
    ]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, consts))


def _constant(value: Any) -> str:
    # The order of a set's repr differs from process to process.
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


_PLAIN = (str, int, float, bool, bytes, type(None))
_NOT_OURS = {"l0", "openai", "anthropic", "litellm"}  # another version of it is no other model


def _value(value: Any, seen: set[int]) -> str:
    """What a function refers to: plain values, models, other functions count; clients don't."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        if id(value) in seen:
            return "…"
        seen.add(id(value))
        if isinstance(value, dict):
            pairs = sorted(f"{key!r}: {_value(each, seen)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        return f"[{', '.join(_value(each, seen) for each in value)}]"
    if (own := _own(getattr(value, "__self__", value))) is not None:
        return f"{own}.{getattr(value, '__name__', '')}"
    if isinstance(value, types.FunctionType | types.MethodType | functools.partial):
        if str(getattr(value, "__module__", "")).partition(".")[0] in _NOT_OURS:
            return str(getattr(value, "__qualname__", ""))
        return _described(value, seen) or f"a {type(value).__name__}"
    return f"{type(value).__module__}.{type(value).__qualname__}"
