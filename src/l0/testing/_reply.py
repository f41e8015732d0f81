"""What the fault server says to one request: a text, its tools, its speed, and what goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, cast

from l0.testing._faults import Fault, parse_faults

Continuation: TypeAlias = Literal["exact", "overlap", "restate"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "pause"]

_CONTINUATIONS: Final = ("exact", "overlap", "restate", None)
_FINISH_REASONS: Final = ("stop", "length", "tool_calls", "content_filter", "pause")


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A tool call a reply makes; `arguments` given as text are sent as they are, valid or not."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None
    """None: one in the provider's style, the same for the same seed and request."""

    @property
    def raw(self) -> str:
        """The arguments as they go over the wire."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request.

    Args:
        text: what is said; None: what the sim model named in the request says.
        faults: what goes wrong, as text such as `"drop@40"`, or a sequence of such and of `Fault`.
        tokens_per_second: None: as fast as the client reads.
        tool_calls: `ScriptedCall`s, or tuples `(name, arguments)` or `(id, name, arguments)`.
        reasoning: sent before the text: thinking, a reasoning summary, or `reasoning_content`.
        finish_reason: `stop` (`tool_calls` if there are any), `length`, `tool_calls`,
            `content_filter` or `pause`, sent in the provider's own word.
        usage: whether tokens are reported.
        chunk_chars: characters a token; None: words and parts of words, 1 to 8 characters.
        split_bytes: the body in packets of so many bytes; None: whole events.
        continuation: what a request gets that shows at least 12 characters of this answer's
            beginning in one of its last two messages. `exact`: the rest; `overlap`: the rest,
            begun about three words early; `restate`: all of it again; None: such requests are
            not looked for, and a sim model takes the last message for a new question.

    Raises:
        ValueError: naming the field that can't be.

    Example:
        >>> Reply("Hello world", faults="drop@1").faults
        (Fault(kind='drop', at=1, ...),)
    """

    text: str | None = None
    _: KW_ONLY
    faults: Sequence[Fault | str] | str = ()
    tokens_per_second: float | None = None
    tool_calls: Sequence[ScriptedCall | tuple[Any, ...]] = ()
    reasoning: str | None = None
    finish_reason: FinishReason = "stop"
    usage: bool = True
    chunk_chars: int | None = None
    split_bytes: int | None = None
    continuation: Continuation | None = "exact"

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", tuple(_as_faults(self.faults)))
        object.__setattr__(self, "tool_calls", tuple(map(_as_call, self.tool_calls)))
        for name in ("text", "reasoning"):
            said = getattr(self, name)
            if said is not None and not isinstance(said, str):
                raise ValueError(f"{name} must be text or None, not {said!r}")
        speed = self.tokens_per_second
        if speed is not None and not (isinstance(speed, int | float) and speed > 0):
            raise ValueError(f"tokens_per_second must be above 0, not {speed!r}")
        for name in ("chunk_chars", "split_bytes"):
            _check_size(name, getattr(self, name))
        if self.continuation not in _CONTINUATIONS:
            raise ValueError(
                "continuation must be 'exact', 'overlap', 'restate' or None, "
                f"not {self.continuation!r}"
            )
        if self.finish_reason not in _FINISH_REASONS:
            raise ValueError(
                f"finish_reason must be one of {', '.join(_FINISH_REASONS)}, "
                f"not {self.finish_reason!r}"
            )

    @property
    def calls(self) -> tuple[ScriptedCall, ...]:
        """`tool_calls`, each as a `ScriptedCall`."""
        return cast("tuple[ScriptedCall, ...]", self.tool_calls)

    @property
    def fault_list(self) -> tuple[Fault, ...]:
        """`faults`, as they were read."""
        return cast("tuple[Fault, ...]", self.faults)


def chaos_replies(spec: str, *, reply: Reply | None = None) -> list[Reply]:
    """One reply for each fault of a script such as `"drop@40,stall@80"`.

    Each fault hits one request, in order; what comes after them is the server's default, and
    well. `reply` (default `Reply()`) is what they say otherwise.

    >>> len(chaos_replies("429,drop@40"))
    2

    Raises:
        ValueError: as `parse_faults`.
    """
    base = reply or Reply()
    return [replace(base, faults=(*base.fault_list, fault)) for fault in parse_faults(spec)]


def tokenize(text: str, chunk_chars: int | None = None) -> list[str]:
    """`text` in tokens of 1 to 8 characters, a word with the blank before it where it fits.

    The same text gives the same tokens, and `"".join(tokens) == text`. With `chunk_chars`, tokens
    have that many characters each, the last one what is left.

    Raises:
        ValueError: `chunk_chars` is below 1.

    Example:
        >>> tokenize("The keeper sleeps.")
        ['The', ' keeper', ' sleeps', '.']
    """
    if chunk_chars is None:
        return _TOKEN.findall(text)
    _check_size("chunk_chars", chunk_chars)
    return [text[at : at + chunk_chars] for at in range(0, len(text), chunk_chars)]


def fragments(raw: str) -> list[str]:
    """The arguments of a tool call in the pieces they are sent in, two at least if they can be."""
    pieces = tokenize(raw)
    return pieces if len(pieces) > 1 else [raw[:1], *filter(None, [raw[1:]])]


# A word; a piece of a long one; marks; blanks that leave the last one to the word behind them.
_TOKEN: Final = re.compile(r" ?\w{1,7}(?!\w)| ?\w{4}| ?[^\w\s]{1,3}|\s{1,8}(?= \S)|\s{1,8}")


def _check_size(name: str, value: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise ValueError(f"{name} must be 1 or more, not {value!r}")


def _as_faults(given: Sequence[Fault | str] | str) -> Iterator[Fault]:
    for each in [given] if isinstance(given, str) or not isinstance(given, Iterable) else given:
        if isinstance(each, str):
            yield from parse_faults(each)
        elif isinstance(each, Fault):
            yield each
        else:
            raise ValueError(f"faults holds text such as 'drop@40', or Faults, not {each!r}")


def _as_call(call: ScriptedCall | tuple[Any, ...]) -> ScriptedCall:
    if isinstance(call, ScriptedCall):
        return call
    if isinstance(call, tuple) and len(call) == 2:
        return ScriptedCall(call[0], call[1])
    if isinstance(call, tuple) and len(call) == 3:
        return ScriptedCall(call[1], call[2], call[0])
    raise ValueError(
        "tool_calls holds ScriptedCall or tuples (name, arguments) or (id, name, arguments), "
        f"not {call!r}"
    )
