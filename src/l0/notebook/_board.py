"""What a board shows: the story of each run, side by side, and what they came to together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from l0.compose import ConsensusResult, similarity
from l0.notebook._board_marks import Ranges, compare
from l0.notebook._picture import count, words
from l0.notebook._static import _answer
from l0.notebook._story import STATUSES, Story

if TYPE_CHECKING:
    from l0.notebook._board_group import Group
    from l0.notebook._board_handle import BoardHandle

MUCH: Final = 100_000
"""Characters of all answers together; more of them are shown, and not compared word by word."""

_BUSY: Final = frozenset({"streaming", "retrying", "fallback"})


@dataclass(slots=True)
class Verdict:
    """What the runs came to.

    `says` is one sentence about it, `text` an answer that is no run's own; `badges` and `marks` are
    for each run: a word, and where it differs from the answer that stands.
    """

    says: str = ""
    text: str = ""
    winner: int | None = None
    badges: list[str] = field(default_factory=list)
    marks: list[Ranges] = field(default_factory=list)


class Board:
    """Several runs as their view sees them; to a bridge it is what one story is.

    Args:
        group: the runs.
        format: how answers are drawn.
        notes: lines above the runs.

    Example:
        >>> import l0
        >>> from l0.notebook._board_group import Group
        >>> board = Board(Group("race", [l0.run(lambda: ["a"]), l0.run(lambda: ["b"])]))
        >>> board.follow()
        >>> board.status, [card.text for card in board.cards]
        ('waiting', ['', ''])
    """

    text = ""
    model = answers = None
    rows: Sequence[Any] = ()

    def __init__(
        self, group: Group, *, format: str = "markdown", notes: Sequence[str] = ()
    ) -> None:
        self.group = group
        self.format = format
        self.notes = list(notes)
        self.cards: list[Story] = []
        self.error: dict[str, str] | None = None
        self.over = group.outcome is not None
        self.at_end: list[Callable[[], Any]] = []
        """Called when the runs are over."""
        self._verdict: Verdict | None = None

    @classmethod
    def of_handle(cls, handle: BoardHandle) -> Board:
        """The board of runs whose view is not at hand: what their streams tell."""
        from l0.notebook._sources import story_of

        board = cls(handle.group, format=handle.format)
        board.cards = [story_of(each) for each in handle.handles]
        return board

    def follow(self) -> None:
        """Collect what the runs tell from now on."""
        for stream, label in zip(self.group.streams, self.group.labels, strict=True):
            card = Story(model=label, format=self.format)
            card.follow(stream)
            self.cards.append(card)

    def listen(self, listener: Callable[[Any, Any], Any]) -> None:
        """Call `listener` with each event of any run to come, and its row."""
        for card in self.cards:
            card.listen(listener)

    def conclude(self, error: BaseException | None = None) -> None:
        """The runs are over, perhaps because of this."""
        from l0.notebook._failure import advice, without_keys

        self.over = True
        self._verdict = None
        for card, stream in zip(self.cards, self.group.streams, strict=True):
            card.live = False
            card.outcome = card.outcome or stream.outcome or self.group.outcome
            card.state.settle()
        if error is not None:
            self.error = {
                "type": type(error).__name__,
                "message": without_keys(str(error)),
                "hint": without_keys(advice(error)),
            }
        for each in self.at_end:
            each()

    # --- how it stands ---

    @property
    def kind(self) -> str:
        """parallel, race or consensus."""
        return self.group.kind

    @property
    def stream_id(self) -> str:
        """The id of them together."""
        return self.group.stream_id

    @property
    def live(self) -> bool:
        """Whether more may come."""
        return not self.over

    @property
    def started_ms(self) -> float | None:
        """Unix milliseconds of the first event of any run."""
        begun = [card.started_ms for card in self.cards if card.started_ms is not None]
        return min(begun) if begun else None

    @property
    def status(self) -> str:
        """In a word of the views."""
        if self.over:
            return STATUSES.get(str(self.group.outcome), "unfinished")
        if self.group.stopping:
            return "stopping"
        busy = any(card.status in _BUSY or card.text for card in self.cards)
        return "streaming" if busy else "waiting"

    @property
    def facts(self) -> dict[str, Any]:
        """What a page is told beside the stories of the runs."""
        verdict = self.verdict()
        told: dict[str, Any] = {"kind": self.kind, "labels": self.group.labels}
        if self.over:
            told["verdict"] = {
                "says": verdict.says,
                "text": verdict.text,
                "winner": verdict.winner,
                "badges": verdict.badges,
                "spots": verdict.marks,
            }
        return told

    # --- what they came to ---

    def verdict(self) -> Verdict:
        """What the runs came to; nothing before their end."""
        if not self.over:
            return Verdict()
        if self._verdict is None:
            self._verdict = _verdict(self)
        return self._verdict


def _verdict(board: Board) -> Verdict:
    group = board.group
    found = Verdict(winner=group.winner, badges=[""] * len(board.cards))
    if group.outcome != "completed":
        found.winner = None
        if isinstance(group.result, ConsensusResult) and group.outcome == "failed":
            found.says = f"no consensus · {_shares(group.result)}"
        return found
    match board.kind:
        case "race":
            _judge_race(board, found)
        case "consensus":
            _judge_consensus(board, found, group.result)
        case _:
            _judge_parallel(board, found)
    return found


def _judge_race(board: Board, found: Verdict) -> None:
    assert found.winner is not None
    found.says = f"{board.group.labels[found.winner]} was first"
    found.badges[found.winner] = "winner"


def _judge_consensus(board: Board, found: Verdict, result: ConsensusResult) -> None:
    whole = [each for each in result.agreements if not each.path]
    agreed = max(whole, key=lambda each: each.count, default=None)
    together = set(agreed.indices if agreed is not None else ())
    if found.winner is not None:
        together.add(found.winner)
    if found.winner is None:
        found.text = board.group.text
    found.marks = _marks(board, found)
    standing = board.group.text.split()
    for output in result.outputs:
        if output.success:
            same = board.cards[output.index].text.split() == standing
            badge = "agrees" if same else "similar"
            found.badges[output.index] = badge if output.index in together else "differs"
    found.says = _shares(result, "similar" if "similar" in found.badges else "agree")
    if result.status != "success":
        found.says += f" · decided by {words(result.analysis.resolution)}"


def _shares(result: ConsensusResult, word: str = "agree") -> str:
    analysis = result.analysis
    agree = round(analysis.agreement_ratio * analysis.total)
    return f"{agree} of {analysis.total} {word} · confidence {round(result.confidence * 100)} %"


def _judge_parallel(board: Board, found: Verdict) -> None:
    texts = [card.text for card in board.cards if card.outcome == "completed"]
    found.says = count(len(texts), "answer")
    if len(texts) > 1 and sum(map(len, texts)) <= MUCH:
        pairs = [similarity(a, b) for at, a in enumerate(texts) for b in texts[at + 1 :]]
        found.says += f" · {round(100 * sum(pairs) / len(pairs))} % alike"
        found.marks = _marks(board, found)
    found.winner = None


def drawn(text: str, format: str) -> Any:
    """A text that is no run's, as something to draw."""
    return SimpleNamespace(text=text, format=format)


def _marks(board: Board, found: Verdict) -> list[Ranges]:
    """Where each whole answer differs from the one that stands."""
    if sum(len(card.text) for card in board.cards) > MUCH:
        return [[] for _ in board.cards]
    if found.text:
        reference = _answer(drawn(found.text, board.format))
    elif found.winner is not None:
        reference = _answer(board.cards[found.winner])
    else:
        return [[] for _ in board.cards]
    return [
        compare(reference, _answer(card))[1]
        if at != found.winner and card.outcome == "completed"
        else []
        for at, card in enumerate(board.cards)
    ]
