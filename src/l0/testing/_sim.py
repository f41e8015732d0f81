"""The sim models: answers without a provider, the same for the same prompt and seed."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from l0.testing._prose import long
from l0.testing._reply import ScriptedCall
from l0.testing._texts import code, markdown, story, unicode

SIM_MODELS: Final[dict[str, str]] = {
    "story": "a short story, about 220 words",
    "json": "one JSON document, about 40 lines; where a schema is asked for, data of its form",
    "code": "a Python function with its explanation, in Markdown",
    "markdown": "a page with headings, lists, a table, a quote, code and a link",
    "tools": "a sentence and two parallel calls of get_weather; then what they returned",
    "unicode": "many scripts: joined emoji, combining marks, right to left, astral letters",
    "long": "about 20,000 tokens of prose that never repeats a sentence",
}
"""What each sim model says; `sim:story` and `story` name the same one."""


@dataclass(frozen=True, slots=True)
class SimAnswer:
    """What a sim model says to one prompt."""

    text: str
    tool_calls: tuple[ScriptedCall, ...] = ()
    reasoning: str | None = None
    """Sent only where the request asks for reasoning."""


def sim_answer(
    model: str, prompt: str, seed: int = 0, tool_results: Sequence[str] = ()
) -> SimAnswer:
    """The answer of `model` to `prompt`; `tool_results` are what its calls came back with.

    >>> sim_answer("sim:story", "hello") == sim_answer("story", "hello")
    True

    Raises:
        KeyError: naming the known models.
    """
    name = model.removeprefix("sim:")
    if name not in SIM_MODELS:
        raise KeyError(f"no sim model {model!r}; there are {', '.join(known_models())}")
    if name == "tools":
        return _tools(_generator(name, prompt, seed), prompt, tool_results)
    return _answer(name, prompt, seed)


def known_models() -> list[str]:
    """Every sim model by its full name, `sim:story` and so on.

    Example:
        >>> "sim:story" in known_models()
        True
    """
    return [f"sim:{name}" for name in SIM_MODELS]


@lru_cache(maxsize=64)
def _answer(name: str, prompt: str, seed: int) -> SimAnswer:
    pick = _generator(name, prompt, seed)
    if name == "code":
        text, reasoning = code(pick)
        return SimAnswer(text, reasoning=reasoning)
    return SimAnswer(_TEXTS[name](pick))


def _generator(name: str, prompt: str, seed: int) -> random.Random:
    # It starts from a checksum: `hash()` of text differs from process to process.
    return random.Random(zlib.crc32(f"{name}\n{seed}\n{prompt.strip()}".encode("utf-8", "replace")))


def _json(pick: random.Random) -> str:
    start = pick.randint(0, 9)
    readings = [
        {
            "hour": f"{hour:02d}:00",
            "wind": {"knots": pick.randint(3, 41), "from": pick.choice(_WINDS)},
            "pressure_hpa": round(pick.uniform(982, 1031), 1),
            "visible": pick.choice(_SEEN),
        }
        for hour in range(start, start + 9, 4)
    ]
    document = {
        "station": pick.choice(("Farrow Rock", "Cape Lament", "Grey Tooth")),
        "position": {
            "latitude": round(pick.uniform(48, 62), 4),
            "longitude": round(pick.uniform(-11, 4), 4),
            "height_m": pick.randint(19, 58),
        },
        "keeper": {"name": pick.choice(NAMES), "since": pick.randint(1871, 1899), "cat": True},
        "lamp": {"rhythm_s": [2.5, 0.5, 2.5, 9.5], "colour": "white", "replaced": None},
        "readings": readings,
        "remarks": pick.choice(_REMARKS),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


NAMES: Final = ("Marta Oyelaran", "Ingrid Solheim", "Tomas Arreguy", "Philippa Quill")
_WINDS: Final = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
_SEEN: Final = ("nothing", "two sails", "a steamer, lights in order", "the moon, twice", "herring")
_REMARKS: Final = (
    "Telegraph down 00:40 to 01:10. Asked for the rest, not for all of it.",
    'Fog. The word of the night was "again".',
    "Message received in two pieces. Nothing was lost between.",
)


def _tools(pick: random.Random, prompt: str, tool_results: Sequence[str]) -> SimAnswer:
    # The cities the prompt names, in its order, filled up to two.
    named = sorted((city for city in _CITIES if city in prompt), key=prompt.index)
    others = [city for city in pick.sample(_CITIES, 4) if city not in named]
    first, second = (named + others)[:2]
    if tool_results:
        found = "\n".join(f"- {' '.join(result.split())}" for result in tool_results)
        return SimAnswer(f"Here is what the stations report:\n\n{found}\n\nTake a coat anyway.")
    return SimAnswer(
        f"I'll ask both stations at once, {first} and {second}.",
        (
            ScriptedCall("get_weather", {"city": first, "unit": "celsius"}),
            ScriptedCall("get_weather", {"city": second, "unit": "celsius"}),
        ),
    )


_CITIES: Final = (
    "Bergen", "Lisbon", "Oslo", "Paris", "Reykjavík", "Valparaíso", "Berlin", "London", "Tokyo",
    "New York", "Nairobi", "Sydney",
)  # fmt: skip

_TEXTS: Final[dict[str, Callable[[random.Random], str]]] = {
    "story": story,
    "json": _json,
    "markdown": markdown,
    "unicode": unicode,
    "long": long,
}
