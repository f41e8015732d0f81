"""Values that are secret because of the name before them: `password=…`, `"api_key": "…"`.

Names are found first, by a pattern that skips to the few letters they begin with; what follows one
is judged where it stands. So a text without names costs next to nothing, and any text linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

QUOTE: Final = r"\\*[\"'`]"
VALUE: Final = r"[^\s\"'`<>()\[\]{},;&|\\]"
# With a digit, or with a sign inside that words don't have.
TELLING: Final = rf"(?={VALUE}{{0,200}}?(?:[0-9]|[@#$%^*+~!?/=][A-Za-z0-9]))"
OPAQUE: Final = (
    rf"(?={VALUE}{{0,200}}?[0-9])(?={VALUE}{{0,200}}?[A-Za-z]){VALUE}{{16,4096}}+(?![(\[])"
)
ORDINARY: Final = (
    r"(?!(?:required|optional|string|str|none|null|nil|true|false|undefined|redacted|hidden)"
    r"(?=[\s\"'`,;:|)}\]]|\Z)|your[-_ ]|<|x{3}|\*{3}|\.{2}|…|\[redacted\]"
    r"|(?-i:\$[A-Z_][A-Z0-9_]*(?![A-Za-z0-9]))|\$\{|\{\{|%[(sd]|https?://"
    r"|(?:os|process|self|this|env|environ|settings|config|conf|cfg|args|opts|options|secrets|vars?"
    r"|data|local|module|request|req|params|ctx|context|credentials|st|values|crypto|getpass)\."
    r"|~?\.{0,2}/(?![A-Za-z0-9+/]{39}(?![A-Za-z0-9+/.]))|[A-Za-z]:\\)"
)
"""No placeholder, no path, no place in a program where a value is read from."""

_KEYS = (
    *("api", "app", "application", "account", "access", "auth", "encryption", "signing", "master"),
    *("license", "private", "service", "shared", "subscription", "integration"),
)
_TOKENS = (
    *("access", "auth", "api", "refresh", "session", "security", "bearer", "bot", "private"),
    *("deploy", "vault", "connect"),
)


def _cased(word: str) -> str:
    """A word in any case, spelled out: `re` is several times faster with that than with a flag."""
    return "".join(f"[{char}{char.upper()}]" for char in word)


def _behind(words: tuple[str, ...], last: str) -> str:
    """That one of the words stands before the last one, joined by `-`, `_`, a blank or nothing."""
    spelled: dict[int, list[str]] = {}
    for word in words:
        for gap in ("", "[-_ ]"):
            spelled.setdefault(len(word) + bool(gap), []).append(_cased(word) + gap)
    groups = spelled.values()
    return "|".join(f"(?<=(?:{'|'.join(each)}){_cased(last)})" for each in groups)


def _begins(word: str) -> str:
    r"""That a word began there, or behind an escaped line end (`\n`)."""
    return rf"(?:(?<![A-Za-z0-9]{_cased(word)})|(?<=\\[nrt]{_cased(word)}))"


_NAME = (
    "[AaCcJjKkPpSsTt](?:"
    rf"(?<=[Pp])(?:{_cased('ass')}(?:{'|'.join(map(_cased, ('word', 'wd', 'phrase', 'code')))})"
    rf"|{_cased('wd')}{_begins('pwd')})"
    rf"|(?<=[Ss]){_cased('ecret')}(?:[-_]?(?:{_cased('access')}[-_]?)?{_cased('key')}"
    rf"(?:[-_]?{_cased('base')})?)?"
    rf"|(?<=[Kk]){_cased('ey')}(?:{_behind(_KEYS, 'key')})"
    rf"|(?<=[Tt]){_cased('oken')}(?:{_behind(_TOKENS, 'token')}"
    rf"|(?<=[^A-Za-z]{_cased('id')}[-_]{_cased('token')}))"
    rf"|(?<=[Cc]){_cased('redential')}[sS]?"
    rf"|(?P<header>(?<=[Aa]){_cased('uthorization')}|(?<=[Cc]){_cased('ookie')})"
    rf"|(?P<weak>(?<=[Tt]){_cased('oken')}{_begins('token')}"
    rf"|(?<=[Aa]){_cased('uth')}{_begins('auth')}"
    rf"|(?<=[Ss]){_cased('ig')}{_begins('sig')}"
    rf"|(?<=[Ss]){_cased('ession')}[-_]?{_cased('id')}{_begins('sessionid')}"
    rf"|(?<=[Jj]){_cased('wt')}{_begins('jwt')})"
    ")"
)
_LEAD = (
    rf"{_NAME}(?:(?P<close>\\*[\"'`]\]?)?[ \t]{{0,3}}(?P<sign>=>|:=|={{1,2}}|:|>)[ \t]{{0,9}}"
    rf"|(?P<blank>[ \t]{{1,3}}))(?P<open>{QUOTE})?"
)
"""A name, and what stands between it and its value; the value begins where the match ends."""


@cache
def _lead() -> re.Pattern[str]:
    return re.compile(_LEAD)


_OPTION = re.compile(r"--[A-Za-z0-9-]{0,60}\Z")
_SETTING = re.compile(r"(?:[?&;#]|--|%26|%3[Ff]|=[^\s,;()=]{1,80}\s)[A-Za-z0-9._-]{0,60}\Z")
_SHOUTED = re.compile(r"[A-Z_]{2,}(?![A-Za-z0-9])")


def leads(text: str, start: int = 0) -> Iterator[re.Match[str]]:
    """The names in a text, each with what stands before its value."""
    for match in _lead().finditer(text, start):
        if match["sign"] or (match["header"] is None and _is_option(text, match)):
            yield match


def named_spans(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where values stand in a text that the names before them tell to be secret."""
    done = start
    for lead in leads(text, max(0, start - 160)):
        if lead.start() < done and done > start:
            continue  # within the value before
        end = _end_of_value(text, lead)
        if end is not None and end > start:
            yield lead.end(), end
            done = end


def telling(text: str, lead: re.Match[str]) -> bool:
    """Whether what has come of a value, to the end of the text, is to be hidden with it."""
    if lead["open"] and lead["close"]:
        rule = "begun"
    elif lead["header"] is not None:
        return False
    elif _is_weak(text, lead):
        rule = "opaque"
    else:
        rule = "begun" if (lead["sign"] or "").endswith("=") else "begun, telling"
    begin = lead.end()
    return not _is_placeholder(text, begin) and bool(_rules()[rule].match(text, begin))


def _end_of_value(text: str, lead: re.Match[str]) -> int | None:
    """Where the value behind a lead ends, if it is a secret."""
    begin, sign, rules = lead.end(), lead["sign"] or "", _rules()
    if sign == ">" and lead.end("sign") != begin:
        return None  # no element, but a comparison
    placeholder = _is_placeholder(text, begin)
    if _is_weak(text, lead):
        found = None if placeholder else rules["opaque"].match(text, begin)
        return None if found is None else found.end()
    if lead["open"] and sign and not placeholder:
        end = _closing(text, begin, lead["open"])
        if end is not None and _is_quoted_secret(text, begin, end, lead):
            return end
    if lead["header"] is not None:
        return None
    if lead["close"] and not lead["open"]:
        number = rules["number"].match(text, begin)
        if number is not None:
            return number.end()
    found = None if placeholder else rules["unquoted"].match(text, begin)
    if found is not None and found.end() - begin >= (4 if "=" in sign else 6):
        return found.end()
    if sign == "=" and text[begin - 1] == "=":
        return _end_of_setting(text, lead, placeholder=placeholder)
    return None


def _is_quoted_secret(text: str, begin: int, end: int, lead: re.Match[str]) -> bool:
    """Whether a value in quotes is a secret: any after a name in quotes, or behind `=`."""
    if lead["close"] and lead["close"][-1] != "]":
        return True
    if lead["header"] is not None or end - begin < 4:
        return False
    if lead["sign"] != ":":
        return "\n" not in text[begin:end]
    if _rules()["unquoted"].fullmatch(text, begin, end):
        return True
    return end - begin >= 12 and bool(_rules()["run"].fullmatch(text, begin, end))


def _end_of_setting(text: str, lead: re.Match[str], *, placeholder: bool) -> int | None:
    """Of a query, a list of settings, an option, an environment: any text, words, too."""
    found = _rules()["setting"].match(text, lead.end())
    if found is None:
        return None
    end, shouted = found.end(), _SHOUTED.match(text, lead.end()) is not None
    setting = _SETTING.search(text[max(0, lead.start() - 160) : lead.start()])
    if setting is not None:
        return None if shouted and setting[0].startswith("--") else end
    if _rules()["next setting"].match(text, end):
        return end
    if not _is_shouted_name(text, lead) or placeholder or shouted:
        return None
    return end if end - lead.end() >= 4 and text[end : end + 1] != "." else None


def _is_shouted_name(text: str, lead: re.Match[str]) -> bool:
    """Whether a name is in capitals, as those of an environment are."""
    name = text[lead.start() : lead.end() - 1].rstrip()
    return name.isupper() and text[lead.end() - 2] == name[-1]


def _closing(text: str, begin: int, mark: str) -> int | None:
    """Where the quote that opened a value closes it; None if it doesn't within reach."""
    at, reach = begin, begin + 8192
    while True:
        end = text.find(mark, at, reach)
        if end <= begin:
            return None
        before = text[max(begin, end - 64) : end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return end
        at = end + len(mark)


def _is_weak(text: str, lead: re.Match[str]) -> bool:
    """Whether a name tells of a secret only where the value looks like one."""
    return lead["weak"] is not None and not lead["blank"] and not _is_option(text, lead)


def _is_placeholder(text: str, begin: int) -> bool:
    return _rules()["ordinary"].match(text, begin) is None


def _is_option(text: str, lead: re.Match[str]) -> bool:
    return _OPTION.search(text, max(0, lead.start() - 64), lead.start()) is not None


@cache
def _rules() -> dict[str, re.Pattern[str]]:
    """What a value is like, each from where it begins."""
    sources = {
        "ordinary": ORDINARY,
        "unquoted": rf"{TELLING}{VALUE}{{4,4096}}+(?![(\[])",
        "opaque": OPAQUE,
        "run": rf"{VALUE}++",
        "setting": rf"(?!\$|%[(sd]){VALUE}{{3,4096}}+(?![(\[])",
        "next setting": r"\s[a-z_]{2,20}=",
        "number": r"-?[0-9][^\s,}\]\"']*+",
        "begun": rf"{VALUE}{{3}}",
        "begun, telling": rf"{TELLING}{VALUE}{{3}}",
    }
    return {name: re.compile(source, re.IGNORECASE) for name, source in sources.items()}
