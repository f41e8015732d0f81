"""LiteLLM: any provider behind it, in the chunks of Chat Completions."""

from __future__ import annotations

from typing import Any

from l0.adapters._openai import OpenAIAdapter
from l0.adapters._values import roots


class LiteLLMAdapter(OpenAIAdapter):
    """LiteLLM's stream wrappers; options are `OpenAIAdapterOptions`."""

    name: str = "litellm"

    def detect(self, stream: Any) -> bool:
        """Whether its class comes from the litellm package."""
        return "litellm" in roots(type(stream))

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether its class comes from the litellm package."""
        return "litellm" in roots(type(chunk))
