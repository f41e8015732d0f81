"""Redaction of text that arrives in tokens, where a secret may be cut anywhere.

Tokens are searched joined. A match is replaced in its first token, its other tokens become empty;
boundaries and times stay. Tokens at the end of what has come that may be the beginning of a secret
are kept back until it is known, up to 512 characters; when something else has to be recorded before
that, they are redacted whole. What everybody knows of a secret (`sk-`) may stay where it was.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal, NamedTuple

import msgspec

from l0.events._payloads import TokensPayload
from l0.events._redact import Redactor
from l0.events._secret_kinds import FOOTER, KINDS, Kind

HELD = 512
_CONTEXT = 128  # characters before the present ones that are looked at again: prefixes of secrets
_BEFORE = 32  # … and before these, which a match may ask for
_NEAR = 40  # … that a lead may reach into: nothing that was open there was let go
_RECENT = 4096  # … that are remembered for a restart that cuts the text back
_JOINED = 256  # pieces of it that are kept as they came
_KEY_FILE = 16384  # the longest private key

Mode = Literal["more", "cut", "end"]
Batch = tuple[float, TokensPayload, bool]
"""Time in Unix milliseconds, tokens, and whether they were changed."""


class TokenRedactor:
    """Redacts the text of one stream as its tokens come; `feed` and `force` give what is decided.

    Offsets are code points of the text that stands.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._kinds = redactor.kinds
        self._held: list[tuple[float, TokensPayload]] = []
        self._position = 0  # offset of the first token that is held
        self._before = ""  # original text before it, as far as it is looked at again
        self._passed: list[str] = []  # … and farther back
        self._inside: Kind | None = None  # the secret in which the text before it ended
        self._left = 0  # how many more characters it may have
        self._rest: list[tuple[int, int]] = []  # where it goes on in what is held
        self._looked = 0  # up to where that is known
        self._done = -1  # end of the last part that was redacted
        self._cuts: list[_Cut] = []

    @property
    def holds(self) -> bool:
        """Whether tokens are kept back."""
        return bool(self._held)

    def feed(self, ts: float, payload: TokensPayload) -> list[Batch]:
        """More tokens; gives those, of these and of earlier ones, that are decided."""
        if not self._held and self._inside is None and not self._redactor.custom:
            text, before = "".join(payload.texts), self._before
            if not self._redactor.may_begin((before[-_NEAR:] + text).casefold(), before, text):
                self._pass(text)
                return [(ts, payload, False)]
        self._held.append((ts, payload))
        return self._decide("more")

    def force(self, *, ended: bool) -> list[Batch]:
        """Nothing may be kept back now; `ended` says that the text was not cut off but is over."""
        return self._decide("end" if ended else "cut") if self._held else []

    def restart(self, kept_chars: int, known: str = "") -> None:
        """Only the first characters still stand; `known` is text that may be exactly those."""
        back = self._position - kept_chars
        if back <= 0:
            return
        stored, inside = self.stored(kept_chars), self._inside
        recent = known[-_RECENT:] if len(known) == kept_chars else self._recent()[:-back]
        self._passed, self._before = [recent], recent[-_CONTEXT - _BEFORE :]
        self._inside = None
        if 0 < kept_chars < self._done:  # perhaps in the middle of a secret
            _, self._inside = self._open(recent[-HELD:], 0, telling=True)
            if self._inside is None and inside is KINDS["pem"]:
                self._inside = inside
        self._position = self._looked = kept_chars
        self._rest = []
        self._done = min(self._done, kept_chars) if kept_chars else -1
        self._cuts = [cut for cut in self._cuts if cut.end <= kept_chars]
        if stored != self.stored(kept_chars):
            self._cuts.append(_Cut(kept_chars, kept_chars, kept_chars - stored))

    def stored(self, offset: int) -> int:
        """Where an offset of the text lies in the text as it is stored."""
        at = bisect_right(self._cuts, offset, key=lambda cut: cut.end)
        if at < len(self._cuts) and self._cuts[at].start < offset:
            return self._cuts[at].end - self._cuts[at].lost
        return offset - (self._cuts[at - 1].lost if at else 0)

    # --- deciding -----------------------------------------------------------------------------

    def _pass(self, text: str) -> None:
        self._position += len(text)
        self._before = (self._before + text)[-_CONTEXT - _BEFORE :]
        self._passed.append(text)
        if len(self._passed) >= _JOINED:
            self._passed = [self._recent()]

    def _recent(self) -> str:
        """The original text before what is held, as far back as a restart may need it."""
        return "".join(self._passed)[-_RECENT:]

    def _decide(self, mode: Mode) -> list[Batch]:
        text = "".join(["".join(payload.texts) for _, payload in self._held])
        # A little more than is searched, so that what stands before a match can be looked at.
        context = self._before
        searched = max(0, len(context) - _CONTEXT)
        window, base = context + text, self._position - len(context)
        end = self._position + len(text)
        self._go_on(text)
        parts = list(self._rest)
        for start, stop in self._redactor.spans(window, searched):
            if base + stop > self._position:
                parts.append((base + start, base + stop))
        if mode == "more":
            keep = base + self._open(window, len(context), telling=False, searched=searched)[0]
            if self._redactor.custom:
                keep = min(keep, end - self._redactor.reach)
            keep = self._whole(parts, max(keep, self._position))
            if end - keep <= max(HELD, self._redactor.reach):
                return self._release(_merged(parts), keep)
        start, kind = self._open(window, len(context), telling=True, searched=searched)
        if kind is not None and (mode != "end" or any(stop == end for _, stop in parts)):
            parts.append((base + start, end))
            self._inside, self._left, self._looked = kind, _KEY_FILE, end
        return self._release(_merged(parts), end)

    def _whole(self, parts: list[tuple[int, int]], keep: int) -> int:
        """The beginning of a token, at `keep` or before, at which no secret is cut in two."""
        keep = self._boundary(keep)
        while keep > self._position:
            spanning = next((start for start, stop in parts if start < keep < stop), None)
            if spanning is None:
                break
            keep = self._boundary(max(self._position, spanning))
        return keep

    def _boundary(self, keep: int) -> int:
        """The beginning of the token in which an offset lies."""
        at = self._position
        for _, payload in self._held:
            for text in payload.texts:
                if at + len(text) > keep:
                    return at
                at += len(text)
        return at

    def _go_on(self, text: str) -> None:
        """Note how much of the text that is held still belongs to the secret before it."""
        kind, seen = self._inside, max(0, self._looked - self._position)
        if kind is None:
            return
        new = text[seen:]
        if kind is KINDS["pem"]:
            carry = (self._before[-64:] + text[:seen])[-64:]
            ends = (m.end() - len(carry) for m in FOOTER.finditer(carry + new))
            footer = next((at for at in ends if at > 0), None)
            run = min(len(new), self._left, len(new) if footer is None else footer)
            over = footer is not None or run == self._left
        else:
            found = kind.goes_on.match(new)
            run = found.end() if found is not None else 0
            over = run < len(new)
        self._left -= run
        if over:
            self._inside = None
        start = self._position + seen
        self._looked = start + run
        if run:
            self._rest = _merged([*self._rest, (start, start + run)])

    def _open(
        self, window: str, since: int, *, telling: bool, searched: int = 0
    ) -> tuple[int, Kind | None]:
        """Where a secret may have begun that the end of the window cuts off.

        The secret reaches beyond `since`, and begins at `searched` or later.
        """
        start, found = len(window), None
        if start <= since:
            return start, found
        folded = window.casefold()
        for kind in self._kinds:
            if any(hint in folded for hint in kind.hints):
                begun = kind.open(window, searched, telling=telling)
                if begun is not None and begun < start:
                    start, found = begun, kind
        return start, found

    # --- releasing ----------------------------------------------------------------------------

    def _release(self, parts: list[tuple[int, int]], keep: int) -> list[Batch]:
        """Give the tokens that lie before `keep`, redacted; it is the beginning of a token."""
        released: list[Batch] = []
        passed: list[str] = []
        rest: list[tuple[float, TokensPayload]] = []
        at = self._position
        for ts, payload in self._held:
            count = 0
            for text in payload.texts:
                if rest or at + len(text) > keep:
                    break
                count, at = count + 1, at + len(text)
            done, left = _split(ts, payload, count)
            if left is not None:
                rest.append(left)
            if done is not None:
                texts = done[1].texts
                passed += texts
                blanked = self._blanked(texts, at - sum(map(len, texts)), parts)
                changed = blanked != texts
                released.append((done[0], _with(done[1], blanked) if changed else done[1], changed))
        self._held = rest
        self._pass("".join(passed))
        self._rest = [part for part in self._rest if part[1] > self._position]
        return released

    def _blanked(self, texts: list[str], at: int, parts: list[tuple[int, int]]) -> list[str]:
        """Tokens from offset `at` on without the secret parts."""
        blanked = []
        for text in texts:
            end, told, last = at + len(text), "", at
            for start, stop in parts:
                if stop <= at or start >= end:
                    continue
                told += text[last - at : max(start, at) - at]
                lost = min(stop, end) - max(start, at)
                if start > self._done:  # not the rest of a part whose beginning was replaced
                    told += self._redactor.replacement
                    lost -= len(self._redactor.replacement)
                self._done = max(self._done, stop)
                before = self._cuts[-1].lost if self._cuts else 0
                last = min(stop, end)
                self._cuts.append(_Cut(max(start, at), last, before + lost))
            blanked.append(told + text[last - at :] if last > at or told else text)
            at = end
        return blanked


class _Cut(NamedTuple):
    """A part of a token that was redacted, and the characters the text has lost up to its end."""

    start: int
    end: int
    lost: int


def _merged(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _split(
    ts: float, payload: TokensPayload, count: int
) -> tuple[tuple[float, TokensPayload] | None, tuple[float, TokensPayload] | None]:
    """A batch as its first tokens and the others, each with its own time."""
    if count == 0:
        return None, (ts, payload)
    if count == len(payload.texts):
        return (ts, payload), None
    middle, since = payload.start + count, payload.offsets_us[count]
    first = TokensPayload(
        payload.start,
        payload.texts[:count],
        payload.offsets_us[:count],
        [mark for mark in payload.checkpoints if mark < middle],
        [note for note in payload.notes if note.index < middle],
    )
    second = TokensPayload(
        middle,
        payload.texts[count:],
        [offset - since for offset in payload.offsets_us[count:]],
        [mark for mark in payload.checkpoints if mark >= middle],
        [note for note in payload.notes if note.index >= middle],
    )
    return (ts, first), ((round(ts * 1000) + since) / 1000, second)


def _with(payload: TokensPayload, texts: list[str]) -> TokensPayload:
    return msgspec.structs.replace(payload, texts=texts)
