"""Read a provider's stream from its bytes: the SDK asks, L0 decodes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, TypeAlias, get_args

from l0.adapters._sse import ServerEvent, SSESplitter, frame, payload

Transport: TypeAlias = Literal["sdk", "fast"]
"""Who decodes what a provider streams: its own package, or L0."""

_EVENT_STREAM: Final = "text/event-stream"
_DRAIN: Final = 0.1  # seconds for what follows the end of an answer, so that its connection is kept
_ABOUT: Final = ("error", "keepalive")
# Of the bytes as they came, which a response made of decoded ones must not claim to have.
_OF_THE_BODY: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def check_transport(transport: str) -> None:
    """Refuse what is no transport.

    Raises:
        ValueError: it is neither `"sdk"` nor `"fast"`.
    """
    if transport not in get_args(Transport):
        raise ValueError(f"transport must be 'sdk' or 'fast', got {transport!r}")


def fast(resource: Any, name: str = "create") -> Callable[..., Awaitable[Any]]:
    """A method of an SDK's resource, such as `client.messages`, whose streams L0 decodes itself.

    The request is the SDK's, with its key, address, timeouts and errors. The stream gives the
    payloads as dicts, which the adapters read as they do the SDK's objects. A body that is no
    `text/event-stream`, such as that of Bedrock, is left to the SDK.
    """
    method = getattr(resource.with_streaming_response, name)

    async def open_stream(*args: Any, **kwargs: Any) -> Any:
        raw = await method(*args, **kwargs).__aenter__()
        try:
            kind = raw.http_response.headers.get("content-type", _EVENT_STREAM)
            if not kind.lower().startswith(_EVENT_STREAM):
                return await raw.parse()
            return await raw.parse(to=_class_for(type(raw).__module__.partition(".")[0]))
        except BaseException:  # nobody else has the response to close it
            await raw.close()
            raise

    return open_stream


@cache
def _class_for(package: str) -> Any:
    """The class of an SDK's fast streams: one of its own streams, so that adapters know them."""
    base: Any = sys.modules[package].AsyncStream
    mean = _anthropic_chunk if package == "anthropic" else _openai_chunk

    class FastStream(base[object]):  # type: ignore[misc]  # known only at run time
        """Iterated, it reads the bytes of its response."""

        __qualname__ = "FastStream"

        def __aiter__(self) -> AsyncIterator[Any]:
            return _read(self, package, mean)

        async def __anext__(self) -> Any:
            self._reading = self.__dict__.get("_reading") or _read(self, package, mean)
            return await anext(self._reading)

        def as_sdk(self) -> AsyncIterator[Any]:
            """As the SDK would have iterated, over the response that is there now."""
            self._iterator = self.__stream__()  # one that was made before may have another
            return super().__aiter__()  # type: ignore[no-any-return]

        async def close(self) -> None:
            """Close the response and its connection."""
            await self.response.aclose()

        aclose = close

    return FastStream


class _Sign(Enum):
    """What is no chunk: nothing, the end, an error the SDK has a class for."""

    NOTHING = 0
    END = 1
    ERROR = 2


async def _read(
    stream: Any, package: str, mean: Callable[[ServerEvent], Any]
) -> AsyncGenerator[Any, None]:
    """The payloads of a response, as they come; it is closed at the end, however that comes."""
    response, sign = stream.response, _Sign
    feed, blocks = SSESplitter().feed, _blocks(response)
    try:
        async for block in blocks:
            for event in feed(block):
                chunk = mean(event)
                if chunk.__class__ is not sign:
                    yield chunk
                elif chunk is sign.END:
                    await _drain(response, blocks)
                    return
                elif chunk is sign.ERROR:
                    async for left in _by_sdk(stream, event):
                        yield left
    except Exception as error:  # of the connection: the SDK may have a class for it
        told = _as_told(error, response, package)
        if told is error:
            raise
        raise told from error
    finally:
        await blocks.aclose()
        await response.aclose()


def _blocks(response: Any) -> AsyncGenerator[bytes, None]:
    """The bytes of the body; those that need no decoding without a layer that would do it."""
    # A response that was read already, as by a hook of the HTTP client, keeps its decoded bytes.
    if "content-encoding" in response.headers or response.is_stream_consumed:
        return response.aiter_bytes()  # type: ignore[no-any-return]
    return response.aiter_raw()  # type: ignore[no-any-return]


async def _by_sdk(stream: Any, event: ServerEvent) -> AsyncIterator[Any]:
    """What the SDK makes of an event that is an error: it raises one of its own."""
    response = stream.response
    headers = [(k, v) for k, v in response.headers.multi_items() if k not in _OF_THE_BODY]
    stream.response = type(response)(
        response.status_code, headers=headers, content=frame(event), request=response.request
    )
    try:
        async for chunk in stream.as_sdk():
            yield chunk
    finally:
        stream.response = response


def _openai_chunk(event: ServerEvent) -> Any:
    """The payload of an event of OpenAI, whose names say nothing that the payload doesn't."""
    data = event.data
    if data.startswith(b"[DONE]"):
        return _Sign.END
    if not data:
        return _Sign.NOTHING
    chunk = payload(data)
    if chunk.__class__ is not dict:
        return chunk
    if chunk.get("error"):
        return _Sign.ERROR
    if chunk.get("type") in _ABOUT and "openai" in sys.modules:
        return _as_object(chunk)
    return chunk


def _as_object(chunk: dict[str, Any]) -> Any:
    """An event about the stream itself as an object of openai's, by which its adapter knows it."""
    from openai.types.responses import ResponseErrorEvent

    return ResponseErrorEvent.construct(**chunk)


def _anthropic_chunk(event: ServerEvent) -> Any:
    """The payload of an event of Anthropic, all of whose events have names."""
    name, data = event
    if name == b"error":
        return _Sign.ERROR
    return payload(data) if name and data and name != b"ping" else _Sign.NOTHING


def _as_told(error: Exception, response: Any, package: str) -> Exception:
    """A fault of the connection as the SDK tells it: openai in classes of its own."""
    if package != "openai":
        return error
    openai = sys.modules["openai"]
    https = [module for name in ("httpx2", "httpx") if (module := sys.modules.get(name))]
    if isinstance(error, tuple(module.TimeoutException for module in https)):
        return openai.APITimeoutError(request=response.request)  # type: ignore[no-any-return]
    broken = [ssl.SSLError, *(module.RequestError for module in https)]
    if anyio := sys.modules.get("anyio"):
        broken.append(anyio.EndOfStream)
    if isinstance(error, tuple(broken)):
        return openai.APIConnectionError(request=response.request)  # type: ignore[no-any-return]
    return error


async def _drain(response: Any, blocks: AsyncIterator[bytes]) -> None:
    """Read on to the end of the body, so that HTTP/1.1 can use its connection again."""
    if response.http_version != "HTTP/1.1":
        return
    # The answer is whole: what goes wrong now is no failure of it.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DRAIN):
            async for _ in blocks:
                pass
