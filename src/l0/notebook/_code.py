"""Code in colours for static output: Pygments reads it, and spans say what each piece is.

The languages, the kinds and the colours are those of the live view (`js/src/lib/code.ts` and
`js/src/extras.css`), so that little changes when one takes the other's place. Colours are inline:
one that reads on light and on dark, and over it, where the page keeps variables, the one of the
page's own code cells. In an unknown language and beyond a size, code stays plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from typing import Any, Final

MOST: Final = 64_000
"""Characters of code in one answer that get colours; reading them takes a third of a second, and
spans make a page six times as long. Blocks beyond it stay plain."""

_LONG: Final = 2000  # characters of a line, as in the live view; longer ones are made by machines

_INK: Final = {
    "k": ("#9159c9", "keyword", 80),
    "s": ("#c04a3f", "string", 80),
    "n": ("#25845a", "number", 80),
    "c": ("#5f7f86", "comment", 72),
    "f": ("#2f78c8", "def", 72),
    "a": ("#2c7d94", "property", 80),
    "o": ("#8a6bb0", "operator", 80),
}
"""By kind: the colour, the page's variable, and how many percent of it are mixed into the text's.

Keyword, string, number, comment, name that is defined, attribute or key, operator."""

_SAME: Final = {"i": "n", "d": "s"}
"""Inserted and deleted lines have the colours of numbers and strings; the sign says which."""

_LEXERS: Final = {
    "python py python3 py3 ipython pycon": "python",
    "json jsonc json5 jsonl": "json",
    "bash sh shell zsh": "bash",
    "javascript js jsx mjs cjs node": "javascript",
    "typescript ts tsx mts": "typescript",
    "sql mysql postgresql postgres sqlite": "sql",
    "html xml svg xhtml vue": "html",
    "css scss less": "css",
    "yaml yml": "yaml",
    "toml ini cfg": "toml",
    "diff patch": "diff",
    "c h": "c",
    "cpp c++ hpp": "cpp",
    "java": "java",
    "go golang": "go",
    "rust rs": "rust",
}
LANGUAGES: Final = {name: lexer for names, lexer in _LEXERS.items() for name in names.split()}
"""What a fence may be called, and who reads it; the same names as in the live view."""

_KINDS: Final = {
    "Comment": "c",
    "Keyword": "k",
    "Literal.Number": "n",
    "Literal.String": "s",
    "Literal.String.Interpol": "",
    "Name.Attribute": "a",
    "Name.Class": "f",
    "Name.Decorator": "f",
    "Name.Entity": "n",
    "Name.Function": "f",
    "Name.Tag": "f",
    "Name.Variable": "f",
    "Operator.Word": "k",
    "Generic.Deleted": "d",
    "Generic.Heading": "f",
    "Generic.Inserted": "i",
    "Generic.Subheading": "f",
}
_DATA: Final = {"Name.Tag": "a", "Keyword.Type": ""}
_FAMILY: Final = {"Name.Function": "", "Name.Variable": "", "Name.Namespace": ""}
_OPERATORS: Final = frozenset({"c", "cpp", "go", "java", "javascript", "python", "rust", "sql"}) | {
    "typescript"
}
_OPERATOR: Final = re.compile(r":?[-+*/%=<>!&|^~]+")
_DEFINES: Final = frozenset({"class", "enum", "fn", "func", "function", "interface", "struct"})
_TYPES: Final = frozenset(
    {"any", "bigint", "boolean", "never", "number", "object", "string", "symbol", "unknown", "void"}
)
_OTHERWISE: Final[dict[str, dict[str, str]]] = {
    "bash": {"Literal.Number": "", "Literal.String.Interpol": "f"},
    "c": _FAMILY,
    "cpp": _FAMILY,
    "css": {
        "Comment.Preproc": "k",
        "Keyword": "a",
        "Keyword.Constant": "",
        "Name.Decorator": "",
        "Keyword.Type": "n",
        "Name.Function": "",
        "Name.Namespace": "f",
        "Name.Tag": "",
        "Name.Variable": "a",
    },
    "java": {**_FAMILY, "Name.Attribute": ""},
    "json": _DATA,
    "rust": {"Name.Function.Magic": ""},
    "sql": {"Name.Builtin": "k"},
    "toml": {"Keyword": "f", "Keyword.Constant": "k", "Name": "a"},
    "yaml": {**_DATA, "Name.Label": "f", "Name.Variable": "f"},
}
"""Where a lexer uses a name for something else."""


def highlight(text: str, language: str, *, most: int = MOST) -> str | None:
    """The code as HTML, its pieces in spans; None where it stays plain, as it does beyond `most`.

    Example:
        >>> highlight("x = 1", "brainfuck") is None
        True
        >>> highlight("# <b>", "python").partition(">")[2]
        '# &lt;b&gt;</span>'
    """
    name = LANGUAGES.get(language.lower())
    if name is None or len(text) > most or any(len(line) > _LONG for line in text.split("\n")):
        return None
    pieces = list(_pieces(_lexer(name).get_tokens(f"{text}\n"), name))
    if "".join(said for _, said in pieces) != f"{text}\n":  # it left out what it takes for no text
        return None
    kind, said = pieces[-1]
    pieces[-1] = kind, said[:-1]  # lexers need the last line to end; the block does not
    return "".join(_span(kind, said) for kind, said in _joined(pieces))


STYLE: Final = ";".join(
    f"--l0-t{kind}:color-mix(in oklab,var(--jp-mirror-editor-{name}-color,{ink}) "
    f"{share}%,currentColor)"
    for kind, (ink, name, share) in _INK.items()
)
"""What a block with spans declares."""


@cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # imported with the first block there is

    return get_lexer_by_name(name, stripnl=False)


def _pieces(tokens: Iterable[tuple[Any, str]], name: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token."""
    kinds: dict[Any, str] = {}
    operators, otherwise = name in _OPERATORS, _OTHERWISE.get(name, {})
    before = ""  # the last one that was no blank
    for type_, said in tokens:
        kind = kinds.get(type_)
        if kind is None:
            kind = kinds[type_] = _kind(str(type_).removeprefix("Token."), otherwise)
        if operators and not kind and _OPERATOR.fullmatch(said):
            kind = "o"
        elif operators and before in _DEFINES and said.isidentifier():
            kind = "f"
        elif name == "typescript" and kind in {"", "k"} and _is_type(type_):
            kind = "k" if said in _TYPES else ""
        if said.strip():
            before = said
        yield kind, said


def _is_type(type_: Any) -> bool:
    """Whether it may be the name of a type."""
    return str(type_) in {"Token.Keyword.Type", "Token.Name.Other"}


def _kind(name: str, otherwise: dict[str, str]) -> str:
    """The kind of a type, or of the nearest one above that has any."""
    while name:
        for table in (otherwise, _KINDS):
            if name in table:
                return table[name]
        name = name.rpartition(".")[0]
    return ""


def _joined(pieces: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Neighbours of one kind as one, also over blanks: the fewer spans, the lighter the page."""
    kind, said, blank = "", "", ""
    for each, text in pieces:
        if not text.strip():
            blank += text
        elif each == kind:
            said, blank = said + blank + text, ""
        else:
            yield kind, said
            yield "", blank
            kind, said, blank = each, text, ""
    yield kind, said
    yield "", blank


def _span(kind: str, said: str) -> str:
    if not kind or not said:
        return escape(said)
    kind = _SAME.get(kind, kind)
    slant = ";font-style:italic" if kind == "c" else ""
    return (
        f'<span style="color:{_INK[kind][0]};color:var(--l0-t{kind}){slant}">{escape(said)}</span>'
    )
