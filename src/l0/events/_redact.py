"""Take secrets out of what is recorded or exported; what the consumer gets is never touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from l0.errors._environment import keys_in_environment
from l0.errors._secrets import PATTERNS, REPLACEMENT, SECRET_KEYS
from l0.events._bus import ObservabilityEvent
from l0.events._catalog import Payload
from l0.events._record import decode
from l0.events._secret_kinds import KINDS, literal_kind
from l0.events._secret_kinds import SHORTEST as _BEGINNING
from l0.events._serialize import Plain, encode

P = TypeVar("P", bound=Payload)

# In what may hold a secret one of these stands, in lower case; it is looked at more closely then.
# Rare characters are asked for first, because a search for one is all but free.
_HINTS = ("akia", "asia", "xox", "aiza", "eyj", "bearer", "authorization")
_RARE_HINTS = {
    "-": ("sk-", "-----begin"),
    "_": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ":": ("://",),
}
_UNESCAPED = re.compile(r'[^"\\\x00-\x1f]+')  # what JSON writes as it is
_HINTED = frozenset(
    {"sk", "aws", "github", "slack", "google", "jwt", "bearer", "authorization", "pem", "url"}
)


class Redactor:
    """Replaces secrets by `[redacted]`, in every string at every depth, keys included.

    Values under secret names (`api_key`, `Authorization`, `password`, … whatever their case, `-`
    and `_`) are replaced as a whole, also inside JSON that is held in a string. Texts are searched
    for the shapes of known keys and tokens, and for the keys in the environment (`OPENAI_API_KEY`,
    `MISTRAL_API_KEY`, …) as they are when the redactor is made.

    Args:
        keys: more names whose values are secret.
        patterns: more regular expressions; each whole match is replaced.
        replacement: what stands in the place of a secret.
        values: more secrets themselves, of 4 characters or more.
        defaults: False uses `keys`, `patterns` and `values` only.
        reach: how many characters at the end of what has been streamed are kept back while a match
            of `patterns` may begin there; the longest secret they stand for.

    Raises:
        ValueError: a pattern is no regular expression, or matches empty text.

    Example:
        >>> redactor = Redactor(patterns=[r"ticket-[0-9]+"])
        >>> redactor.value({"password": "x", "note": "see ticket-77"})
        {'password': '[redacted]', 'note': 'see [redacted]'}
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        patterns: Iterable[str | re.Pattern[str]] = (),
        replacement: str = REPLACEMENT,
        *,
        values: Iterable[str] = (),
        defaults: bool = True,
        reach: int = 64,
    ) -> None:
        if isinstance(keys, str) or isinstance(patterns, str | re.Pattern):
            raise TypeError("keys and patterns are lists; write [...] around a single one")
        if isinstance(values, str):
            raise TypeError("values is a list; write [...] around a single one")
        self.replacement = replacement
        self.reach = reach
        own = {fold_key(key) for key in keys}
        names = own | {fold_key(key) for key in SECRET_KEYS} if defaults else own
        self._keys = frozenset(names)
        self.known = PATTERNS if defaults else {}
        extra = [p for name, p in self.known.items() if name not in _HINTED]
        told = dict.fromkeys([*values, *(keys_in_environment() if defaults else ())])
        found = [re.compile(re.escape(_value(each))) for each in told]
        literals = [literal_kind(each) for each in told if _UNESCAPED.fullmatch(each)]
        odd = [re.compile(re.escape(each)) for each in told if not _UNESCAPED.fullmatch(each)]
        self.custom = (*extra, *odd, *map(_compiled, patterns))
        self.patterns = (*self.known.values(), *found, *map(_compiled, patterns))
        self.kinds = (*(KINDS[name] for name in self.known if name in KINDS), *literals)
        self._begin = tuple({hint for kind in literals for hint in kind.hints})
        self._words = [
            (word, re.compile(rf"{re.escape(word)}[-_]*[\\\"']"))
            for word in sorted({_last_part(key) for key in names})
        ]
        self._pair = _pair_pattern(names)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for pattern in self.patterns:
            text = pattern.sub(self.replacement, text)
        return text if self._pair is None else self._pair.sub(self._replace_pair, text)

    def value(self, value: Any) -> Any:
        """A copy of a JSON-safe value without secrets; the value itself if it has none."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            told = {self.value(k): self._item(k, v) for k, v in value.items()}
            return value if told == value else told
        if isinstance(value, list | tuple):
            items = [self.value(item) for item in value]
            return value if items == list(value) else items
        return value

    def json(self, text: str) -> tuple[str, bool]:
        """Canonical JSON without secrets, and whether it had any."""
        if not self.suspicious(text):
            return text, False
        value = decode(text)
        clean = self.value(value)
        if clean is value or clean == value:
            return text, False
        return encode(clean)[0], True

    def payload(self, payload: P) -> P:
        """The payload without secrets, for exporters; the payload itself if it has none."""
        told = encode(payload)[0]
        clean, changed = self.json(told)
        return msgspec.json.decode(clean, type=type(payload)) if changed else payload

    def event(self, event: ObservabilityEvent) -> ObservabilityEvent:
        """The event without secrets in payload and meta; the event itself if it has none."""
        payload, meta = self.payload(event.payload), event.meta
        clean = self.value(Plain().of(meta)) if meta else meta
        if payload is event.payload and clean == meta:
            return event
        return msgspec.structs.replace(event, payload=payload, meta=clean)

    def suspicious(self, json: str) -> bool:
        """Whether JSON is worth a closer look; no secret escapes it."""
        if self.custom:
            return True
        folded = json.casefold()
        if self.hinted(folded):
            return True
        return any(word in folded and pattern.search(folded) for word, pattern in self._words)

    def hinted(self, folded: str) -> bool:
        """Whether a text, in lower case, may hold one of the known shapes or values."""
        for hint in self._begin:
            if hint in folded:
                return True
        return bool(self.known) and has_hint(folded)

    def _string(self, text: str) -> str:
        """As `text`; JSON in a string is read, so that secret names count in it, too."""
        if text[:1] in ("{", "[") and self.suspicious(text):
            try:
                held = decode(text)
            except (ValueError, RecursionError):
                return self.text(text)
            clean = self.value(held)
            return text if clean == held else encode(clean)[0]
        return self.text(text)

    def _item(self, key: Any, value: Any) -> Any:
        if value is None or isinstance(value, bool) or fold_key(str(key)) not in self._keys:
            return self.value(value)
        return self.replacement

    def _replace_pair(self, match: re.Match[str]) -> str:
        quote = match["quote"] or match["mark"]
        return f"{match['name']}{quote}{self.replacement}{quote}"


def as_redactor(redact: bool | Redactor | None) -> Redactor | None:
    """What the option `redact=` means: True the default redactor, False or None none.

    Raises:
        TypeError: it is neither.
    """
    if redact is None or redact is False:
        return None
    if redact is True:
        return _default(keys_in_environment())
    if isinstance(redact, Redactor):
        return redact
    raise TypeError(f"redact is True, False or a Redactor; not {redact!r}")


def has_hint(folded: str) -> bool:
    """Whether a text, in lower case, may hold one of the known shapes."""
    for hint in _HINTS:
        if hint in folded:
            return True
    return any(
        rare in folded and any(hint in folded for hint in hints)
        for rare, hints in _RARE_HINTS.items()
    )


def fold_key(key: str) -> str:
    """A name as names are compared: without case, `-` and `_`."""
    return key.casefold().replace("-", "").replace("_", "")


def _last_part(key: str) -> str:
    """The part of a folded name that also stands in it when it is written with `-` or `_`."""
    for word in ("authorization", "password", "secret", "token", "cookie", "key"):
        if key.endswith(word):
            return word
    return key[-1:]


def _value(value: str) -> str:
    if not isinstance(value, str) or len(value) < _BEGINNING:
        raise ValueError(
            f"values: a secret has {_BEGINNING} characters or more, or it would be found everywhere"
        )
    return value


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        made = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"patterns: {pattern!r} is no regular expression: {error}") from error
    if made.match("") is not None or not isinstance(made.pattern, str):
        raise ValueError(f"patterns: {made.pattern!r} matches empty text, or is not text itself")
    return made


def _pair_pattern(names: set[str]) -> re.Pattern[str] | None:
    """A secret name and its value as JSON or Python write them, inside a string."""
    if not names:
        return None
    spelled = "|".join("[-_]?".join(map(re.escape, name)) for name in sorted(names))
    return re.compile(
        rf"""(?P<name>(?P<mark>\\*["'])(?:{spelled})(?P=mark)\s*[:=]\s*)"""
        rf"""(?:(?P<quote>\\*["'])(?:(?!(?P=quote))[^\\]|(?!(?P=quote))\\.)*(?P=quote)"""
        rf"""|-?[0-9][^\s,}}\]"']*)""",
        re.IGNORECASE | re.DOTALL,
    )


@lru_cache(maxsize=8)
def _default(_keys: tuple[str, ...]) -> Redactor:
    """What `redact=True` means while the environment has these keys."""
    return Redactor()
