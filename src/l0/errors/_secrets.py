"""No key leaves the process in an error, a log or an export: names, texts and values without."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import Any, cast

import msgspec

from l0.errors._environment import keys_in_environment
from l0.errors._secret_shapes import REPLACEMENT, shapes_in

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

_FOLDED = frozenset(key.replace("_", "") for key in SECRET_KEYS) | {"pwd", "pgpassword"}
_ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "secret", "apikey", "secretkey"),
    *("secretaccesskey", "privatekey", "accountkey", "accesskey", "signingkey", "encryptionkey"),
    *("masterkey", "licensekey", "subscriptionkey", "authkey", "accesstoken", "authtoken"),
    *("refreshtoken", "sessiontoken", "securitytoken", "bearertoken", "apitoken", "bottoken"),
    *("vaulttoken", "privatetoken", "authorization", "connectionstring", "secretkeybase"),
)
_PERHAPS = frozenset({"token", "auth", "sig", "sessionid", "jwt"})
_OPAQUE = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[^\s<>{}()\[\]]{16,}")

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
    for shape in shapes_in(text.casefold()):
        text = shape.sub(REPLACEMENT, text)
    return text


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Whether a name is one of `SECRET_KEYS`, or ends as they do; case, `-` and `_` don't count.

    Example:
        >>> is_secret_key("DB_PASSWORD"), is_secret_key("token_count")
        (True, False)
    """
    folded = fold_key(key)
    return folded in _FOLDED or folded.endswith(_ENDINGS)


def is_secret(key: str, value: object) -> bool:
    """Whether what stands under a name is secret: because of the name, or of both.

    Under `token` and the like stands a secret if the value is opaque: 16 characters and more,
    letters and digits.
    """
    if value is None or value is True or value is False:
        return False
    if is_secret_key(key):
        return True
    if fold_key(key) not in _PERHAPS or not issubclass(type(value), str):
        return False  # the value itself is not asked: it may be anybody's, and raise
    return _OPAQUE.fullmatch(cast("str", value)) is not None


def may_tell(key: str) -> bool:
    """Whether a name tells that what stands under it is secret, or may be."""
    return is_secret_key(key) or fold_key(key) in _PERHAPS


def fold_key(key: str) -> str:
    """A name as names are compared: without case, `-` and `_`; as text where it was bytes."""
    if key.startswith("b'") and key.endswith("'"):
        key = key[2:-1]
    return key.casefold().replace("-", "").replace("_", "")


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


def is_pair(value: Any) -> bool:
    """Whether a value may be a name and what stands under it, as headers are listed."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str | bytes)
        and isinstance(value[1], str | bytes)
    )


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
    if is_pair(value) and is_secret(text_of(value[0]), value[1]):
        return [redacted(value[0], depth + 1), REPLACEMENT]
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, depth + 1) for item in islice(value, _MOST)]
    return redacted(text_of(value), depth)


def _redacted_mapping(pairs: Any, depth: int) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, value in islice(pairs, _MOST):
        name = text_of(key)
        copy[redacted(name)] = REPLACEMENT if is_secret(name, value) else redacted(value, depth + 1)
    return copy
