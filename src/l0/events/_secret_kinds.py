"""How each kind of secret begins and goes on, for text whose end is still to come.

The whole shapes are those of `l0.errors`; there is one entry here for each of them.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from l0.errors import _secret_names as names
from l0.errors import _secret_shapes as shapes

SHORTEST: Final = 4  # characters of a known value that are kept back as its possible beginning
_TELLING: Final = 8  # … that are redacted if nothing more can be awaited
_SPELLED: Final = 32  # … that are compared one by one; the rest only by which characters it has
_LEAD: Final = 160  # characters of the longest beginning

FOOTER: Final = re.compile(shapes.END)


class Kind:
    """One kind of secret: what leads to it, and the characters that it is made of.

    Args:
        lead: its beginning, or what stands before it.
        chars: a class of characters, as regular expressions write it; "" for any.
        telling: what stands behind the lead of one, so that it is redacted if no more can be
            awaited.
        behind: the secret begins behind the lead.
    """

    def __init__(
        self,
        hints: tuple[str, ...],
        lead: str,
        chars: str,
        telling: str,
        *,
        behind: bool = False,
        any_case: bool = False,
    ) -> None:
        self.hints = hints
        self._lead, self._chars, self._telling = lead, chars, telling
        self._behind = behind
        self._flags = re.IGNORECASE if any_case else 0

    @cached_property
    def lead(self) -> re.Pattern[str]:
        """Finds where one may begin."""
        return re.compile(self._lead, self._flags)

    @cached_property
    def goes_on(self) -> re.Pattern[str]:
        """What belongs to one that has begun."""
        return re.compile(f"{self._chars}*+" if self._chars else r"[\s\S]*+")

    @cached_property
    def telling(self) -> re.Pattern[str]:
        """Says that it hardly is anything else, from the end of the lead on."""
        return re.compile(self._telling, self._flags)

    @cached_property
    def _foreign(self) -> re.Pattern[str]:
        negated = self._chars[1:2] == "^"
        return re.compile(f"[{self._chars[2:]}" if negated else f"[^{self._chars[1:]}")

    def open(self, window: str, searched: int, *, telling: bool) -> int | None:
        """Where one begins, at `searched` or later, that the end of the window cuts off.

        It is one whose characters reach to the end: what stands before the last other character
        can't be one, so that each is looked at once.
        """
        run = 0
        if self._chars:
            other = self._foreign.search(window[::-1])
            run = 0 if other is None else len(window) - other.start()
        for match in self.lead.finditer(window, max(searched, run - _LEAD)):
            if match.end() < run:
                continue
            if not telling or self.telling.match(window, match.end()):
                return match.end() if self._behind else match.start()
        return None


class Literal(Kind):
    """A secret that is known to the letter."""

    def __init__(self, value: str) -> None:
        self.value = value
        chars = f"[{''.join(map(re.escape, sorted(set(value))))}]"
        super().__init__((value[:SHORTEST].casefold(),), "", chars, "")

    def _begun(self, sure: int) -> re.Pattern[str]:
        rest = f"{self._chars}*" if len(self.value) > _SPELLED else ""
        for char in reversed(self.value[sure:_SPELLED]):
            rest = f"(?:{re.escape(char)}{rest})?"
        return re.compile(f"{re.escape(self.value[:sure])}{rest}\\Z")

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return self._begun(SHORTEST), self._begun(_TELLING)

    def open(self, window: str, searched: int, *, telling: bool) -> int | None:
        """As of any kind."""
        longest = max(len(self.value), _SPELLED)
        since = max(searched, len(window) - longest)
        match = self._patterns[telling].search(window, since)
        return None if match is None else match.start()


class _Pem(Kind):
    """A private key of many lines: from its header on anything is part of it, to its footer."""

    def open(self, window: str, searched: int, *, telling: bool) -> int | None:
        """As of any kind."""
        begin = window.rfind("BEGIN ")
        found = super().open(window, max(searched, begin - 6), telling=telling)
        if begin < 0 or found is None or FOOTER.search(window, found):
            return None
        header = self.lead.match(window, found)
        assert header is not None
        behind = window[header.end() : header.end() + 4096]
        return found if self._key.match(behind) else None

    @cached_property
    def _key(self) -> re.Pattern[str]:
        return re.compile(r"\s*(?:\\[nr]|[\r\n])|[ \t]*[A-Za-z0-9+/=\\]*\Z")


class _Named(Kind):
    """A value that a name tells of: to its quote, or as far as it is one word."""

    def open(self, window: str, searched: int, *, telling: bool) -> int | None:
        """As of any kind."""
        other = self._foreign.search(window[::-1])
        run = 0 if other is None else len(window) - other.start()
        for lead in names.leads(window, max(0, searched)):
            begin, mark = lead.end(), lead["open"]
            if begin < run:  # the word before is over; a value in quotes may go on
                closed = not mark or window.find(mark[-1], begin) >= 0
                if closed or window.find("\n", begin) >= 0:
                    continue
            if not telling or names.telling(window, lead):
                return begin
        return None


def literal_kind(value: str) -> Literal:
    """The kind of one secret that is known to the letter."""
    return Literal(value)


_T = "[A-Za-z0-9_-]"
_B = "(?<![A-Za-z0-9])"
_V = names.VALUE
_MOSTLY = f"(?={_T}{{0,200}}?(?:[0-9]|[a-z][A-Z])){_T}{{4}}"


def _likely(chars: str) -> str:
    """Some characters that hardly are an ordinary word."""
    return f"(?={chars}{{0,200}}?[0-9]){chars}{{4}}|{chars}{{8}}"


_BEARER = "[A-Za-z0-9._~+/=-]"


def _kind(name: str, lead: str, chars: str, telling: str, **how: bool) -> Kind:
    return Kind(shapes.SHAPES[name].needles, lead, chars, telling, **how)


KINDS: Final[dict[str, Kind]] = {
    "pem": _Pem(("begin ",), shapes.BEGIN, "", ""),
    "putty": _kind(
        "putty",
        r"Private-Lines: [0-9]+(?:[\s|]|\\[rn])+",
        r"[A-Za-z0-9+/=\s\\|]",
        r"[A-Za-z0-9+/]",
        behind=True,
    ),
    "url": Kind(
        ("://",),
        r"(?<=://)",
        r"[^\s/@\"<>]",
        r"[^\s/@:\"<>?#]{0,400}:(?![0-9]{0,5}\Z)[^\s/@\"<>]",
    ),
    "oracle": _kind(
        "oracle",
        r":thin:[^\s/@:\"<>]{1,80}/",
        r"[^\s/@\"<>]",
        r"[^\s/@\"<>]{4}",
        behind=True,
    ),
    "webhook": _kind(
        "webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/|hooks\.zapier\.com/hooks/catch/"
        r"|/webhooks/[0-9]{15,20}/|webhook\.office\.com/webhookb2/|outlook\.office\.com/webhook/",
        "[A-Za-z0-9/@_-]",
        "[A-Za-z0-9/@_-]{4}",
        behind=True,
    ),
    "sk": _kind("sk", f"{_B}sk-", _T, _likely(_T)),
    "aws": _kind("aws", f"{_B}(?:AKIA|ASIA)", "[A-Z0-9]", "[A-Z0-9]"),
    "github": _kind("github", f"{_B}(?:gh[pousr]_|github_pat_)", "[A-Za-z0-9_]", "[A-Za-z0-9_]"),
    "slack": _kind("slack", f"{_B}xox[a-z]-", "[A-Za-z0-9-]", _likely("[A-Za-z0-9-]")),
    "google": _kind("google", f"{_B}AIza", _T, _T),
    "vendor": _kind("vendor", f"(?<!{_T})(?:{shapes.PREFIXES})", _T, _MOSTLY),
    "dotted": _kind(
        "dotted",
        r"(?<![A-Za-z0-9_.-])(?:SG\.|hv[bsr]\.|ya29\.|AQ\.Ab8|1//0|[A-Za-z0-9]{14}\.atlasv1\."
        r"|dp\.(?:pt|st|sa|ct|scim|audit)\.|sl\.(?=[A-Za-z0-9_-]{4})|pat[A-Za-z0-9]{14}\.|[st]k\.eyJ"
        rf"|v1\.0-|[MNO]{_T}{{23,27}}\.(?={_T}{{6}}\.))",
        "[A-Za-z0-9_.-]",
        _MOSTLY,
    ),
    "twilio": _kind("twilio", f"{_B}SK(?=[0-9a-f]{{4}})", "[0-9a-f]", "[0-9a-f]{8}"),
    "databricks": _kind("databricks", f"{_B}dapi", "[0-9a-f-]", "[0-9a-f]{6}"),
    "telegram": _kind("telegram", "(?<![0-9])[0-9]{8,10}:AA", _T, _T),
    "azure": _kind(
        "azure",
        r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~",
        "[A-Za-z0-9_~.-]",
        "[A-Za-z0-9_~.-]",
    ),
    "jwt": _kind("jwt", f"(?<!{_T})eyJ", "[A-Za-z0-9_.-]", rf"{_T}{{7,}}+\."),
    "authorization": _kind(
        "authorization",
        f"authorization{shapes.HEADER}(?:{shapes.SCHEMES})?",
        shapes.CREDENTIAL,
        rf"(?:(?<=[a-z]\s)|(?<=%20)|(?<=\+)){shapes.CREDENTIAL}|{names.OPAQUE}",
        behind=True,
        any_case=True,
    ),
    "digest": _kind(
        "digest",
        f"authorization{shapes.HEADER}(?={shapes.DIGESTS})",
        r"[^\r\n\\]",
        shapes.DIGESTS + r"(?=[^\s=]{1,40}=)",
        behind=True,
        any_case=True,
    ),
    "bearer": _kind(
        "bearer",
        r"(?:(?<=\bbearer\s)|(?<=\bbearer%20))",
        _BEARER,
        f"(?={_BEARER}{{0,200}}?[0-9]){_BEARER}{{4}}|{_BEARER}{{16}}",
        any_case=True,
    ),
    "cookie": _kind(
        "cookie", shapes.COOKIE, r"[^\r\n\"'\\]", shapes.CRUMBS, behind=True, any_case=True
    ),
    "query": _kind(
        "query",
        "(?<=[?&])key=|(?<=[?&-])(?:code|[Ss]ignature|[Pp]olicy|oauth_signature)=",
        _V,
        names.OPAQUE,
        behind=True,
    ),
    "netrc": _kind(
        "netrc", r"login\s{1,3}\S{1,80}\s{1,9}password\s{1,3}", r"[^\s]", r"\S", behind=True
    ),
    "named": _Named(shapes.SHAPES["named"].needles, "", _V, ""),
}
"""One for each of the shapes that `l0.errors` knows."""
