r"""What secrets look like: the prefixes their providers gave them, and what stands before them.

A match is the secret alone, or the group `secret` of one; the rest stays, so that a text is still
readable. Minimal lengths keep identifiers, hashes, UUIDs, base64 and hyphenated words out. No
pattern has a repetition without a bound inside another, so that each costs linear time; `*+` and
`++` take what they can and give nothing back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Final

from l0.errors._secret_names import OPAQUE, leads, named_spans

REPLACEMENT: Final = "[redacted]"

Span = tuple[int, int]


class Shape:
    """One shape, compiled when the first text comes that may hold it.

    One of `needles` stands in each text, in lower case, that holds one, and one of `besides`, too.
    """

    def __init__(
        self, source: str, needles: str, *, besides: str = "", any_case: bool = False
    ) -> None:
        self.source = source
        self._flags = re.IGNORECASE if any_case else 0
        self.needles = tuple(needles.split("|"))
        self._besides = besides.split()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches it."""
        return re.compile(self.source, self._flags)

    def may_stand_in(self, folded: str) -> bool:
        """Whether it is worth searching a text, which is given in lower case."""
        if self._besides and not any(each in folded for each in self._besides):
            return False
        return any(each in folded for each in self.needles)

    def spans(self, text: str, start: int = 0) -> Iterator[Span]:
        """Where it stands, from `start` on."""
        return map(span_of, self.pattern.finditer(text, start))

    def sub(self, replacement: str, text: str) -> str:
        """The text with a replacement for each."""
        told, last = [], 0
        for start, end in self.spans(text):
            told += [text[last:start], replacement]
            last = end
        return "".join([*told, text[last:]]) if told else text


_NAMES: Final = (
    "cookie|passw|passphrase|passcode|pwd|secret|key|token|credential|sig|auth|session|jwt"
)


class Named(Shape):
    """Values that the names before them tell to be secret."""

    def __init__(self) -> None:
        super().__init__("", _NAMES, besides=": = > --")

    def spans(self, text: str, start: int = 0) -> Iterator[Span]:
        """Where such values stand, from `start` on."""
        return named_spans(text, start)


def span_of(match: re.Match[str]) -> Span:
    """Where the secret of a match stands: one of its groups `secret…`, or all of it."""
    name = match.lastgroup
    return match.span(name) if name is not None and name.startswith("secret") else match.span()


_T = r"[A-Za-z0-9_-]"
_ALNUM = "[A-Za-z0-9]"
_MIXED = r"(?:[A-Za-z][0-9]|[0-9][A-Za-z])"


def _word(prefix: str, before: str = _ALNUM) -> str:
    r"""What follows a prefix, of a fixed length, to say that a word begins with it.

    A word also begins behind an escaped line end (`\n`), a percent-encoded character and a colour.
    Literals come before lookbehinds: that is what lets `re` skip through text without them.
    """
    escaped = "|".join(
        rf"(?<={lead}{prefix})" for lead in (r"\\[nrt]", "%[0-9A-Fa-f]{2}", r"\[[0-9]{1}m")
    )
    return rf"(?:(?<!{before}{prefix})|{escaped})"


# --- keys that say whose they are ---------------------------------------------------------------

# A stretch that no identifier has: as long as that, with a digit or a capital inside.
_RUN = r"(?=[A-Za-z0-9]{0,40}?(?:[0-9]|[a-z][A-Z]))[A-Za-z0-9]{20,}"
_LONG = rf"(?={_T}{{0,80}}?(?:[0-9]|[a-z][A-Z])){_T}{{20,}}"

_VENDORS: Final[dict[str, tuple[str, ...]]] = {
    _RUN: (
        *("hf_", "api_org_", "r8_", "gsk_", "pplx-", "npm_", "e2b_", "jina_", "tvly-", "csk-"),
        *("lin_api_", "lin_oauth_", "ntn_", "secret_", "sk_live_", "sk_test_", "rk_live_"),
        *("rk_test_", "sk_prod_", "whsec_", "rubygems_", "pul-", "nfp_", "vcp_", "vck_", "vca_"),
        *("vcr_", "vci_", "dop_v1_", "doo_v1_", "dor_v1_", "sbp_", "rpa_", "phx_", "sntryu_"),
        *("sess-", "fw_", "xai-", "shippo_live_", "fc-", "aio_", "kgat_"),
    ),
    "[0-9a-fA-F]{32,}": ("key-", "shpat_", "shpca_", "shppa_", "shpss_", "shprt_"),
    _LONG: (
        *("glpat-", "gldt-", "glrt-", "glptt-", "glsoat-", "glcbt-", "glimt-", "glft-", "gloas-"),
        *("glffct-", "glagent-", "dckr_pat_", "dckr_oat_", "tgp_v1_", "nvapi-", "lsv2_pt_"),
        *("lsv2_sk_", "pcsk_", "sb_secret_", "sntrys_", "glsa_", "glc_", "pypi-", "CFPAT-"),
        *("sq0atp-", "sq0csp-", "HRKU-", "hrku-", "FLWSECK-", "wandb_v1_", "xapp-"),
        *(
            "PMAK-",
            "GOCSPX-",
            "NRAK-",
            "NRAL-",
            "NRBR-",
            "bedrock-api-key-",
            "figd_",
            "figo_",
            "figu_",
            "tfp_",
        ),
        *("rnd_", "ATATT3", "pat-na1-", "pat-eu1-", "access-production-"),
        *("access-sandbox-", "access-development-", "ABSK"),
    ),
    r"[A-Za-z0-9_+/=-]{80,}": ("ops_",),
    "[0-9A-Za-z]{58}": ("AGE-SECRET-KEY-1", "age-secret-key-1"),
}

_VENDOR = "|".join(
    f"(?:{'|'.join(map(re.escape, prefixes))}){body}" for body, prefixes in _VENDORS.items()
)

PREFIXES: Final = "|".join(re.escape(each) for group in _VENDORS.values() for each in group)
"""Of the keys that say whose they are, any of them."""

_DOTTED = "|".join(
    (
        rf"SG\.{_T}{{16,40}}\.{_T}{{16,64}}",
        rf"hv[bsr]\.{_T}{{24,}}",
        r"ya29\.[A-Za-z0-9_.-]{20,}",
        rf"AQ\.Ab8{_T}{{24,}}",
        rf"1//0{_T}{{30,}}",
        rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_T}{{40,}}",
        r"dp\.(?:pt|st|sa|ct|scim|audit)\.(?:[a-z0-9_-]{2,40}\.)?[A-Za-z0-9]{40,}",
        rf"sl\.{_T}{{60,}}",
        r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
        rf"(?:sk|tk)\.eyJ{_T}{{10,}}\.{_T}{{16,}}",
        r"v1\.0-[0-9a-f]{24}-[0-9a-f]{64,}",
        (
            r"[MNO](?=[A-Za-z_-]{0,30}[0-9])[A-Za-z0-9_-]{23,27}\.(?=[A-Za-z_-]{0,5}[0-9A-Z])"
            rf"{_T}{{6}}\.(?=[A-Za-z_-]{{0,40}}[0-9]){_T}{{27,40}}"
        ),
    )
)

# --- headers, files -----------------------------------------------------------------------------

SCHEMES = (
    r"(?:bearer|basic|token|api-?key|bot|key|ssws|negotiate|ntlm|sharedkey(?:lite)?|splunk|genie-?key"
    r"|oauth|hawk|mac)(?:\s|%20|\+)"
)
DIGESTS = r"(?:digest|hmac-[a-z0-9]{1,20}|aws4-hmac-sha256|signature|snowflake|oauth|hawk|mac)\s"
HEADER = r"(?:\\*[\"'`]\]?)?\s{0,3}(?:=>|[:=,])\s{0,3}(?:b?\\*[\"'])?"
CREDENTIAL = r"[^\s\"',;\[\\]"

COOKIE = r"(?:cookie" + HEADER + r"|--cookie[ =](?:\\*[\"'])?)"
CRUMBS = r"(?=[^\s=;,\"'\\]{1,80}=)(?=[^\r\n\"'\\]{0,400}?=[^\s;,\"'\\]{8})"

_KEY = r"(?:[A-Za-z0-9]+ ){0,3}(?:PRIVATE KEY(?: BLOCK)?|Static key V1)"
BEGIN: Final = rf"(?:-----BEGIN {_KEY}-----|---- BEGIN {_KEY} ----)"
END: Final = rf"(?:-----END {_KEY}-----|---- END {_KEY} ----)"

SHAPES: Final[dict[str, Shape]] = {
    # To its end line; without one, as far as it looks like key material.
    "pem": Shape(
        rf"{BEGIN}(?:(?:(?!-----BEGIN)[\s\S]){{0,16384}}?{END}|[A-Za-z0-9+/=\s\\]*+)",
        "private key|static key",
    ),
    "putty": Shape(
        r"Private-Lines: [0-9]+(?:[\s|]|\\[rn])+(?P<secret>[A-Za-z0-9+/=\s\\|]{32,16384}+)",
        "private-lines",
    ),
    "url": Shape(
        r"(?<=://)(?:[^\s/@:\"<>?#]*:[^\s/@\"<>]+"
        r"|(?=[^\s/@:\"<>?#]{0,200}?[0-9])[A-Za-z0-9_.~%-]{16,})(?=@)",
        "://",
        besides="@",
    ),
    "oracle": Shape(
        r":thin:[^\s/@:\"<>]{1,80}/(?P<secret>[^\s/@\"<>]+)(?=@)", ":thin:", besides="@"
    ),
    "webhook": Shape(
        r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"
        r"|(?<=hooks\.slack\.com/workflows/)[A-Za-z0-9/]{20,}"
        r"|(?<=hooks\.slack\.com/triggers/)[A-Za-z0-9/]{20,}"
        r"|(?<=hooks\.zapier\.com/hooks/catch/)[0-9]+/[A-Za-z0-9]+"
        rf"|/webhooks/[0-9]{{15,20}}/(?P<secret>{_T}{{40,}})"
        r"|(?<=webhook\.office\.com/webhookb2/)[A-Za-z0-9@/-]{40,}"
        r"|(?<=outlook\.office\.com/webhook/)[A-Za-z0-9@/-]{40,}",
        "hooks.|webhook",
    ),
    # sk-… and sk-ant-…: besides length, a stretch that no hyphenated phrase has. Lookaheads are
    # bounded, so that text made of "sk-sk-sk-…" costs linear time.
    "sk": Shape(
        rf"sk-{_word('sk-')}(?:(?:ant|proj|svcacct|admin)-{_T}{{16,}}"
        rf"|(?={_T}{{0,64}}?"
        rf"(?:[A-Za-z0-9]{{20}}|{_MIXED}[A-Za-z0-9]{{4}}|[A-Za-z0-9]{{4}}{_MIXED}))"
        rf"{_T}{{16,}})",
        "sk-",
    ),
    "aws": Shape(
        rf"A[KS]IA{_word('A[KS]IA')}[A-Z0-9]{{16}}(?![A-Za-z0-9])",
        "akia|asia",
    ),
    "github": Shape(
        rf"gh[pousr]_{_word('gh[pousr]_')}[A-Za-z0-9]{{20,}}"
        rf"|github_pat_{_word('github_pat_')}[A-Za-z0-9_]{{20,}}",
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
    ),
    "slack": Shape(
        rf"xox[a-z]-{_word('xox[a-z]-')}(?=[A-Za-z0-9-]{{0,64}}?[0-9])[A-Za-z0-9-]{{10,}}",
        "xox",
    ),
    "google": Shape(rf"AIza{_word('AIza')}{_T}{{30,}}", "aiza"),
    "vendor": Shape(
        rf"(?:(?<!{_T})|(?<=\\[nrt])|(?<=%[0-9A-F]{{2}}))(?:{_VENDOR})",
        "|".join(sorted({each.casefold() for group in _VENDORS.values() for each in group})),
    ),
    "dotted": Shape(
        rf"(?:(?<![A-Za-z0-9_.-])|(?<=\\[nrt])|(?<=%[0-9A-F]{{2}}))(?:{_DOTTED})", ".|1//0"
    ),
    "twilio": Shape(rf"SK{_word('SK')}[0-9a-f]{{32}}(?![A-Za-z0-9])", "sk"),
    "databricks": Shape(rf"dapi{_word('dapi')}[0-9a-f]{{32}}(?:-[0-9])?(?![A-Za-z0-9])", "dapi"),
    "telegram": Shape(rf"(?<![0-9])[0-9]{{8,10}}:AA{_T}{{32,34}}(?![A-Za-z0-9])", ":aa"),
    "azure": Shape(r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}", "q~"),
    # A token of three parts (signed) or five (encrypted, whose second may be empty).
    "jwt": Shape(rf"eyJ{_word('eyJ', _T)}{_T}{{10,}}\.{_T}*\.{_T}{{8,}}(?:\.{_T}+){{0,2}}", "eyj"),
    "digest": Shape(
        rf"authorization{HEADER}(?P<secret>{DIGESTS}(?=[^\s=]{{1,40}}=)[^\r\n\\]{{8,4096}}+)",
        "authorization",
        any_case=True,
    ),
    # The header as text, JSON, Python dict or list of pairs: after it any length is a credential.
    "authorization": Shape(
        rf"authorization{HEADER}(?!\[redacted\])"
        rf"(?P<secret>{SCHEMES}{CREDENTIAL}{{3,}}+|{OPAQUE})",
        "authorization",
        any_case=True,
    ),
    "bearer": Shape(
        r"(?:(?<=\bbearer\s)|(?<=\bbearer%20))"
        r"(?:(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{16,}|[A-Za-z0-9]{24,})",
        "bearer",
        any_case=True,
    ),
    "cookie": Shape(
        rf"{COOKIE}(?P<secret>{CRUMBS}[^\r\n\"'\\]{{1,8192}}+)",
        "cookie",
        besides=": = ,",
        any_case=True,
    ),
    "query": Shape(
        r"(?<=[?&])key=(?P<secret>(?=[A-Za-z_-]{0,40}[0-9])(?=[0-9_-]{0,40}[A-Za-z])"
        rf"(?![0-9a-f]{{8}}-[0-9a-f]{{4}}-){_T}{{20,}}+)"
        r"|(?<=[?&-])(?:code|[Ss]ignature|[Pp]olicy|oauth_signature)="
        rf"(?P<secret_1>{OPAQUE})",
        "key=|code=|signature=|policy=",
        besides="? &",
    ),
    "netrc": Shape(
        r"login\s{1,3}\S{1,80}\s{1,9}password\s{1,3}(?P<secret>\S{1,400})",
        "login",
        besides="password",
    ),
    "named": Named(),
}
"""Each shape by its name."""

# --- a quick look -------------------------------------------------------------------------------

_BARE: Final = (
    *("akia", "asia", "aiza", "eyj", "bearer", "dapi", "authorization", "cookie"),
    *(each for each in SHAPES["vendor"].needles if each[-1] not in "-_"),
)


def has_hint(folded: str) -> bool:
    """Whether a text, in lower case, may hold a secret, or the beginning of one.

    Rare characters are asked for first, because a search for one is all but free.
    """
    for hint in _BARE:
        if hint in folded:
            return True
    if "-" in folded and _dashed().search(folded):
        return True
    if "_" in folded and _underscored().search(folded):
        return True
    if "." in folded and _dotted().search(folded):
        return True
    if "/" in folded and ("://" in folded or "1//0" in folded or "hook" in folded):
        return True
    if "sk" in folded and _twilio().search(folded):
        return True
    if "~" in folded and "q~" in folded:
        return True
    if ("?" in folded or "&" in folded) and SHAPES["query"].may_stand_in(folded):
        return True
    if "login" in folded and "password" in folded:
        return True
    return ":" in folded and (":aa" in folded or ":thin:" in folded or "private-lines" in folded)


def has_name(folded: str, since: int = 0) -> bool:
    """Whether in a text, in lower case, a name stands before a value that may be secret.

    With `since`, only values count that begin there or later.
    """
    if not SHAPES["named"].may_stand_in(folded):
        return False
    return any(lead.end() >= since for lead in leads(folded))


def may_be_valued(folded: str) -> bool:
    """Whether something stands in a text, in lower case, that ends a name before its value."""
    return "=" in folded or ":" in folded or ">" in folded or "--" in folded or "passw" in folded


def shapes_in(folded: str) -> list[Shape]:
    """The shapes worth searching a text for, which is given in lower case.

    Most texts have none, and cost next to nothing.
    """
    named = has_name(folded)
    if not named and not has_hint(folded):
        return []
    return [
        shape
        for name, shape in SHAPES.items()
        if (named or name != "named") and shape.may_stand_in(folded)
    ]


def _anchored(last: str, more: str) -> re.Pattern[str]:
    """Finds prefixes that end in a character, which it looks for first."""
    ends = {each for each in SHAPES["vendor"].needles if each.endswith(last)}
    lengths = sorted({len(each) for each in ends})
    behind = ("|".join(sorted(each for each in ends if len(each) == n)) for n in lengths)
    return re.compile(f"{last}(?:{'|'.join(f'(?<={each})' for each in behind)}|{more})")


@cache
def _dashed() -> re.Pattern[str]:
    return _anchored("-", r"(?<=sk-)|(?<=xox[a-z]-)|---|-(?<=--) ?begin|-(?<=--)[a-z]")


@cache
def _underscored() -> re.Pattern[str]:
    return _anchored("_", r"(?<=gh[pousr]_)|(?<=github_pat_)")


@cache
def _dotted() -> re.Pattern[str]:
    return re.compile(
        r"\.(?:(?<=sg\.)|(?<=hv[bsr]\.)|(?<=ya29\.)|(?<=aq\.)ab8|(?<=atlasv1\.)|(?<=sl\.)[a-z0-9_-]{4}"
        r"|(?<=dp\.)(?:pt|st|sa|ct|scim|audit)\.|(?<=pat[a-z0-9]{14}\.)|(?<=[st]k\.)eyj|(?<=v1\.)0-"
        r"|(?<=[a-z0-9_-]{23}\.)[a-z0-9_-]{6}\.)"
    )


@cache
def _twilio() -> re.Pattern[str]:
    return re.compile("sk[0-9a-f]{4}")
