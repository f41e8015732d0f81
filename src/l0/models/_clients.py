"""Provider clients, built once a loop, with keys from the environment that nobody is shown."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

from l0.models import _sim
from l0.stream._fast import Transport, check_transport

KEYS: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
BASE_URLS: Final = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}


def key_of(provider: str) -> str | None:
    """The key from the environment; never shown or recorded.

    Example:
        >>> import os
        >>> key_of("openai") == (os.environ.get("OPENAI_API_KEY") or None)
        True
    """
    return (os.environ.get(KEYS[provider]) or "").strip() or None


def base_url_of(provider: str) -> str | None:
    """The address from the environment; None: the provider's own.

    Example:
        >>> import os
        >>> base_url_of("openai") == (os.environ.get("OPENAI_BASE_URL") or None)
        True
    """
    return (os.environ.get(BASE_URLS[provider]) or "").strip() or None


class Clients:
    """One client a provider, address and loop: connections are kept, and belong to their loop."""

    def __init__(self, transport: Transport = "sdk") -> None:
        check_transport(transport)
        self.transport: Transport = transport
        """Who decodes what they stream: the provider's package, or L0 (`"fast"`)."""
        self._open: dict[tuple[Any, ...], tuple[asyncio.AbstractEventLoop, Any]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def load(self, via: str) -> None:
        """Import the provider's package.

        Raises:
            ValueError: it is not installed.
        """
        try:
            __import__(via)
        except ImportError as error:
            raise ValueError(f"{via} is not installed: pip install {via} ({error})") from None

    def get(self, via: str, *, local: bool) -> Any:
        """The client for the running loop; a local one speaks to the fault server."""
        loop = asyncio.get_running_loop()
        if local:
            running = _sim.server()
            url = running.anthropic_base_url if via == "anthropic" else running.base_url
            key: str | None = "local"
        else:
            url, key = base_url_of(via), key_of(via) or "none"
        place = (via, url, key, id(loop))
        found = self._open.get(place)
        if found is None or found[0] is not loop:
            self._let_go()
            found = self._open[place] = (loop, _client(via, url, key, local=local))
        return found[1]

    def _let_go(self) -> None:
        """Forget clients of loops that are closed: nobody can use, or close, them any more."""
        for place, (loop, _) in list(self._open.items()):
            if loop.is_closed():
                self._open.pop(place, None)

    async def aclose(self) -> None:
        """Close every client, and wait for those of this loop."""
        self.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def close(self) -> None:
        """Close every client on its own loop."""
        kept, self._open = list(self._open.values()), {}
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        for loop, client in kept:
            if loop.is_closed():
                continue
            if loop is here:
                task = loop.create_task(client.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(client.close(), loop)
            elif here is None:
                loop.run_until_complete(client.close())


def _client(via: str, url: str | None, key: str | None, *, local: bool) -> Any:
    if via == "anthropic":
        import anthropic as sdk

        build: Any = sdk.AsyncAnthropic
    else:
        import openai as sdk  # type: ignore[no-redef]

        build = sdk.AsyncOpenAI  # type: ignore[attr-defined]
    options: dict[str, Any] = {"api_key": key, "base_url": url, "max_retries": 0}
    if local:  # a proxy from the environment would not find this machine's own loopback
        options["http_client"] = sdk.DefaultAsyncHttpxClient(trust_env=False)
    return build(**options)
