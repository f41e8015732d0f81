"""Texts that provoke every rule and detector, and ways to feed them in pieces."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import strategies as st

from l0.guardrails import DriftConfig, DriftDetector, GuardrailContext, GuardrailEngine

_WORDS = [
    *("river", "morning", "ferryman", "patience", "someone", "stone", "light", "window", "against"),
    *("under", "slowly", "another", "letter", "garden", "between", "heavy", "silver", "always"),
    *("number", "question", "water", "thought", "behind", "evening", "small", "carry", "winter"),
    *("table", "answer", "copper", "distant", "travel", "narrow", "open", "shadow", "music"),
    *("paper", "north"),
]


def prose(length: int, seed: int = 1) -> str:
    """Plain sentences that repeat nothing and use no telltale phrase."""
    dice = random.Random(seed)
    parts = []
    size = 0
    while size < length:
        words = [dice.choice(_WORDS) + dice.choice(("", "", "s", "ed")) for _ in range(9)]
        sentence = f"{' '.join(words).capitalize()} {dice.randrange(10**6)}. "
        parts.append(sentence)
        size += len(sentence)
    return "".join(parts)[:length]


def noise(length: int, seed: int = 2) -> str:
    """Characters without any pattern, as in base64."""
    dice = random.Random(seed)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(dice.choice(alphabet) for _ in range(length))


FRAGMENTS = (
    # fences, tables, code spans
    "```", "```json\n", "```python\n", "```\n", "~~~", "~~~~\n", "\n", "\n\n", "   ", "    ", "`",
    "``", "| a | b |\n", "|---|---|\n", "| 1 |\n", "| 1 | 2 |\n", "a | `b|c` | d\n", "\\|", "|",
    # LaTeX
    "\\begin{align}", "\\end{align}", "\\begin{verbatim}", "\\end{verbatim}", "\\[", "\\]", "\\(",
    "\\)", "$$", "$", "\\alpha ", "\\\\",
    # JSON
    "{", "}", "[", "]", '"', "\\", ":", ",", "1", "-2.5e", "true", "nul", '{"a": [1, 2', '"}]}',
    # phrases and what resembles them
    "As an AI", "as an\nai", "as  an ai ", "I cannot", "cannot", "can\u2019t", "I'm sorry but ",
    "unfortunately", "[insert ", "[your name]", "{{", "}}", "xxx", "x", "lorem ipsum",
    "here is the json", "<|im_start|>", "[INST]", "### Instruction:", "### Response", "User:",
    "Assistant:", "i was asked to ", "secret", "Secret code 12345 ", "sec",
    # loops and sentences
    "the ", "the the the the the the the the the ", "na" * 40, "=" * 30, "ha ha ",
    "The same old story goes on and on. ", "The same old story goes on and on!\n",
    "\u53e4\u6c60\u3084\u86d9\u98db\u3073\u8fbc\u3080\u6c34\u306e\u97f3\u53e4\u6c60\u3084\u86d9\u98db\u3073\u8fbc\u3080\u6c34\u306e\u97f3\u3002",
    "to be or not to be that is the question " * 6, "we go on ", "1. ", "- ", "> ", "# ",
    # manner
    "Sure!", "Of course.", "therefore ", "gonna wanna kinda yeah ", "moreover, thus hence ",
    "# Title\n", "- item\n", "**bold** ", "[link](http://x) ", "*it* ",
    # characters
    " ", "\t", "\r\n", ".", "!", "...", "\u2026", "\u00e9", "\u4e2d", "\u3002", "\u0130", "\u00a0",
    "\u200b", "\U0001f600",
    prose(150), prose(650, 3), noise(160),
)  # fmt: skip

PLAIN = (
    "Hello! Nice to meet you.",
    "[1] Smith et al. describe the {method} in detail.",
    "In other words, it works. To clarify, it does. Here is the plan: begin.",
    "# Plan\n\n- one\n- two\n\n```python\nprint({1: [2]})\n```\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    '{"a": [1, 2, {"b": null}]}',
    '```json\n{"a": 1}\n```',
    "It costs $5, or $$ if you like.",
    "So \\(x^2\\) and \\begin{align} y \\end{align}.",
    "42",
    prose(4000),
)

BEGINNINGS = (
    "", "", "", "", '{"a": [1', "[1, ", "```json\n", '{"a": "b\\', '[["x", true, ', "Sure!\n",
    " \n Of course.\n\n", '{"a": 1} ', "[1] ", "[1]", '{"x": [1, 2], "y": "\u00e9"}',
    '```json\n{"a": 1}\n```\n', "```json\n[1, \n```\n", prose(700) + noise(150),
    "# A\n\n- **b**: c\n- **d**: e\n\n" + prose(1700, 5),
    "gonna wanna kinda yeah lol " + prose(118) + "therefore moreover thus hence ",
)  # fmt: skip


def provoking_text(seed: int) -> str:
    """Up to thirty fragments in a row."""
    dice = random.Random(seed)
    middle = (dice.choice(FRAGMENTS) for _ in range(dice.randrange(31)))
    return dice.choice(BEGINNINGS) + "".join(middle)


# Seeded texts are rich in findings; the lists of fragments shrink to readable failures.
texts = st.one_of(
    st.integers(0, 10**9).map(provoking_text),
    st.integers(0, 10**9).map(provoking_text),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=12).map("".join),
)


@st.composite
def cut_texts(draw, source=texts):
    """A text and where to cut it."""
    text = draw(source)
    if not text:
        return text, []
    return text, sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))


def pieces(text, cuts):
    """The text cut at these offsets."""
    edges = [0, *cuts, len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def every(text, size):
    """The text in pieces of so many characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def judged(rules, parts, *, finish=True):
    """What an engine finds in these pieces, in the order in which it finds it."""
    engine = GuardrailEngine(rules, stop_on_fatal=False)
    text = ""
    found = []
    for part in parts:
        text += part
        found += engine.feed(part, GuardrailContext(text))
    if finish:
        found += engine.finish(GuardrailContext(text, completed=True))
    return found


def told(rules, parts, **options):
    """The same as a set of what makes violations equal."""
    return {(v.rule, v.position, v.message) for v in judged(rules, parts, **options)}


def drifts(parts, config: DriftConfig | None = None, *, finish=True):
    """The kinds of drift in these pieces."""
    detector = DriftDetector(config)
    kinds = [kind for part in parts for kind in detector.feed(part).types]
    if finish:
        kinds += detector.finish().types
    assert len(kinds) == len(set(kinds)), "each kind is given once"
    return set(kinds)
