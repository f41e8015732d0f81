"""Which adapter reads a stream: the one named, one registered, one known by sight."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from types import AsyncGeneratorType
from typing import Any, Final, Literal, TypeAlias, TypeVar

from l0.adapters._anthropic import AnthropicAdapter
from l0.adapters._base import AdapterOptions, BaseAdapter, BaseDecoder, names_of
from l0.adapters._contract import REPORTED, Adapter, Decoded, Decoder
from l0.adapters._litellm import LiteLLMAdapter
from l0.adapters._openai import OpenAIAdapter
from l0.adapters._passthrough import PassthroughAdapter, PassthroughDecoder
from l0.adapters._responses import OpenAIResponsesAdapter
from l0.adapters._values import roots
from l0.errors import AdapterNotFoundError
from l0.events import Event

log = logging.getLogger("l0")

How: TypeAlias = Literal["hint", "registered", "module", "chunk", "passthrough"]
A = TypeVar("A", bound=Adapter)

_passthrough: Final = PassthroughAdapter()
# Looked at in this order; the two of openai share one class of stream, so a chunk decides.
_built_in: Final[tuple[Adapter, ...]] = (
    LiteLLMAdapter(),
    OpenAIResponsesAdapter(),
    AnthropicAdapter(),
    OpenAIAdapter(),
    _passthrough,
)
_OWN: Final = frozenset({type(adapter) for adapter in _built_in} - {PassthroughAdapter})
_OPENAIS: Final = (OpenAIAdapter, OpenAIResponsesAdapter)
_registered: Final[list[Adapter]] = []
_NOBODYS: Final = (AsyncGeneratorType, list, tuple)
_PLAIN: Final = frozenset({str, Event})  # what only the pass-through adapter takes


def register_adapter(adapter: A) -> A:
    """Make an adapter known, before all others; one of the same name gives way to it.

    Gives the adapter back.

    Raises:
        TypeError: it has no name, or neither `decoder` nor `wrap`.

    Example:
        >>> from l0.events import Event, EventType
        >>> class Words:
        ...     name = "words"
        ...     async def wrap(self, stream, options=None):
        ...         async for chunk in stream:
        ...             yield Event(EventType.TOKEN, chunk["word"])
        >>> words = register_adapter(Words())
        >>> unregister_adapter("words")
        True
    """
    name = _checked(adapter).name
    _registered[:] = [adapter, *(known for known in _registered if known.name != name)]
    return adapter


def unregister_adapter(name: str) -> bool:
    """Forget a registered adapter; whether there was one. Built-in ones stay.

    Example:
        >>> unregister_adapter("never registered")
        False
    """
    kept = [known for known in _registered if known.name != name]
    found = len(kept) < len(_registered)
    _registered[:] = kept
    return found


def registered_adapters() -> list[Adapter]:
    """The registered adapters, newest first: always the same list, without the built-in ones.

    Example:
        >>> registered_adapters()
        []
    """
    return _registered


def reset_adapters() -> None:
    """Forget every registered adapter.

    Example:
        >>> reset_adapters()
        >>> registered_adapters()
        []
    """
    _registered.clear()


def detect_adapter(stream: Any, hint: Any = None) -> Adapter | None:
    """The adapter for a stream, None where its first chunk must decide.

    Raises:
        AdapterNotFoundError: no adapter has the name given as a hint.

    Example:
        >>> detect_adapter(iter(()), hint="anthropic").name
        'anthropic'
    """
    selected = select_adapter(stream, hint)
    return selected[0] if selected else None


def select_adapter(
    stream: Any, hint: Any = None, *, fallback: bool = False
) -> tuple[Adapter, How] | None:
    """The adapter for a stream and how it was found; None where its first chunk must decide.

    `hint` is a name, an adapter, or a function that makes a text or `Event` of a chunk. A built-in
    one is meant for its provider: a `fallback` that is known by sight as another's is read as such.

    Raises:
        AdapterNotFoundError: no adapter has that name.
        TypeError: the hint is none of these.

    Example:
        >>> adapter, how = select_adapter(["Hello"], "event")
        >>> adapter.name, how
        ('event', 'hint')
    """
    if hint is not None:
        hinted = _by_hint(hint)
        if fallback and type(hinted) in _OWN:
            known = _by_sight(stream)
            if known is not None:
                return known, "module"
            if "openai" in roots(type(stream)) and not isinstance(hinted, _OPENAIS):
                return None  # one of openai's, which a chunk tells apart
        return hinted, "hint"
    for adapter in _registered:
        if _knows(adapter, "detect", stream):
            return adapter, "registered"
    known = _by_sight(stream)
    return None if known is None else (known, "module")


def _by_sight(stream: Any) -> Adapter | None:
    """The built-in adapter that knows the stream's class."""
    if isinstance(stream, _NOBODYS):  # no provider's class: nothing to ask
        return None
    return next((each for each in _built_in if _knows(each, "detect", stream)), None)


def select_by_chunk(chunk: Any) -> tuple[Adapter, How]:
    """The adapter for a stream's first item that is not None, and how it was found.

    Only adapters that make decoders are asked: for one that wraps the stream it is too late.

    Example:
        >>> adapter, how = select_by_chunk("Hello")
        >>> adapter.name
        'event'
    """
    built_in = (_passthrough,) if type(chunk) in _PLAIN else _built_in
    for adapter in (*_registered, *built_in):
        if hasattr(adapter, "decoder") and _knows(adapter, "detect_chunk", chunk):
            return adapter, "chunk"
    return _passthrough, "passthrough"


def bind(
    adapter: Adapter, stream: Any, options: Any = None, *, fallback: bool = False
) -> tuple[Any, Decoder]:
    """What to iterate, and the decoder to feed with its items.

    For an adapter that makes decoders that is the stream itself; for one that wraps, its
    generator, whose events pass through. A decoder that reports nothing is given the attributes.

    One set of options serves a chain of several providers: names that only another built-in adapter
    knows are passed over, and a `fallback` takes from them what it knows, whatever the rest is.

    Example:
        >>> from l0.adapters import select_adapter
        >>> adapter, _ = select_adapter(["a"], "event")
        >>> source, decoder = bind(adapter, ["a", "b"])
        >>> source
        ['a', 'b']
    """
    if options is not None and isinstance(adapter, BaseAdapter):
        options = _fitting(adapter, options, fallback=fallback)
    if isinstance(adapter, BaseAdapter):
        return stream, adapter.decoder(options, stream)
    make = getattr(adapter, "decoder", None)
    if make is None:
        wrap: Any = getattr(adapter, "wrap")  # noqa: B009  the protocol's, unknown to the type
        return wrap(stream, options), PassthroughDecoder(adapter.name)
    decoder = make(options, stream=stream) if _takes(make, "stream") else make(options)
    whole = isinstance(decoder, BaseDecoder) or all(hasattr(decoder, n) for n in _DEFAULTS)
    return stream, decoder if whole else _Reporting(decoder)


def _fitting(adapter: BaseAdapter, options: Any, *, fallback: bool) -> Any:
    """The options without those that are meant for other adapters of the chain."""
    cls = adapter.options_class
    if cls is None:
        return None if fallback else options
    if isinstance(options, AdapterOptions):
        return None if fallback and not isinstance(options, cls) else options
    if not isinstance(options, Mapping):
        return options
    known = names_of(cls)
    return {
        name: value
        for name, value in options.items()
        if name in known or not (fallback or name in _NAMES)
    }


_NAMES: Final = frozenset(
    name
    for adapter in _built_in
    if isinstance(adapter, BaseAdapter) and adapter.options_class is not None
    for name in names_of(adapter.options_class)
)
_DEFAULTS: Final = {
    **dict.fromkeys(REPORTED),
    "finished": False,
    "pings_before_first_token": False,
    "finish": tuple,  # of nothing
}


class _Reporting:
    """A decoder of no more than `feed`, with what the runtime reads beside it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.feed = inner.feed

    def __getattr__(self, name: str) -> Any:
        if name in _DEFAULTS:
            return getattr(self._inner, name, _DEFAULTS[name])
        return getattr(self._inner, name)


class FunctionAdapter(BaseAdapter):
    """A plain function `chunk -> str | Event | list of these | None` as an adapter."""

    name: str = "function"

    def __init__(self, function: Callable[[Any], Decoded]) -> None:
        self._function = function

    def decoder(self, options: Any = None, stream: Any = None) -> Decoder:  # noqa: ARG002
        """A decoder that asks the function."""
        if options:
            raise TypeError(f"a function used as adapter has no options, got {options!r}")
        return _FunctionDecoder(self._function)


class _FunctionDecoder(BaseDecoder):
    def __init__(self, function: Callable[[Any], Decoded]) -> None:
        super().__init__("function")
        self._function = function

    def feed(self, chunk: Any, /) -> Decoded:
        if chunk is None:
            return None
        decoded = self._function(chunk)
        if isinstance(decoded, Sequence) and not isinstance(decoded, str | bytes | bytearray):
            return [part for item in decoded if (part := self._foreign(item))]  # type: ignore[misc]
        return self._foreign(decoded)


def _by_hint(hint: Any) -> Adapter:
    if isinstance(hint, str):
        known = (*_registered, *_built_in)
        for adapter in known:
            if adapter.name == hint:
                return adapter
        names = ", ".join(dict.fromkeys(adapter.name for adapter in known))
        raise AdapterNotFoundError(
            f"no adapter is named {hint!r}; there are {names}, and `register_adapter` adds one"
        )
    is_adapter = hasattr(hint, "decoder") or hasattr(hint, "wrap")
    if callable(hint) and not is_adapter and not isinstance(hint, type):
        return FunctionAdapter(hint)
    return _checked(hint)


def _checked(adapter: Any) -> Adapter:
    if isinstance(adapter, type):
        raise TypeError(f"an adapter is an object: pass {adapter.__name__}(), not the class")
    name = getattr(adapter, "name", None)
    if not isinstance(name, str) or not name:
        raise TypeError(f"an adapter needs a name, a non-empty str; {adapter!r} has {name!r}")
    if not any(callable(getattr(adapter, method, None)) for method in ("decoder", "wrap")):
        raise TypeError(f"the adapter {name!r} needs decoder(options) or wrap(stream, options)")
    found: Adapter = adapter
    return found


def _knows(adapter: Adapter, method: str, value: Any) -> bool:
    detect = getattr(adapter, method, None)
    if detect is None:
        return False
    try:
        return bool(detect(value))
    except Exception as error:  # a detector that fails on a stranger's stream doesn't know it
        log.warning("%s of the adapter %r failed: %r", method, adapter.name, error)
        return False


def _takes(function: Any, name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return False
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)
