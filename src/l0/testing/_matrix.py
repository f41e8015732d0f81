"""Every fault, on every way to a provider, at every position, under every policy: the cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from l0.stream._fast import Transport
from l0.testing._faults import Fault, list_faults, parse_faults
from l0.testing._matrix_clients import PATHS
from l0.testing._reply import tokenize

TEXT: Final = (
    "The quick brown fox — naïve as ever — jumps over the lazy dog. Ünïcödé, 漢字 and 👩‍🚀 "
    "travel along, e\u0301 and \U0001d4d0 too, and no character of this sentence is lost or "
    "doubled on the way home."
)
CALL: Final = ("get_weather", {"city": "Reykjavík", "days": [1, 2, 3]})
"""The tool call that goes with the text, where a fault is about tool calls."""

Outcome: TypeAlias = Literal["saved", "untouched", "refused"]
"""The complete text after another request; after one, as nothing was wrong; a clear error."""

TRANSPORTS: Final[tuple[Transport, ...]] = get_args(Transport)
"""Who decodes the answers: the provider's package, or L0."""

_COUNT: Final = len(tokenize(TEXT))
POSITIONS: Final[dict[str, int]] = {
    "start": 1,
    "middle": _COUNT // 2,
    "near end": _COUNT - 2,
    "finish": _COUNT,
}
"""Tokens that arrive before a fault; at `finish` the text is whole, and only its end is missing."""

POLICIES: Final = (
    "restart",
    "continuation",
    "continuation +3",
    "continuation ++",
    "fallback",
    "validated",
)
"""What is done about a broken answer.

`continuation` meets a model that goes on exactly, `+3` one that repeats three words, `++` one that
says everything again; `fallback` makes no second attempt, but asks another provider; `validated`
hands nothing over before the answer is complete.
"""

_AT: Final = "@{at}"
_EVERYWHERE: Final = "drop@{at}"
_SAVED: Final = (
    *("408", "429", "429(0.05)", "500", "502", "503", "504", "529", "503(overloaded)"),
    *("drop@{at}", "cut@{at}", "reset@{at}", "eof@{at}", "stall@{at}", "stall_alive@{at}"),
    *("error@{at}", "error@{at}(overloaded_error)", "failed@{at}", "garbage@{at}", "length@{at}"),
    *("tool_cut@{at}", "tool_garbage", "empty", "no_text", "slow_headers(30)", "slow_first(30)"),
    *("split, drop@{at}", "slow(0.001), cut@{at}", "no_finish_usage, eof@{at}"),
)
_TWICE: Final = (
    *("drop@{at} | empty", "cut@{at} | eof@1", "eof@{at} | 503", "reset@{at} | garbage@2"),
    *("error@{at} | drop@0", "length@{at} | cut@5"),
)
"""The second request fails, too."""
_UNTOUCHED: Final = (
    *("slow(0.002)", "split", "split(5)", "no_finish_usage", "stall@{at}(0.05)"),
    *("stall_alive@{at}(0.05)", "slow_headers(0.05)", "slow_first(0.05)"),
)
_REFUSED: Final = ("400", "401", "403", "404", "409", "422", "quota")
_BACKGROUND: Final = ("drop@{at}, no_resume", "eof@{at}, repeat")
"""Only a response that the provider keeps can fail to be taken up again."""
_REDUCED: Final = frozenset({"restart", "continuation", "fallback", "validated"})
"""The policies of the reduced matrix; a dropped connection is played under all, at any place."""
_REDUCED_FAST: Final = frozenset({"restart", "continuation"})
"""Those of its other transports: what else a policy does has nothing to do with who decodes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the matrix.

    Attributes:
        fault: as the fault server reads it, position included; ` | ` stands before what breaks
            the next request.
        path: one of `PATHS`.
        position: one of `POSITIONS`, or `-` where a fault has none.
        policy: one of `POLICIES`.
        expected: what should come of it.
        transport: one of `TRANSPORTS`.
    """

    fault: str
    path: str
    position: str
    policy: str
    expected: Outcome
    transport: Transport = "sdk"

    @property
    def way(self) -> str:
        """The path, and the transport where it is not the provider's own."""
        return self.path if self.transport == "sdk" else f"{self.path} {self.transport}"

    @property
    def replies(self) -> list[str]:
        """What breaks the first request, and the second, if that one fails as well."""
        return self.fault.split(" | ")

    @property
    def kinds(self) -> list[Fault]:
        """All of its faults."""
        return [fault for spelling in self.replies for fault in parse_faults(spelling)]

    def __str__(self) -> str:
        return f"{self.fault} · {self.way} · {self.policy}"


def matrix_cells(
    *, reduced: bool = False, transports: Sequence[Transport] = TRANSPORTS
) -> list[Cell]:
    """The cells of the whole matrix, or of the reduced one: in the middle, four policies.

    Only `drop` keeps all positions and policies there. Every fault the server knows is in either,
    under every transport that is asked for.

    Example:
        >>> len(matrix_cells(reduced=True)) < len(matrix_cells()) / 2
        True
    """
    cells = [*_cells(reduced=reduced)]
    return [
        replace(cell, transport=each)
        for each in transports
        for cell in cells
        if each == "sdk" or not reduced or cell.policy in _REDUCED_FAST
    ]


def missing_faults(cells: list[Cell]) -> set[str]:
    """Kinds of faults the server knows that no cell plays.

    >>> missing_faults(matrix_cells(reduced=True))
    set()
    """
    known = {fault.kind for spelling, _ in list_faults() for fault in parse_faults(spelling)}
    return known - {fault.kind for cell in cells for fault in cell.kinds}


def _cells(*, reduced: bool) -> Iterator[Cell]:
    groups: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
        ("saved", _SAVED + _TWICE),
        ("untouched", _UNTOUCHED),
        ("refused", _REFUSED),
    )
    for expected, spellings in groups:
        for spelling in spellings:
            for path in PATHS:
                yield from _spelled(spelling, path, expected, reduced=reduced)
    for spelling in _BACKGROUND:
        yield from _spelled(spelling, "background", "saved", reduced=reduced)


def _spelled(spelling: str, path: str, expected: Outcome, *, reduced: bool) -> Iterator[Cell]:
    places = POSITIONS if _AT in spelling else {"-": 0}
    if spelling.startswith("tool_cut") and path == "background":
        # The provider keeps the answer as it was then: it is whole behind the last token only.
        places = {"finish": _COUNT}
    elif reduced and _AT in spelling and spelling != _EVERYWHERE:
        places = {"middle": POSITIONS["middle"]}
    for position, at in places.items():
        for policy in POLICIES:
            if reduced and spelling != _EVERYWHERE and policy not in _REDUCED:
                continue
            # Another provider may well answer what this one refuses.
            saved = expected == "refused" and policy == "fallback"
            fault = spelling.format(at=at)
            yield Cell(fault, path, position, policy, "saved" if saved else expected)
