"""LiteLLM's `acompletion`, its own client behind it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator, Callable

name = "litellm"


def available() -> str | None:
    """Why it can't be measured here."""
    return None if importlib.util.find_spec("litellm") else "pip install litellm"


def opener(base_url: str) -> Callable[[], AsyncIterator[str]]:
    """A function that opens a stream of an answer's texts."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it is fetched at import
    import litellm

    litellm.suppress_debug_info = True

    async def stream() -> AsyncIterator[str]:
        chunks = await litellm.acompletion(
            model="openai/m",
            api_base=base_url,
            api_key="none",
            messages=[{"role": "user", "content": "?"}],
            stream=True,
            max_retries=0,
        )
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    return stream
