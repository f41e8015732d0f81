"""Finds fixed phrases in growing text: a cheap search for rare ends, then a careful look."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

CATEGORIES: dict[str, tuple[str, ...]] = {
    "META_COMMENTARY": (
        "as an ai",
        "as a language model",
        "i am an ai",
        "i'm an ai",
        "my training data",
        "my knowledge cutoff",
        "i was trained",
        "in this response i will",
        "i hope this helps",
    ),
    "HEDGING": (
        "unfortunately",
        "i don't have",
        "i dont have",
        "i'm not sure but",
        "it is important to note",
        "it's worth noting",
        "please note that",
        "i could be wrong",
        "to the best of my knowledge",
        "generally speaking",
    ),
    "REFUSAL": (
        "i cannot",
        "i can't",
        "i am unable to",
        "i'm unable to",
        "i won't be able to",
        "i apologize",
        "i'm sorry but",
        "against my guidelines",
        "i must decline",
        "not able to assist",
    ),
    "INSTRUCTION_LEAK": (
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "[inst]",
        "[/inst]",
        "<<sys>>",
        "### instruction",
        "### response",
        "system prompt:",
        "you are a helpful assistant",
        "my instructions are",
    ),
    "PLACEHOLDERS": (
        "[insert …]",
        "[your …]",
        "[name]",
        "[date]",
        "[placeholder]",
        "{{…}}",
        "<placeholder>",
        "lorem ipsum",
        "xxx…",
    ),
    "FORMAT_COLLAPSE": (
        "here is the json",
        "here's the json",
        "here is your output",
        "here is the code",
        "begin output",
        "end of output",
        "end of response",
    ),
}
"""The phrases of the pattern rule; `…` stands for anything up to the closing bracket."""

_ANYTHING = 100  # characters that `…` may stand for
_BLANK = r"(?:[ \t\xa0]{1,3}|\r?\n)"
_WORD = "ai"  # has no rare letter, but is rare itself: searched for on its own
_ALONE = "\0"
_LETTERS = "kvbpygwfmculdrhsnioate"  # of English, the rarest first
_TELLING = re.compile("[a-z]{5,}")
_STEP, _TOGETHER = 16, 1000  # starts that are looked at together: at first, and at most
_FEW = 8  # words; to look for more takes as long as to look for the cores


class PhraseMatch(NamedTuple):
    """A phrase found: which, the offset where it begins, and the one where it ends."""

    phrase: str
    start: int
    end: int


class PhraseSet:
    """Phrases compiled for lower-cased text; a value that any number of scanners share.

    A blank in a phrase matches one to three blanks or one newline, `'` also its curly form; a
    phrase does not begin or end inside a word.
    """

    __slots__ = (
        "_short",
        "_words",
        "back",
        "cores",
        "keep",
        "overlap",
        "pattern",
        "phrases",
        "reach",
        "unfinished",
    )

    def __init__(self, phrases: Sequence[str]) -> None:
        self.phrases = tuple(sorted(phrases, key=lambda phrase: phrase[0]))
        # Each alternative begins with its first letter, so that the search skips other letters.
        self.pattern = re.compile(
            "|".join(
                f"{letter}(?:{'|'.join(map(_rest, group))})"
                for letter, group in (
                    (_first(letter), tuple(group))
                    for letter, group in groupby(self.phrases, key=lambda phrase: phrase[0])
                )
            )
        )
        cores = {phrase: _core(phrase) for phrase in self.phrases}
        found_by_trie = {core for _, core in cores.values() if core != _WORD}
        self.cores = tuple(
            re.compile(source)
            for source in (
                _any_of(found_by_trie) if found_by_trie else "",
                rf"{_WORD}(?<=\s{_WORD})(?!\w)" if len(found_by_trie) < len(cores) else "",
            )
            if source
        )
        self._words = _telling(self.phrases)
        open_ended = {core for phrase, (_, core) in cores.items() if "…" in phrase}
        self.unfinished = re.compile(_any_of(open_ended) if open_ended else "(?!)")
        self.reach = max(map(_longest, self.phrases))
        """Characters of the longest match."""
        self._short = max((_longest(p) for p in self.phrases if "…" not in p), default=0)
        self.overlap = max(_longest(core) for _, core in cores.values()) - 1
        self.back = max(_longest(phrase[:at]) for phrase, (at, _) in cores.items()) + 1
        self.keep = self.back + self.overlap
        """Characters before undecided text that a scanner has to see again."""

    def find(self, text: str) -> Iterator[PhraseMatch]:
        """Every phrase in the whole text."""
        for found in self.pattern.finditer(lowered(text)):
            yield self.match(found, 0)

    def first_core(self, text: str, pos: int) -> int:
        """As `core`, but may pass over one that stands in no phrase.

        `text` has all of a phrase whose core begins at `pos` or later and is complete.
        """
        cores = self.cores
        if words := self._words:
            for word in words:
                if word in text:
                    break
            else:  # for ten phrases in 1,000 characters this saves 3 of 9 µs
                cores = cores[1:]
        return _first_of(cores, text, pos) if cores else -1

    def matches(self, text: str, pos: int) -> Iterator[re.Match[str]]:
        """As the pattern's own `finditer`, in lower-cased text; in a fifth of its time for prose.

        Only starts near a core are looked at, and cores are rare. Where one follows the other, more
        and more starts are looked at together: no text costs much more than the pattern would.
        """
        size = len(text)
        ahead = [-1 for _ in self.cores]  # where the next core of each kind begins
        decided = pos
        step = 0
        while (at := _next_of(self.cores, ahead, text, decided)) < size:
            if at - decided > self.reach:
                step = 0
            # All of a match that begins up to `last`, and what its end looks at, lies in here.
            last = at + step
            whole = step > 0 or self.unfinished.match(text, at) is not None
            end = last + (self.reach if whole else self._short) + 2
            if end + self.reach >= size:  # what is left is soon looked at
                last = end = size
            match = self.pattern.search(text, max(pos, at - self.back), end)
            if match is not None and match.start() <= last:
                yield match
                decided = pos = match.end()
            else:
                decided = last + 1
                step = min(_TOGETHER, 4 * step + _STEP)

    def match(self, found: re.Match[str], base: int) -> PhraseMatch:
        """What the pattern found in text that begins at offset `base`."""
        phrase = self.phrases[(found.lastindex or 1) - 1]
        return PhraseMatch(phrase, base + found.start(), base + found.end())


class PhraseScanner(msgspec.Struct, gc=False, eq=False):
    """Finds a set's phrases in text that grows; gives what searching the whole text would.

    New text is searched for the phrases' cores only (their rarest ends), and looked at carefully
    near a hit. A match is given once the longest match would have ended.
    """

    _set: PhraseSet
    _new: str = ""  # not looked at: no start in it could be decided yet
    _new_at: int = 0
    _text: str = ""  # lower-cased, the undecided end and what stands before it
    _base: int = 0
    _next: int = 0  # the offset where the last match ended
    _hot: int = -1  # the offset from which a phrase may be under way

    def feed(self, text: str, start: int) -> list[PhraseMatch] | None:
        """Take text that follows the text before without a gap."""
        if self._new:
            text = self._new + text
        else:
            self._new_at = start
        seen = self._base + len(self._text) - self._hot if self._hot >= 0 else 0
        if seen + len(text) < self._set.reach:
            self._new = text
            return None
        self._new = ""
        return self._scan(text)

    def flush(self) -> list[PhraseMatch] | None:
        """Decide what is open: the text has ended, or goes on elsewhere."""
        found = self._scan(self._new) if self._new else None
        if self._hot >= 0:
            found = [*(found or ()), *(self._look(len(self._text)) or ())]
        self._new = self._text = ""
        self._hot = -1
        return found

    def _scan(self, text: str) -> list[PhraseMatch] | None:
        low = text.lower()
        text = low if len(low) == len(text) else lowered(text)
        if old := self._text:
            text = old + text
        else:
            self._base = self._new_at
        if self._hot < 0:
            first = self._set.first_core(text, max(0, len(old) - self._set.overlap))
            if first < 0:
                self._text = text[-self._set.keep :]
                self._base += len(text) - len(self._text)
                return None
            self._hot = self._base + first - self._set.back
        self._text = text
        return self._look(len(text) - self._set.reach - 1)

    def _look(self, limit: int) -> list[PhraseMatch] | None:
        """Give the matches that start at `limit` or before; remember where the next may start."""
        phrases, text = self._set, self._text
        found: list[PhraseMatch] = []
        pos = max(0, max(self._hot, self._next) - self._base)
        hot = False
        for match in phrases.matches(text, pos):
            hot = match.start() > limit
            if hot:
                break
            found.append(phrases.match(match, self._base))
            pos = match.end()
            self._next = self._base + pos
        # What begins first may not be complete: a phrase can have another one in it.
        undecided = max(pos, limit + 1)
        hot = hot or phrases.unfinished.search(text, undecided) is not None
        self._hot = self._base + undecided if hot else -1
        keep = max(phrases.keep, len(text) - undecided + 1) if hot else phrases.keep
        drop = max(0, len(text) - keep)
        self._text = text[drop:]
        self._base += drop
        return found or None


def lowered(text: str) -> str:
    """The text in lower case, every character still at its offset."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _first_of(cores: tuple[re.Pattern[str], ...], text: str, pos: int) -> int:
    first = -1
    for pattern in cores:
        found = pattern.search(text, pos)
        if found is not None and (first < 0 or found.start() < first):
            first = found.start()
    return first


def _next_of(cores: tuple[re.Pattern[str], ...], ahead: list[int], text: str, pos: int) -> int:
    """Where the first core from `pos` on begins; the text's length if none does.

    What is `ahead` is not searched for again: another core may come often before it.
    """
    for number, at in enumerate(ahead):
        if at < pos:
            found = cores[number].search(text, pos)
            ahead[number] = len(text) if found is None else found.start()
    return min(ahead)


def _telling(phrases: Sequence[str]) -> tuple[str, ...]:
    """Few words of which each phrase that has a core of the first pattern has one; else nothing."""
    words: set[str] = set()
    for phrase in phrases:
        if _core(phrase)[1] != _WORD:
            longest = max(_TELLING.findall(phrase.partition("…")[0]), key=len, default="")
            words.add(longest)
    return tuple(sorted(words)) if "" not in words and len(words) <= _FEW else ()


def _first(letter: str) -> str:
    bound = f"(?<!\\w{letter})" if letter.isalnum() else ""
    return re.escape(letter) + bound


def _rest(phrase: str) -> str:
    """The phrase after its first character, as a group of its own."""
    if phrase == "xxx…":  # the end of a longer run does not matter
        return f"(xx(?:x{{0,{_ANYTHING}}}(?!\\w)|x{{{_ANYTHING}}}))"
    end = r"(?!\w)" if phrase[-1].isalnum() else ""
    return f"({_source(phrase[1:])}{end})"


def _source(text: str) -> str:
    return "".join(_PARTS.get(char) or re.escape(char) for char in text)


_PARTS = {
    " ": _BLANK,
    "'": "['\u2019]",
    "…": f"[^\\[\\]{{}}<>\n]{{1,{_ANYTHING}}}",
}
_BROAD = {" ": r"\s+"}  # more than the blank of a phrase, but one step for the search


def _core(phrase: str) -> tuple[int, str]:
    """The end of the phrase (up to `…`) that begins with its rarest letter, and where it begins.

    A short word at the end is followed by `_ALONE`: it counts only behind a blank.
    """
    if phrase.endswith(f" {_WORD}"):
        return len(phrase) - len(_WORD), _WORD
    literal = phrase.partition("…")[0].rstrip()
    shortest = min(4, len(literal))
    starts = [at for at in range(len(literal) - shortest + 1) if literal[at] not in " '"]
    at = min(starts, key=lambda at: _cost(literal[at:]))
    alone = literal[at:].isalpha() and literal[at - 1 : at] == " "
    return at, literal[at:] + (_ALONE if alone else "")


def _cost(core: str) -> float:
    """How often looking for it goes wrong: by its first letter, and for being short."""
    return (_LETTERS.find(core[0]) + 1) ** 2 / 40 + 30 / len(core) ** 2


def _any_of(cores: Collection[str], before: str = "") -> str:
    """A pattern that finds any of these, with what they share written once: quick to fail."""
    tails: dict[str, list[str]] = {}
    for core in sorted(cores):
        tails.setdefault(core[0], []).append(core[1:])
    parts = [
        # Where one is the beginning of another it stands for both.
        rf"(?<=\s{before})"
        if letter == _ALONE
        else _BROAD.get(letter, _source(letter))
        + ("" if "" in group else _any_of(group, before + letter))
        for letter, group in tails.items()
    ]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _longest(text: str) -> int:
    """Characters of the longest text that matches."""
    return len(text) + 2 * text.count(" ") + text.count("…") * _ANYTHING
