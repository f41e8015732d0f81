"""Runs that have secrets wherever a run can have them, and what was written down of them."""

from __future__ import annotations

from secret_corpus import CORPUS, Made

import l0
from l0.testing import ScriptedModel, fail, tool

SAMPLES = {entry.name: entry.made() for entry in CORPUS}
_PIECE = 8


def pieces(secret: str) -> list[str]:
    """Parts of a secret that are long enough to tell of it."""
    if len(secret) <= _PIECE:
        return [secret]
    last = len(secret) - _PIECE
    return [secret[at : at + _PIECE] for at in {0, last // 2, last}]


_PIECES = [(name, each) for name, made in SAMPLES.items() for each in pieces(made.secret)]
_BYTES = [(name, each.encode()) for name, each in _PIECES]


def leaks(told: str | bytes) -> list[str]:
    """The names of the shapes of which a part is to be seen."""
    known = _BYTES if isinstance(told, bytes) else _PIECES
    return sorted({name for name, piece in known if piece in told})


def batches(size: int = 50) -> list[list[Made]]:
    """The corpus in parts that one run can carry."""
    made = list(SAMPLES.values())
    return [made[at : at + size] for at in range(0, len(made), size)]


class Told(Exception):
    """Somebody else's error, which says too much."""

    def __init__(self, message: str, body: object) -> None:
        super().__init__(message)
        self.body = body

    def __repr__(self) -> str:
        return f"Told({self.args[0]!r}, body={self.body!r})"


def failure(text: str) -> Told:
    """An error with a cause, a context, notes and a group behind it, all of which tell."""
    try:
        try:
            raise KeyError(text)
        except KeyError:
            raise ConnectionError(text) from ExceptionGroup(text, [ValueError(text)])
    except ConnectionError as cause:
        error = Told(text, {"message": text})
        error.__cause__ = cause
        error.add_note(text)
        return error


def meta_of(made: list[Made]) -> dict[str, object]:
    """What callers hand along: nested, in lists, as bytes, as names."""
    texts = [each.text for each in made]
    return {
        "model": "m",
        "note": "\n".join(texts),
        "nested": [{"deep": [texts]}, tuple(texts)],
        "bytes": [each.encode() for each in texts],
        "headers": [["Authorization", "Bearer otter7"], ("x-api-key", made[0].secret)],
        "raw": {b"authorization": b"Basic b3R0ZXI3", "DB_PASSWORD": made[1].secret},
        texts[2]: "as a name",
    }


def model(made: list[Made]) -> ScriptedModel:
    """Each place of a run has each of the secrets: tokens, tools, reasoning, errors, rules."""
    text = "\n".join(each.text for each in made)
    token = l0.events.Event(l0.events.EventType.TOKEN, "x ", data={"note": text})
    thought = l0.events.Event(l0.events.EventType.MESSAGE, text, data={"kind": "reasoning"})
    call = tool("1", "look", {"note": text, "list": [{"password": made[0].secret}]})
    return ScriptedModel(
        [fail(failure(text))],
        [token, thought, call, fail(failure(f"again: {text}"))],
        [*(text[at : at + 3] for at in range(0, len(text), 3)), "\n bad"],
        [f"So:\n{text}\nend"],
        [fail(TypeError(text))],
    )


async def play(made: list[Made], **options: object) -> l0.stream.Stream:
    """A run through all of it, to the error at its end."""
    text = made[0].text
    stream = l0.run(
        model(made),
        meta=meta_of(made),
        retry=l0.Retry(attempts=9, max_retries=9, base_delay=0),
        guardrails=[
            l0.custom_pattern_rule([r"\bbad\b"], f"bad {text}", name=f"rule {text}"),
            l0.custom_pattern_rule([r"^So:"], f"so {text}", name="so"),
        ],
        **options,
    )
    try:
        await stream.read()
    except TypeError:
        return stream
    raise AssertionError("the run should have failed")
