"""The request that asks a model to go on where its answer broke off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def continue_messages(
    messages: Iterable[Any], checkpoint: str, prompt: str | None = None
) -> list[Any]:
    """The conversation and one more turn of the user: what has come so far, and to go on there.

    A turn of the user is understood by every provider; current models refuse an answer begun for
    them. The messages themselves are not changed, and an empty checkpoint adds nothing.

    Args:
        messages: as they are sent, in the form of any provider.
        checkpoint: the text that stands; the answer is to go on behind its last character.
        prompt: said instead of the text of `continuation_prompt`, where the caller made one.

    Example:
        >>> more = continue_messages([{"role": "user", "content": "Count to 5."}], "1, 2, ")
        >>> more[-1]["role"], "<so_far>1, 2, </so_far>" in more[-1]["content"]
        ('user', True)
    """
    if not checkpoint:
        return list(messages)
    said = continuation_prompt(checkpoint) if prompt is None else prompt
    return [*messages, {"role": "user", "content": said}]


def continuation_prompt(checkpoint: str) -> str:
    """What a model is told that is to go on exactly where `checkpoint` stops.

    The text stands between markers that do not occur in it, with its own blanks at both ends.
    """
    tag = "so_far"
    while f"{tag}>" in checkpoint:
        tag += "_"
    return (
        "Your answer broke off. Everything of it that arrived stands between these markers:\n"
        f"<{tag}>{checkpoint}</{tag}>\n"
        "Go on exactly where it stops. Your first character is the one that follows its last, "
        "even in the middle of a word, a line or a block of code. Repeat nothing of it, don't "
        "mention the break, and don't begin anew."
    )
