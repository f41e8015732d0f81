"""Make what you have reliable: a factory, an open stream, or a provider's whole client."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

from l0.adapters import ACTIVITY
from l0.errors import FeatureNotEnabledError, InvalidStreamError
from l0.events import Event
from l0.stream._attempt import AttemptInfo
from l0.stream._fast import Transport, check_transport, fast
from l0.stream._open import model_of
from l0.stream._options import build_options, without_aliases
from l0.stream._prompt import continue_messages
from l0.stream._run import run
from l0.stream._source import positional
from l0.stream._stream import Stream

_RESOURCES = {"chat": ("completions",), "responses": (), "messages": ()}


def wrap(x: Any, /, *, transport: Transport = "sdk", **options: Any) -> Any:
    """Make a factory, a stream or a client reliable; takes the options of `run`.

    A callable gives what `run` gives. An async iterator or awaitable gives a stream of one attempt
    (it can't be opened again; fallbacks still apply). A client with `chat.completions`, `responses`
    or `messages` gives one that looks the same, whose `create(..., stream=True)` returns a
    `Stream`; its own retries are switched off. With `transport="fast"` the client still makes the
    request, but what it streams is decoded here, at a fraction of the time; chunks are dicts then.

    Raises:
        InvalidStreamError: the client is synchronous; the asynchronous one is named.
        TypeError: it is none of these, or an option is unknown.
        ValueError: there is no such transport, or not for this.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(l0.wrap(lambda: ["Hel", "lo"]).read())
        'Hello'
    """
    if _is_client(x):
        _refuse_synchronous(x)
        return WrappedClient(x, options, transport)
    if transport != "sdk":
        raise ValueError(f"transport={transport!r} is for clients such as AsyncOpenAI(), not {x!r}")
    if callable(x) or inspect.isawaitable(x) or hasattr(x, "__aiter__") or hasattr(x, "__aenter__"):
        return run(x, **options)
    raise TypeError(
        f"wrap takes a function, an async stream or a client such as AsyncOpenAI(); not {x!r}"
    )


def _is_client(x: Any) -> bool:
    if isinstance(x, type) or inspect.isfunction(x):
        return False
    completions = getattr(getattr(x, "chat", None), "completions", None)
    return any(
        hasattr(resource, "create")
        for resource in (completions, getattr(x, "responses", None), getattr(x, "messages", None))
    )


def _refuse_synchronous(client: Any) -> None:
    names = [cls.__name__ for cls in type(client).__mro__]
    root = type(client).__module__.partition(".")[0]
    if root in {"openai", "anthropic"} and not any(name.startswith("Async") for name in names):
        name = type(client).__name__
        raise InvalidStreamError(
            f"{name} is synchronous: it would block the event loop and could not be aborted; "
            f"use {root}.Async{name}() instead"
        )


class WrappedClient:
    """A provider's client whose streams are reliable; everything else is the client's own.

    `create(..., stream=True)` returns a `Stream`; without `stream` it is one awaited call under the
    same retries, timeouts and fallbacks, and its result is untouched.

    Attributes:
        unwrapped: the client as it was given.
    """

    def __init__(self, client: Any, options: dict[str, Any], transport: Transport = "sdk") -> None:
        build_options(None, stream=list, **options)  # unknown or bad options are told here
        check_transport(transport)
        if transport == "fast" and not hasattr(client, "with_streaming_response"):
            raise ValueError(
                "transport='fast' is for the clients of the openai and anthropic packages; "
                f"{type(client).__name__} has no with_streaming_response"
            )
        self.unwrapped = client
        self._options, self._transport = without_aliases(options), transport
        configure = getattr(client, "with_options", None)
        self._client = configure(max_retries=0) if callable(configure) else client

    def with_options(self, **options: Any) -> WrappedClient:
        """The same client with some l0 options changed, or the transport."""
        transport = options.pop("transport", self._transport)
        changed = {**self._options, **without_aliases(options)}
        return WrappedClient(self.unwrapped, changed, transport)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if name in _RESOURCES:
            return _Resource(value, _RESOURCES[name], self._options, self._transport)
        return value

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.__aexit__(*exc)

    def __repr__(self) -> str:
        return f"<l0.wrap({type(self.unwrapped).__name__})>"


class _Resource:
    """`client.chat`, `client.chat.completions`, `client.responses`, `client.messages`."""

    def __init__(
        self, resource: Any, path: tuple[str, ...], options: dict[str, Any], transport: Transport
    ) -> None:
        self._resource, self._path, self._options = resource, path, options
        self._transport: Transport = transport

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._resource, name)
        if self._path and name == self._path[0]:
            return _Resource(value, self._path[1:], self._options, self._transport)
        if name == "create" and not self._path:
            return _Create(self._resource, value, self._options, self._transport)
        return value


class _Create:
    """The `create` of a resource."""

    def __init__(
        self, resource: Any, create: Any, options: dict[str, Any], transport: Transport
    ) -> None:
        self._resource, self._create, self._options = resource, create, options
        self._is_fast = transport == "fast"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        is_fast = self._is_fast and kwargs.get("stream")
        create = fast(self._resource) if is_fast else self._create

        def factory(info: AttemptInfo) -> Any:
            return create(*args, **_continued(kwargs, info))

        vars(factory)["model"] = kwargs.get("model")  # each attempt says what it asks
        options = _named(self._options, kwargs)
        if not kwargs.get("stream"):
            return _call(factory, options)
        retrieve = getattr(self._resource, "retrieve", None)
        if is_fast and callable(retrieve):
            retrieve = fast(self._resource, "retrieve")
        if kwargs.get("background") and callable(retrieve):
            return run(_Background(factory, retrieve, kwargs), **options)
        return run(factory, **options)


def _named(options: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one call: its run says which model was asked for, unless they do."""
    model, meta = asked.get("model"), options.get("meta") or {}
    if not isinstance(model, str) or "model" in meta:
        return options
    return {**options, "meta": {**meta, "model": model}}


# What holds for the request that goes on as it did for the one that began.
_SAME = ("include", "extra_headers", "extra_query", "timeout")


class _Background:
    """A factory of responses that the provider keeps: a broken one is asked for again."""

    def __init__(
        self,
        create: Callable[[AttemptInfo], Any],
        retrieve: Callable[..., Any],
        asked: Mapping[str, Any],
    ) -> None:
        self._create, self._retrieve = create, retrieve
        self.model = asked.get("model")
        self._same = {name: asked[name] for name in _SAME if name in asked}

    def __call__(self, info: AttemptInfo) -> Any:
        return self._create(info)

    def resume(self, response_id: str, starting_after: int) -> Any:
        """The rest of a response, behind the event of that number."""
        return self._retrieve(response_id, stream=True, starting_after=starting_after, **self._same)


def _continued(kwargs: dict[str, Any], info: AttemptInfo) -> dict[str, Any]:
    """The request, asked to go on where the text broke off, if it did."""
    if not info.checkpoint:
        return kwargs
    for name in ("messages", "input"):
        messages = kwargs.get(name)
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if messages is not None:
            more = continue_messages(messages, info.checkpoint, prompt=info.prompt)
            return {**kwargs, name: more}
    return kwargs


async def _call(factory: Any, options: dict[str, Any]) -> Any:
    """One call without streaming, as a run of one item."""
    answer = _Answer()
    given = build_options(None, stream=_once(factory), **options)
    stream: Stream = run(
        given.replace(
            fallbacks=[_once(fallback) for fallback in given.fallbacks],
            adapter=answer,
            adapter_options=None,
            # What judges or changes text has none here.
            detect_zero_output=False,
            guardrails=(),
            drift=None,
            continuation=None,
            deliver="live",
            interceptors=[
                _Around(each)
                for each in given.interceptors
                if hasattr(each, "before") or hasattr(each, "error")
            ],
        )
    )
    await stream.read()
    if not answer.given:
        raise FeatureNotEnabledError(
            "an interceptor answered with a cached text, and a call without stream=True gives the "
            "provider's own object; ask for a stream with stream=True"
        )
    return answer.value


def _once(factory: Any) -> Any:
    """A factory of whole answers as one of streams of one item."""
    if not callable(factory):
        raise TypeError(
            f"a fallback of a call without stream=True is a function that makes the whole call "
            f"again, with another model or client; not {factory!r}"
        )
    wants_info = positional(factory)

    async def once(info: AttemptInfo) -> list[Any]:
        made = factory(info) if wants_info else factory()
        whole = await made if inspect.isawaitable(made) else made
        if hasattr(whole, "__aiter__"):
            raise InvalidStreamError(
                "the call was made without stream=True, but this fallback gives a stream; let it "
                "make the call without stream=True"
            )
        return [whole]

    vars(once)["model"] = model_of(factory)
    return once


class _Around:
    """An interceptor of a call without a text: asked before it, and told if it fails."""

    def __init__(self, interceptor: Any) -> None:
        self.name = getattr(interceptor, "name", type(interceptor).__name__)
        for hook in ("before", "error"):
            if hasattr(interceptor, hook):
                setattr(self, hook, getattr(interceptor, hook))
        self.after = None


class _Answer:
    """An adapter that keeps the one item it is given, untouched."""

    name = "answer"
    usage = finish_reason = raw_finish_reason = model = response_id = None

    def __init__(self) -> None:
        self.value: Any = None
        self.given = False

    def decoder(self, options: Any = None, stream: Any = None) -> _Answer:  # noqa: ARG002
        return self

    def feed(self, chunk: Any) -> Any:
        self.value, self.given = chunk, True
        return ACTIVITY

    def finish(self) -> tuple[Event, ...]:
        return ()
