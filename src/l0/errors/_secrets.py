"""The shapes of secrets, so that no key leaves the process in an error, a log or an export.

Each pattern matches the secret alone: what stands before it (`Bearer `, `://`) is looked at but not
part of the match, so replacing whole matches keeps the text readable. Minimal lengths keep
identifiers, hashes, UUIDs, base64 and hyphenated words out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from math import isfinite
from typing import Any

import msgspec

from l0.errors._environment import keys_in_environment

REPLACEMENT = "[redacted]"

SECRET_KEYS: frozenset[str] = frozenset(
    {
        "authorization",
        "api_key",
        "x_api_key",
        "password",
        "secret",
        "client_secret",
        "access_token",
        "refresh_token",
        "id_token",
        "cookie",
        "set_cookie",
        "private_key",
    }
)
"""Names whose values are secret whatever they look like, as `fold_key` spells them."""

_FOLDED = frozenset(key.replace("_", "") for key in SECRET_KEYS)
_TOKEN = r"[A-Za-z0-9_-]"
_MIXED = r"(?:[A-Za-z][0-9]|[0-9][A-Za-z])"

PATTERNS: dict[str, re.Pattern[str]] = {
    # Literals come before lookbehinds: that is what lets `re` skip through text without them.
    # sk-… and sk-ant-…: besides length, a stretch that no hyphenated phrase has. Lookaheads are
    # bounded, so that text made of "sk-sk-sk-…" costs linear time.
    "sk": re.compile(
        rf"sk-(?<![A-Za-z0-9]sk-)(?:(?:ant|proj|svcacct)-{_TOKEN}{{16,}}"
        rf"|(?={_TOKEN}{{0,64}}?"
        rf"(?:[A-Za-z0-9]{{20}}|{_MIXED}[A-Za-z0-9]{{4}}|[A-Za-z0-9]{{4}}{_MIXED}))"
        rf"{_TOKEN}{{16,}})"
    ),
    "aws": re.compile(r"A[KS]IA(?<![A-Za-z0-9]A[KS]IA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "github": re.compile(
        r"gh[pousr]_(?<![A-Za-z0-9]gh[pousr]_)[A-Za-z0-9]{20,}"
        r"|github_pat_(?<![A-Za-z0-9]github_pat_)[A-Za-z0-9_]{20,}"
    ),
    "slack": re.compile(
        r"xox[a-z]-(?<![A-Za-z0-9]xox[a-z]-)(?=[A-Za-z0-9-]{0,64}?[0-9])[A-Za-z0-9-]{10,}"
    ),
    "google": re.compile(r"AIza(?<![A-Za-z0-9]AIza)[A-Za-z0-9_-]{30,}"),
    # A token of three parts (signed) or five (encrypted, whose second may be empty).
    "jwt": re.compile(
        rf"eyJ(?<!{_TOKEN}eyJ){_TOKEN}{{10,}}\.{_TOKEN}*\.{_TOKEN}{{8,}}(?:\.{_TOKEN}+){{0,2}}"
    ),
    "bearer": re.compile(
        r"(?<=\bbearer\s)(?:(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{16,}|[A-Za-z0-9]{24,})",
        re.IGNORECASE,
    ),
    # The header as text, JSON, Python dict or list of pairs: after it any length is a credential.
    "authorization": re.compile(
        "(?:"
        + "|".join(
            f"(?<=authorization{lead})"
            for lead in (":", ": ", "=", "':'", "': '", '":"', '": "', "', '", "', b'", "': b'")
        )
        + r")(?:bearer|basic)\s[^\s\"',;\[]{3,}",
        re.IGNORECASE,
    ),
    # To its end line; without one, as far as it looks like key material.
    "pem": re.compile(
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:(?!-----BEGIN)[\s\S]){0,16384}?-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY"
        r"(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)"
    ),
    "url": re.compile(r"(?<=://)[^\s/@:\"<>?#]*:[^\s/@\"<>]+(?=@)"),
}

# A text whose lower-case form holds none of a pattern's needles can't match it.
_NEEDLES: dict[str, tuple[str, ...]] = {
    "sk": ("sk-",),
    "aws": ("akia", "asia"),
    "github": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "slack": ("xox",),
    "google": ("aiza",),
    "jwt": ("eyj",),
    "bearer": ("bearer",),
    "authorization": ("authorization",),
    "pem": ("private key",),
    "url": ("://",),
}

_DEEPEST = 12
_MOST = 1000


def redact_text(text: str) -> str:
    """`text` with every known shape of a secret, and the environment's keys, as `[redacted]`.

    Example:
        >>> redact_text("GET https://ada:lovelace@example.org failed")
        'GET https://[redacted]@example.org failed'
    """
    for key in keys_in_environment():
        text = text.replace(key, REPLACEMENT)
    for pattern in candidates(text):
        text = pattern.sub(REPLACEMENT, text)
    return text


def candidates(text: str) -> list[re.Pattern[str]]:
    """The patterns worth trying on a text: most texts have none, and cost next to nothing."""
    lowered = text.lower()
    return [
        PATTERNS[name]
        for name, needles in _NEEDLES.items()
        if any(needle in lowered for needle in needles)
    ]


def is_secret_key(key: str) -> bool:
    """Whether a name is one of `SECRET_KEYS`; case, `-` and `_` don't count."""
    return key.casefold().replace("-", "").replace("_", "") in _FOLDED


def redacted(value: Any, depth: int = 0) -> Any:
    """A JSON-safe copy of any value, without secrets.

    Values under secret names and texts in secret shapes are replaced; what JSON has no word for
    becomes its text; NaN and infinities become None; nesting ends after 12 levels, collections
    after 1,000 items.
    """
    try:
        return _redacted(value, depth)
    except Exception:  # other people's values: whoever reports a failure must not fail by them
        return f"<{type(value).__name__}>"


def text_of(value: object, limit: int | None = None) -> str:
    """`str(value)`, or the class name where that fails; at most `limit` characters."""
    try:
        text = str(value)
    except Exception:  # other people's __str__: whoever reports a failure must not fail by it
        text = f"<{type(value).__name__}>"
    return text if limit is None else text[:limit]


def _redacted(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return redacted(value.value, depth)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if isinstance(value, str):
        # A lone surrogate has no UTF-8 form; its escape has.
        return redact_text(value.encode("utf-8", "backslashreplace").decode("utf-8"))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, BaseException):
        return {"name": type(value).__name__, "message": redacted(text_of(value))}
    if isinstance(value, Mapping):
        return _redacted_mapping(value.items(), depth)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return _redacted_mapping(((name, getattr(value, name, None)) for name in names), depth)
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name, None)) for field in fields(value))
        return _redacted_mapping(pairs, depth)
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, depth + 1) for item in islice(value, _MOST)]
    return redacted(text_of(value), depth)


def _redacted_mapping(pairs: Any, depth: int) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, value in islice(pairs, _MOST):
        name = text_of(key)
        copy[redacted(name)] = (
            REPLACEMENT if is_secret_key(name) and value is not None else redacted(value, depth + 1)
        )
    return copy
