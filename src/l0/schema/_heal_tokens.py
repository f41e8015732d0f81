"""The words of broken JSON: one regular expression for each thing that may stand at a place.

Every repetition is possessive or bounded, so that reading is linear in the text.
"""

from __future__ import annotations

import re

_B = r"[ \t\r\n]*+"
BLANK = re.compile(_B)
THE_END = re.compile(r"\s*+\Z")
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?![\w.+%-])"
STRING = re.compile(_STRING)
SCALAR = re.compile(rf"{_NUMBER}|(?:true|false|null)(?![\w-])")
"""A number or literal as JSON has it."""

_MEMBER = rf"{_B}{_STRING}{_B}:{_B}(?:{_STRING}|{_NUMBER}|true|false|null){_B},"
_ELEMENT = rf"{_B}(?:{_STRING}|{_NUMBER}|true|false|null){_B},"
MEMBERS = re.compile(rf'(?:{_MEMBER}(?={_B}"))++')
"""Members that need no repair, each with its comma and a next one after it."""
ELEMENTS = re.compile(rf'(?:{_ELEMENT}(?={_B}["0-9{{\[tfn-]))++')
"""Likewise elements of an array."""

COMMENT = re.compile(
    r"//[^\n\r]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)|#[^\n\r]*+|<!--.*?(?:-->|\Z)", re.DOTALL
)
ELLIPSIS = re.compile(r"\.\.\.|…")
STRAY = re.compile(
    r"(?:[^\S \t\r\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\u200b-\u200f\u2060]|\\[nrt])++"
)
"""What may not be between tokens: other blanks, control and zero-width characters, escapes."""

QUOTES = {
    '"': '"',
    "'": "'",
    "“": '”“"',
    "”": '”"',
    "„": '“”"',
    "\u2018": "\u2019\u2018'",
    "\u2019": "\u2019'",
    "`": "`\u00b4'",
}
"""Opening quotes, and what may close them."""

_QUOTE = "\"'“”„\u2018\u2019`"
_WORD = r"[\w$][\w$.\-]{0,99}+(?: [\w$.\-]{1,40}+){0,5}+"
_IN_QUOTES = r"\"[^\"\\\n]*+(?:\\.[^\"\\\n]*+)*+\"|'[^'\n]*+'|[“”][^“”\"\n]*+[“”\"]"
_QUOTED_KEY = rf"(?:{_IN_QUOTES})\s*+:"
_KEY = rf"(?:{_QUOTED_KEY}|{_WORD}[\"']?\s*+:)"
KEY_AHEAD = re.compile(rf"\s*+{_KEY}")
"""A key and its colon come next."""
BARE_KEY = re.compile(rf"({_WORD})(['\"“”]?)(?=\s*+(?::|\Z))")
"""A key without quotes, or without its opening quote."""
UNCLOSED_KEY = re.compile(r"[\"'“]([\w$\-]++)(?=\s*+:\s*+[\"'“\d{\[tfnTFN-])")
"""A key whose closing quote is missing."""

_END = r"(?:\Z|//|/\*|#|```)"
KEY_ENDS = re.compile(r"\s*+(?::|\Z)")
_NEXT_KEY = rf"(?:[}}\]]|,|{_END}|{_KEY}|[{_QUOTE}][^\"'“”\n]*+\Z|\.\.\.|{{)"
MEMBER_ENDS = re.compile(
    rf"\s*+(?:[}}\]]|{_END}|,\s*+{_NEXT_KEY}|{_QUOTED_KEY})|[ \t]*+\r?\n\s*+{_KEY}"
)
"""What may follow the string value of a member, commas forgotten included."""
_VALUE = rf"(?:[{_QUOTE}{{\[]|{_NUMBER}|-?\.?\d|(?:true|false|null|True|False|None)\b)"
ELEMENT_ENDS = re.compile(
    rf"\s*+(?:[}}\]]|{_END}|,\s*+(?:{_VALUE}|[}}\],]|{_END}|{_KEY}|\.\.\.)|{_VALUE})"
)
"""What may follow a string in an array."""
ROOT_ENDS = re.compile(r"\s*+(?:\Z|```)")

_BARE = rf"[^\s,:{{}}\[\]{_QUOTE}]++"
BARE = re.compile(rf"(?!//|/\*|#|```){_BARE}(?:[^\S\n\r]++(?!//|/\*|#|```){_BARE})*+")
"""A value without quotes."""
PROSE_TO_THE_END = re.compile(r"\w[^{}\[\]\"]*+\Z")
PLAIN_WORDS = re.compile(r"[\w$€£+-][\w .%/+@&$€£°#-]*+")
"""Words without quotes that can only be meant as text."""

_OPENS_OBJECT = (
    rf"\{{(?:\s|\\[nrt])*+(?:[{_QUOTE}}},]|\\\"|//|/\*|#|\Z|[\w$-]++(?: [\w$-]++)?\s*+:|[\w$]++\":)"
)
_OPENS_ARRAY = (
    rf"\[(?:\s|\\[nrt])*+(?:[{_QUOTE}\]{{,]|\\\"|\[|[+-]?\.?\d|//|/\*|#|\Z"
    r"|(?:true|false|null|True|False|None|NaN|undefined|-?Infinity)\b)"
)
OPENING = re.compile(rf"{_OPENS_OBJECT}|{_OPENS_ARRAY}")
"""A bracket with something after it that JSON, whole or broken, could begin with."""
