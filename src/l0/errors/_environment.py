"""The keys in this process's environment: secrets whatever they look like."""

from __future__ import annotations

import os
from typing import Final

NAMES: Final = (
    "OPENAI_API_KEY",
    "OPENAI_ADMIN_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "AZURE_OPENAI_API_KEY",
    "AZURE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "MISTRAL_API_KEY",
    "COHERE_API_KEY",
    "GROQ_API_KEY",
    "TOGETHER_API_KEY",
    "OPENROUTER_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "FIREWORKS_API_KEY",
    "PERPLEXITY_API_KEY",
    "REPLICATE_API_TOKEN",
    "HF_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""The variables in which providers' clients look for their keys."""

_SHORTEST = 12  # characters; what is shorter is a placeholder, or stands in ordinary text too


def keys_in_environment() -> tuple[str, ...]:
    """The values of these variables, as they are now.

    Example:
        >>> os.environ["GROQ_API_KEY"] = "gsk-of-the-example"
        >>> "gsk-of-the-example" in keys_in_environment()
        True
        >>> del os.environ["GROQ_API_KEY"]
    """
    found = (value for name in NAMES if (value := os.environ.get(name)))
    return tuple(dict.fromkeys(key for each in found if len(key := each.strip()) >= _SHORTEST))
