"""LiteLLM: any provider behind it, in the chunks of Chat Completions."""

from __future__ import annotations

from collections.abc import Sequence
from types import AsyncGeneratorType
from typing import Any

from l0.adapters._base import options_of
from l0.adapters._openai import ChatDecoder, OpenAIAdapter, OpenAIAdapterOptions
from l0.adapters._values import roots
from l0.events import Event

# What LiteLLM reads from where no provider answers: its mocks and its cache.
_NO_TRANSPORT = (AsyncGeneratorType, list, tuple, str, bytes)


class LiteLLMAdapter(OpenAIAdapter):
    """LiteLLM's stream wrappers; options are `OpenAIAdapterOptions`."""

    name: str = "litellm"

    def decoder(self, options: Any = None, stream: Any = None) -> ChatDecoder:
        """A fresh decoder; the stream says what the provider itself has said of its end."""
        chosen = options_of(OpenAIAdapterOptions, options)
        wrapper = stream if _asks_a_provider(stream) else None
        required = chosen.require_finish
        if required == "auto":
            required = wrapper is not None or chosen.requires_finish(stream)
        return LiteLLMDecoder(self.name, chosen, require_finish=required, wrapper=wrapper)

    def detect(self, stream: Any) -> bool:
        """Whether its class comes from the litellm package."""
        return "litellm" in roots(type(stream))

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether its class comes from the litellm package."""
        return "litellm" in roots(type(chunk))


class LiteLLMDecoder(ChatDecoder):
    """Reads one answer that LiteLLM has translated.

    LiteLLM ends every answer with a finish reason: where the body broke off without one, it makes
    up `stop`, or `tool_calls` for calls that are half there. Its wrapper notes what the provider
    said; only that counts, so that a cut answer is told from a whole one.
    """

    def __init__(
        self,
        name: str,
        options: OpenAIAdapterOptions,
        *,
        require_finish: bool = False,
        wrapper: Any = None,
    ) -> None:
        super().__init__(name, options, require_finish=require_finish)
        self._wrapper = wrapper

    def _finish_choice(self, reason: str) -> Sequence[Event]:
        return () if self._is_made_up() else super()._finish_choice(reason)

    def _is_made_up(self) -> bool:
        wrapper = self._wrapper
        if wrapper is None:
            return False
        said = wrapper.received_finish_reason
        return not said and not getattr(wrapper, "intermittent_finish_reason", None)


def _asks_a_provider(stream: Any) -> bool:
    """Whether it is a wrapper around a provider's answer, rather than a mock or the cache."""
    if not hasattr(stream, "received_finish_reason"):
        return False
    inner = getattr(stream, "completion_stream", None)
    if inner is None:  # the request is still to be made
        return getattr(stream, "make_call", None) is not None
    return not isinstance(inner, _NO_TRANSPORT)
