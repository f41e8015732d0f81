"""Take secrets out of what is recorded or exported; what the consumer gets is never touched."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from l0.errors._environment import keys_in_environment
from l0.errors._secret_shapes import (
    REPLACEMENT,
    Shape,
    Span,
    has_hint,
    has_name,
    may_be_valued,
    shapes_in,
)
from l0.errors._secrets import SECRET_KEYS, fold_key, is_pair, is_secret, may_tell
from l0.events._bus import ObservabilityEvent
from l0.events._catalog import Payload
from l0.events._record import decode
from l0.events._secret_kinds import KINDS, literal_kind
from l0.events._secret_kinds import SHORTEST as _BEGINNING
from l0.events._serialize import Plain, encode

P = TypeVar("P", bound=Payload)

_UNESCAPED = re.compile(r'[^"\\\x00-\x1f]+')  # what JSON writes as it is
_A_LOOK: Final = 64  # characters of base64 that say whether there is text in it
_WORDS: Final = 4096  # strings without a secret that are remembered
_WORD: Final = 64  # … of at most so many characters


# The last words of the names that `l0.errors` knows, and what may still stand behind them.
_TELLING: Final = dict.fromkeys(
    (
        *("auth", "authorization", "cookie", "jwt", "key", "passcode", "passphrase", "passwd"),
        *("password", "pwd", "secret", "sig", "token"),
    ),
    "",
) | {"connection": "string", "key": "(?:[-_]*base)?", "session": "id"}


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
        self._defaults = defaults
        told = dict.fromkeys([*values, *(keys_in_environment() if defaults else ())])
        found = [_value(each) for each in told]
        literals = [literal_kind(each) for each in found if _UNESCAPED.fullmatch(each)]
        odd = [re.compile(re.escape(each)) for each in found if not _UNESCAPED.fullmatch(each)]
        self.custom = (*odd, *map(_compiled, patterns))
        self._literals = [re.compile(re.escape(kind.value)) for kind in literals]
        self.kinds = (*(KINDS.values() if defaults else ()), *literals)
        self._begin = tuple({hint for kind in literals for hint in kind.hints})
        words = {**dict.fromkeys(map(_last_part, own), "")} | (_TELLING if defaults else {})
        self._names = [
            (word, re.compile(rf"{re.escape(word)}[-_]*{rest}[-_]*[\\\"']"))
            for word, rest in sorted(words.items())
        ]
        self._pair = _pair_pattern(own)
        self._last_meta: tuple[Any, Any] = (None, None)
        self._clean: set[str] = set()  # strings that have no secret: names of fields, of models, …

    def text(self, text: str) -> str:
        """The text without secrets."""
        folded = text.casefold()
        for pattern in self._letters(folded):
            text = pattern.sub(lambda _: self.replacement, text)
        for shape in self._shapes(folded):
            text = shape.sub(self.replacement, text)
        if self._pair is None or not self._is_named(folded):
            return text
        return self._pair.sub(self._replace_pair, text)

    def spans(self, text: str, start: int) -> Iterator[Span]:
        """Where a secret stands in a text, from `start` on; they may overlap."""
        folded = text.casefold()
        for pattern in self._letters(folded):
            yield from (match.span() for match in pattern.finditer(text, start))
        for shape in self._shapes(folded):
            yield from shape.spans(text, start)

    def _letters(self, folded: str) -> tuple[re.Pattern[str], ...]:
        """What finds the secrets that are known to the letter, and the caller's own patterns."""
        known = any(hint in folded for hint in self._begin)
        return (*self._literals, *self.custom) if known else self.custom

    def _shapes(self, folded: str) -> list[Shape]:
        return shapes_in(folded) if self._defaults else []

    def value(self, value: Any) -> Any:
        """A copy of a JSON-safe value without secrets; the value itself if it has none."""
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            told = {self.value(k): self._item(k, v) for k, v in value.items()}
            if told == value:
                return value
            if "content_type" in value and told.get("data") != value.get("data"):
                told["data"] = self._as_bytes(value["data"], told["data"])
            return told
        if is_pair(value) and self._is_secret(str(value[0]), value[1]):
            return [self.value(value[0]), self.replacement]
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
        clean = self._meta(meta) if meta else meta
        if payload is event.payload and clean == meta:
            return event
        return msgspec.structs.replace(event, payload=payload, meta=clean)

    def _meta(self, meta: Mapping[str, Any]) -> Any:
        """What the caller gave along, which is the same for each event of a run."""
        seen, clean = self._last_meta
        if seen is not meta:
            clean = self.value(Plain().of(meta))
            self._last_meta = (meta, clean)
        return clean

    def suspicious(self, json: str) -> bool:
        """Whether JSON is worth a closer look; no secret escapes it."""
        if self.custom:
            return True
        if "\\" in json:
            return self._may_tell(json)
        # Between the quotes of JSON without escapes stand its strings, most of them well known.
        strings = set(json.split('"')[1::2])
        strings -= self._clean
        for string in strings:
            if self._is_name(string) or self._may_tell(string) or self._in_base64(string):
                return True
            if len(string) <= _WORD and len(self._clean) < _WORDS:
                self._clean.add(string)
        return False

    def may_begin(self, near: str, before: str, text: str) -> bool:
        """Whether a secret may begin in a text, or go on from where what is before it ended.

        `near` is the text and what stands shortly before it, in lower case.
        """
        for hint in self._begin:
            if hint in near:
                return True
        if not self._defaults:
            return False
        return has_hint(near) or (
            may_be_valued(near) and has_name((before + text).casefold(), len(before))
        )

    def _may_tell(self, text: str) -> bool:
        """Whether text may hold a secret, or a name that tells of one."""
        folded = text.casefold()
        return self._hinted(folded) or self._is_named(folded)

    def _hinted(self, folded: str) -> bool:
        """Whether a text, in lower case, may hold one of the known shapes or values."""
        for hint in self._begin:
            if hint in folded:
                return True
        return self._defaults and (has_hint(folded) or has_name(folded))

    def _is_named(self, folded: str) -> bool:
        """Whether one of the secret names may stand in quotes in a text."""
        return any(word in folded and pattern.search(folded) for word, pattern in self._names)

    def _string(self, text: str) -> str:
        """As `text`; JSON in a string is read, so that secret names count in it, too."""
        if text[:1] in ("{", "[") and self.suspicious(text):
            try:
                held = decode(text)
            except (ValueError, RecursionError):
                return self.text(text)
            clean = self.value(held)
            return text if clean == held else encode(clean)[0]
        return self.replacement if self._in_base64(text) else self.text(text)

    def _in_base64(self, text: str) -> bool:
        """Whether a string is base64, as bytes are recorded, of a text that has a secret."""
        if not self._defaults or len(text) < 16 or len(text) % 4:
            return False
        try:
            if b"\0" in base64.b64decode(text[:_A_LOOK], validate=True):
                return False
            held = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return self._hinted(held.casefold()) and self.text(held) != held

    def _as_bytes(self, data: Any, told: Any) -> Any:
        """What stands in the place of a data payload's bytes, which are read from base64."""
        try:
            base64.b64decode(data, validate=True)
        except (TypeError, ValueError):
            return told
        return base64.b64encode(self.replacement.encode()).decode()

    def _item(self, key: Any, value: Any) -> Any:
        return self.replacement if self._is_secret(str(key), value) else self.value(value)

    def _is_name(self, key: str) -> bool:
        """Whether what stands under a name may be secret because of it."""
        return (self._defaults and may_tell(key)) or fold_key(key) in self._keys

    def _is_secret(self, key: str, value: Any) -> bool:
        if value is None or isinstance(value, bool):
            return False
        return (self._defaults and is_secret(key, value)) or fold_key(key) in self._keys

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
    """A name of the caller's and its value as JSON or Python write them, inside a string."""
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
