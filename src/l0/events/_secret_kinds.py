"""How each kind of secret begins and goes on, for text whose end is still to come.

The whole shapes are those of `l0.errors`; there is one entry here for each of them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_T = r"[A-Za-z0-9_-]"
_HEADER = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
FOOTER = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")


class Kind(NamedTuple):
    """How one kind of secret begins and goes on; `begun` matches at the end of a text."""

    hints: tuple[str, ...]
    begun: re.Pattern[str]  # it may be one: keep it back
    telling: re.Pattern[str]  # it looks like one: redact it if nothing more can be awaited
    goes_on: re.Pattern[str]
    value: str = ""  # of the one secret of its kind


def _kind(hints: str, lead: str, chars: str, telling: str, *, flags: int = 0) -> Kind:
    return Kind(
        tuple(hints.split()),
        re.compile(f"{lead}{chars}*\\Z", flags),
        re.compile(f"{lead}{telling}\\Z", flags),
        re.compile(f"{chars}*", flags),
    )


def _likely(chars: str) -> str:
    """Some characters that hardly are an ordinary word."""
    return rf"(?:(?={chars}*[0-9]){chars}{{4,}}|{chars}{{8,}})"


_B, _A = r"(?<![A-Za-z0-9])", r"[^\s\"',;\[]"
_BEARER = r"[A-Za-z0-9._~+/=-]"
_AUTH = r"(?<=authorization)[\"',:=\sb]{1,5}(?:bearer|basic)\s"

SHORTEST = 4  # characters of a known value that are kept back as its possible beginning
_TELLING = 8  # … that are redacted if nothing more can be awaited
_SPELLED = 32  # … that are compared one by one; the rest only by which characters it has


def literal_kind(value: str) -> Kind:
    """The kind of one secret that is known to the letter."""
    chars = f"[{''.join(map(re.escape, sorted(set(value))))}]*"

    def begun(sure: int) -> re.Pattern[str]:
        rest = chars if len(value) > _SPELLED else ""
        for char in reversed(value[sure:_SPELLED]):
            rest = f"(?:{re.escape(char)}{rest})?"
        return re.compile(f"{re.escape(value[:sure])}{rest}\\Z")

    hints = (value[:SHORTEST].casefold(),)
    return Kind(hints, begun(SHORTEST), begun(_TELLING), re.compile(chars), value)


KINDS: dict[str, Kind] = {
    "sk": _kind("sk-", rf"{_B}sk-", _T, _likely(_T)),
    "aws": _kind("akia asia", rf"{_B}(?:AKIA|ASIA)", "[A-Z0-9]", "[A-Z0-9]{1,16}"),
    "github": _kind(
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rf"{_B}(?:gh[pousr]_|github_pat_)",
        "[A-Za-z0-9_]",
        "[A-Za-z0-9_]+",
    ),
    "slack": _kind("xox", rf"{_B}xox[a-z]-", "[A-Za-z0-9-]", _likely("[A-Za-z0-9-]")),
    "google": _kind("aiza", rf"{_B}AIza", _T, f"{_T}+"),
    "jwt": _kind("eyj", rf"(?<!{_T})eyJ", "[A-Za-z0-9_.-]", rf"{_T}{{10,}}\.[A-Za-z0-9_.-]*"),
    "bearer": _kind(
        "bearer",
        r"(?<=\bbearer\s)",
        _BEARER,
        rf"(?:(?={_BEARER}*[0-9]){_BEARER}{{4,}}|{_BEARER}{{16,}})",
        flags=re.IGNORECASE,
    ),
    "authorization": _kind("authorization", _AUTH, _A, f"{_A}+", flags=re.IGNORECASE),
    "pem": Kind(
        ("-----begin",),
        re.compile(rf"{_HEADER}(?:\s*(?:\\[nr]|[\r\n])[\s\S]*|[ \t]*[A-Za-z0-9+/=\\]*)\Z"),
        re.compile(rf"{_HEADER}(?:\s*(?:\\[nr]|[\r\n])[\s\S]*|[ \t]*[A-Za-z0-9+/=\\]+)\Z"),
        re.compile(""),
    ),
    "url": _kind(
        "://",
        r"(?<=://)(?=[^\s/@:\"<>?#]*:)",
        r"[^\s/@\"<>]",
        r"[^\s/@:\"<>?#]*:(?![0-9]{0,5}\Z)[^\s/@\"<>]+",
    ),
}
"""One for each of the shapes that `l0.errors` knows."""
