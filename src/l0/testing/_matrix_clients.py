"""The ways to a provider that the fault matrix takes: each through the provider's own client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

QUESTION: Final = "Say it."


@dataclass(frozen=True, slots=True)
class Path:
    """One way to a provider: its client, and how a stream is asked of it.

    `connect(server)` makes the SDK's asynchronous client for a fault server; `ask(client)` opens
    a stream with it, or a reliable one where the client is wrapped.
    """

    name: str
    connect: Callable[[Any], Any]
    ask: Callable[[Any], Any]


def openai_client(server: Any) -> Any:
    """The asynchronous client of `openai`, for a fault server."""
    import openai

    return openai.AsyncOpenAI(base_url=server.base_url, api_key="test", http_client=_plain(openai))


def anthropic_client(server: Any) -> Any:
    """The asynchronous client of `anthropic`, for a fault server."""
    import anthropic

    return anthropic.AsyncAnthropic(
        base_url=server.anthropic_base_url,
        api_key="test",
        http_client=_plain(anthropic),
    )


def _plain(sdk: Any) -> Any:
    # The SDK's own transport. There is no TLS on loopback, and loading certificates takes longer
    # than a whole answer.
    return sdk.DefaultAsyncHttpxClient(verify=False)


def ask_chat(client: Any, **more: Any) -> Any:
    """A stream of Chat Completions; `more` are further fields of the request."""
    messages = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model="gpt-test", messages=messages, stream=True, **more)


def ask_responses(client: Any, **more: Any) -> Any:
    """A stream of Responses."""
    return client.responses.create(model="gpt-test", input=QUESTION, stream=True, **more)


def ask_background(client: Any, **more: Any) -> Any:
    """A stream of a response that the provider keeps, so that it can be taken up again."""
    return ask_responses(client, background=True, **more)


def ask_messages(client: Any, **more: Any) -> Any:
    """A stream of Anthropic Messages."""
    messages = [{"role": "user", "content": QUESTION}]
    return client.messages.create(
        model="claude-test", max_tokens=1000, messages=messages, stream=True, **more
    )


PATHS: Final[dict[str, Path]] = {
    path.name: path
    for path in (
        Path("openai", openai_client, ask_chat),
        Path("responses", openai_client, ask_responses),
        Path("background", openai_client, ask_background),
        Path("anthropic", anthropic_client, ask_messages),
    )
}
"""Chat Completions, Responses, Responses the provider keeps, Anthropic Messages."""

OTHER: Final[dict[str, str]] = {
    "openai": "anthropic",
    "responses": "anthropic",
    "background": "anthropic",
    "anthropic": "openai",
}
"""Whom the fallback of each path asks: another provider, with another client."""
