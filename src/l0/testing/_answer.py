"""From a reply and a request to what is said: the text, where it begins, and what a fault spoils.

A request that already shows the beginning of the answer is continued. A sim model is asked with
the last message of the user; when that message asks to go on, with the one before it.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from l0.testing._faults import Fault
from l0.testing._fill import answering
from l0.testing._reply import Reply, ScriptedCall, fragments, tokenize
from l0.testing._sim import SIM_MODELS, SimAnswer, sim_answer
from l0.testing._wire import Answer, Call, Turn, Wire

SHORTEST_BEGINNING: Final = 12
"""Characters of an answer that must stand in a request for it to be a continuation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as its answer depends on it."""

    wire: type[Wire]
    model: str
    body: Mapping[str, Any]
    turns: Sequence[Turn]
    seed: int
    number: int
    """Counts the requests of a server, so that ids differ."""
    created: int
    """Unix seconds."""


def compose(
    reply: Reply, faults: Sequence[Fault], asked: Asked, *, unbroken: bool = False
) -> tuple[Answer, int]:
    """The answer, and how many characters of it the request already shows.

    With `unbroken` it is as the model wrote it, whatever becomes of the connection.
    """
    said, shown = _said(reply, asked)
    start = _start(said.text, shown, reply)
    tokens = tokenize(said.text[start:], reply.chunk_chars)
    reasoning = said.reasoning
    finish_reason = str(reply.finish_reason)
    calls = said.tool_calls
    limit = asked.wire.max_tokens(asked.body) if reply.text is None else None
    if limit is not None and 0 < limit < len(tokens):
        tokens, calls, finish_reason = tokens[:limit], (), "length"
    ids = random.Random(f"{asked.seed}:{asked.number}")
    answer = Answer(
        tokens=tokens,
        calls=[_call(call, ids) for call in calls],
        reasoning=tokenize(reasoning, reply.chunk_chars) if reasoning else (),
        finish_reason=finish_reason,
        usage=reply.usage and asked.wire.wants_usage(asked.body),
        input_tokens=sum(3 + len(tokenize(turn.text)) for turn in asked.turns),
        model=asked.model,
        id=_id(ids),
        created=asked.created,
        background=bool(asked.body.get("background")),
    )
    for fault in faults:
        answer = _spoil(answer, fault, ids)
        if fault.kind == "tool_cut" and not unbroken:
            answer = replace(answer, calls=[_first_half(answer.calls[0])])
    return answer, shown


def beginning_shown(text: str, turns: Sequence[Turn]) -> int:
    """How many characters of the beginning of `text` one of the last two messages holds.

    0 below 12 characters, and where the whole text stands in a message of the assistant that
    others follow: that answer was given, and this is a new question.
    """
    if len(text) < SHORTEST_BEGINNING:
        return 0
    last = turns[-2:]
    found = 0
    for index, turn in enumerate(last):
        length = _longest_prefix(text, turn.text)
        answered = turn.role == "assistant" and index + 1 < len(last)
        if not (answered and length == len(text)):
            found = max(found, length)
    return found


def _longest_prefix(text: str, shown: str) -> int:
    """The longest prefix of `text` in `shown`; a prefix of one that occurs occurs too."""
    if text[:SHORTEST_BEGINNING] not in shown:
        return 0
    low, high = SHORTEST_BEGINNING, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text[:middle] in shown:
            low = middle
        else:
            high = middle - 1
    return low


def _said(reply: Reply, asked: Asked) -> tuple[SimAnswer, int]:
    looks = reply.continuation is not None
    if reply.text is not None:
        shown = beginning_shown(reply.text, asked.turns) if looks else 0
        return SimAnswer(reply.text, reply.calls, reply.reasoning), shown
    said, shown = _simulated(asked, looks=looks)
    return (
        SimAnswer(
            said.text,
            reply.calls or said.tool_calls,
            reply.reasoning or (said.reasoning if asked.wire.wants_reasoning(asked.body) else None),
        ),
        shown,
    )


def _simulated(asked: Asked, *, looks: bool) -> tuple[SimAnswer, int]:
    model = asked.model.removeprefix("sim:")
    model = model if model in SIM_MODELS else "story"
    questions = [turn.text for turn in asked.turns if turn.role == "user"] or [""]
    results = _last_results(asked.turns)
    asked_seed = asked.body.get("seed")
    seed = asked_seed if isinstance(asked_seed, int) else asked.seed
    latest = len(questions) - 1
    # The message before the last is the question when the last one only says to go on.
    for index in (latest - 1, latest) if looks else ():
        if index >= 0:
            said = _asked_of(asked, model, questions[index], seed + index, results)
            if shown := beginning_shown(said.text, asked.turns):
                return said, shown
    return _asked_of(asked, model, questions[latest], seed + latest, results), 0


def _asked_of(
    asked: Asked, model: str, question: str, seed: int, results: Sequence[str]
) -> SimAnswer:
    """What a sim model says; `sim:json` keeps to the schema of a request, where it has one."""
    said = sim_answer(model, question, seed, results)
    schema = _schema_of(asked.body) if model == "json" else None
    if schema is None:
        return said
    return replace(said, text=answering(schema, said.text, f"{question.strip()}\n{seed}"))


def _schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON Schema that a request holds its answer to, in either of OpenAI's forms."""
    chat, text = body.get("response_format"), body.get("text")
    if isinstance(chat, Mapping):
        described = chat.get("json_schema")
    else:
        described = text.get("format") if isinstance(text, Mapping) else None
    schema = described.get("schema") if isinstance(described, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _last_results(turns: Sequence[Turn]) -> list[str]:
    results: list[str] = []
    for turn in reversed(turns):
        if not turn.is_tool_result:
            break
        results.append(turn.text)
    return results[::-1]


def _start(text: str, shown: int, reply: Reply) -> int:
    if reply.continuation == "exact":
        return shown
    if reply.continuation == "overlap" and shown:
        near = max(0, shown - 200)
        words = [near + word.start() for word in re.finditer(r"\S+", text[near:shown])]
        return words[-3] if len(words) >= 3 else near
    return 0


def _spoil(answer: Answer, fault: Fault, ids: random.Random) -> Answer:
    """What a fault of the model itself, not of the connection, makes of an answer."""
    match fault.kind:
        case "length":
            tokens = answer.tokens[: fault.at]
            return replace(answer, tokens=tokens, calls=(), finish_reason="length")
        case "no_text":
            return replace(answer, tokens=(), calls=(), reasoning=())
        case "no_finish_usage":
            return replace(answer, usage=False)
        case "tool_garbage":
            calls = answer.calls or (_call(_SOME_CALL, ids),)
            return replace(
                answer, calls=[_refill(call, call.raw[:-1] + ", oops") for call in calls]
            )
        case "tool_cut":
            calls = answer.calls[:1] or (_call(_SOME_CALL, ids),)
            return replace(answer, tokens=answer.tokens[: fault.at], calls=calls)
        case _:
            return answer


_SOME_CALL: Final = ScriptedCall("get_weather", {"city": "Lisbon", "unit": "celsius"})


def _call(call: ScriptedCall, ids: random.Random) -> Call:
    return Call(call.id or f"call_{_id(ids)}", call.name, fragments(call.raw))


def _first_half(call: Call) -> Call:
    """A call that breaks off: as JSON it can't be right, unless it had no arguments at all."""
    return replace(call, fragments=call.fragments[: (len(call.fragments) + 1) // 2])


def _refill(call: Call, raw: str) -> Call:
    return replace(call, fragments=fragments(raw))


def _id(ids: random.Random) -> str:
    return "".join(ids.choices(string.ascii_letters + string.digits, k=24))
