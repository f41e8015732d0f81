"""The openai client alone: the baseline, which makes nothing reliable."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable

name = "openai"


def available() -> str | None:
    """Why it can't be measured here."""
    return None if importlib.util.find_spec("openai") else "pip install openai"


def opener(base_url: str) -> Callable[[], AsyncIterator[str]]:
    """A function that opens a stream of an answer's texts."""
    import openai

    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)

    async def stream() -> AsyncIterator[str]:
        chunks = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "?"}], stream=True
        )
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    return stream
