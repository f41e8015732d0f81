"""This library over the openai client, decoding the bytes itself."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable

name = "l0 over openai, fast transport"


def available() -> str | None:
    """Why it can't be measured here."""
    return None if importlib.util.find_spec("openai") else "pip install openai"


def opener(base_url: str) -> Callable[[], AsyncIterator[str]]:
    """A function that opens a stream of an answer's texts."""
    import openai

    import l0

    plain = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    client = l0.wrap(plain, transport="fast")

    async def stream() -> AsyncIterator[str]:
        async for event in client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "?"}], stream=True
        ):
            if event.text:
                yield event.text

    return stream
