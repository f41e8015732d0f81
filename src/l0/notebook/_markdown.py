r"""Markdown as safe HTML for static output: everything escaped, tags from a short list, no markup.

The same subset as the live view's (`js/src/lib/markdown.ts` and `inline.ts`): headings, nested
lists, tables, quotes, fences, emphasis, inline code, links. Formulas keep their source. Links lead
to http, https and mailto only; an image is a link to it. Nothing of the text becomes an attribute
but the target of a link and the number of a list.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from html import escape
from typing import Final

from l0.notebook._code import MOST, STYLE, highlight
from l0.notebook._inline import HUGE, inline
from l0.notebook._look import MONO

_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s{]*)")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?$")
_RULE: Final = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_QUOTE: Final = re.compile(r" {0,3}> ?")
_ITEM: Final = re.compile(r"( *)([-*+]|([0-9]{1,9})[.)])(?: +|$)")
_DASHES: Final = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELLS: Final = re.compile(r"(?<!\\)\|")
_BAR: Final = re.compile(r"^\||(?<!\\)\|$")
_NEWLINE: Final = re.compile(r"\r\n?|\n")
_DEEPEST: Final = 20
"""Lists and quotes inside each other; what is deeper is drawn plain."""

_LONG: Final = 50_000
"""Characters from which on an answer is laid out in parts."""

_CHUNK: Final = 12_000
"""Characters of HTML in such a part, at least."""

_EDGE: Final = "1px solid rgba(128,128,128,0.28)"
_GROUND: Final = "background:rgba(128,128,128,0.1);outline:1px solid transparent"
"""Of code. Where colours are forced there is no background, and the outline is seen."""

_BLOCK: Final = (
    f"{MONO};font-size:0.93em;line-height:1.45;white-space:pre;overflow-x:auto;border:0;"
    "color:inherit"
)
_STYLES: Final = {
    "p": "margin:0.65em 0",
    **{
        f"h{level}": f"margin:1.1em 0 0.4em;font-size:{size}em;font-weight:600;line-height:1.3"
        for level, size in enumerate(("1.4", "1.22", "1.08", "1", "1", "1"), 1)
    },
    "ul": "margin:0.65em 0;padding-left:1.7em",
    "ol": "margin:0.65em 0;padding-left:1.7em",
    "li": "margin:0.15em 0",
    "blockquote": (
        "margin:0.65em 0;padding:0 0 0 1em;border-left:3px solid rgba(128,128,128,0.28);"
        "opacity:0.72"
    ),
    "pre": (f"margin:0.65em 0;padding:0.7em 0.9em;border-radius:4px;{_GROUND};{_BLOCK}"),
    "table": (
        "margin:0.65em 0;display:block;overflow-x:auto;max-width:100%;"
        "border-collapse:collapse;font-size:0.93em;color:inherit"
    ),
    "tr": "background:transparent",
    "hr": f"margin:0.65em 0;border:0;border-top:{_EDGE}",
}
"""As `js/src/stream.css` has it: when the live view is replaced, no line is to move."""

_CELL: Final = (
    f"padding:0.3em 0.9em 0.3em 0;border:0;border-bottom:{_EDGE};max-width:32em;line-height:1.5;"
    "vertical-align:top;white-space:normal;overflow-wrap:break-word;background:transparent;color:inherit"
)
_CODE_BOX: Final = f"margin:0.6045em 0;padding:0.65em 0.84em;border-radius:4px;{_GROUND}"
_LANGUAGE: Final = "margin:0 0 0.4em;font-size:0.79em;line-height:1;opacity:0.72"
_LOOSE: Final = re.compile(r'(<(?:p|ul|ol)(?: start="\d+")? style="margin:)0\.65em')
_MARK: Final = re.compile(r"<[^>]*>")
_TOP: Final = re.compile(r'(<[^<>]* style="margin:)[\d.]+em 0(?: ([\d.]+em))?')
_BOTTOM: Final = re.compile(r'(<[^<>]* style="margin:[\d.]+(?:em)? 0)(?: [\d.]+em)?')


_colours: Final = ContextVar("colours", default=MOST)
"""How many characters of code may still get colours in the text that is drawn."""


def render(text: str) -> str:
    """The text as HTML.

    Example:
        >>> render("# Hi *there*").partition(">")[2]
        'Hi <em>there</em></h1>'
    """
    colours = _colours.set(MOST)
    try:
        blocks = _flush(_blocks([line.expandtabs(4) for line in _NEWLINE.split(text)]))
        return "".join(blocks if len(text) < _LONG else _in_chunks(blocks))
    finally:
        _colours.reset(colours)


def plain(text: str) -> str:
    """The text as it is, in a block that keeps its spaces and wraps.

    Example:
        >>> plain("<b>").partition(">")[2]
        '&lt;b&gt;</div>'
    """
    style = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0"
    if len(text) < _LONG:
        return f'<div style="{style}">{escape(text)}</div>'
    chunks = [""]
    for line in text.splitlines(keepends=True):
        if len(chunks[-1]) >= _CHUNK:
            chunks.append("")
        chunks[-1] += line
    # The break at the end of a chunk would be an empty line, and is the one between two blocks.
    parts = (_chunk(escape(each.removesuffix("\n")), len(each)) for each in chunks[:-1])
    return f'<div style="{style}">{"".join(parts)}{escape(chunks[-1])}</div>'


def code_block(text: str, language: str = "") -> str:
    """The text as a block of code, below the name of its language and in its colours.

    Example:
        >>> code_block("<b>").partition(">")[2]
        '&lt;b&gt;</pre>'
    """
    if not language:
        return _tag("pre", escape(text))
    coloured = highlight(text, language, most=_colours.get())
    inner = f"margin:0;padding:0;background:transparent;{_BLOCK}"
    if coloured is not None:
        _colours.set(_colours.get() - len(text))
        inner = f"{inner};{STYLE}"
    return (
        f'<div style="{_CODE_BOX}"><div style="{_LANGUAGE}">{escape(language)}</div>'
        f'<pre style="{inner}">{escape(text) if coloured is None else coloured}</pre></div>'
    )


def _in_chunks(blocks: list[str]) -> list[str]:
    """Blocks together, so that a page lays out only those in sight.

    Margins do not meet over the edge of a chunk: it begins with a paragraph without one above,
    and that of what comes before is as large as the two together would be.
    """
    chunks: list[list[str]] = [[]]
    size = 0
    for block in blocks:
        last = chunks[-1][-1] if chunks[-1] else "<h"
        if size >= _CHUNK and block.startswith("<p ") and not last.startswith("<h"):
            chunks.append([_TOP.sub(lambda m: f"{m[1]}0 0 {m[2] or '0.65em'}", block, count=1)])
            size = len(block)
        else:
            chunks[-1].append(block)
            size += len(block)
    return [_chunk(inside, len(_MARK.sub("", inside))) for inside in map("".join, chunks)]


def _chunk(inside: str, characters: int) -> str:
    """A part that is laid out when it comes into sight; until then its height is a guess."""
    height = 1.5 * (characters / 95 + 1)
    style = f"content-visibility:auto;contain-intrinsic-size:auto {height:.0f}em"
    return f'<div style="{style}">{inside}</div>'


def _flush(blocks: list[str]) -> list[str]:
    """The first and the last block without the space outside."""
    if blocks:
        blocks[0] = _TOP.sub(lambda m: f"{m[1]}0 0 {m[2] or '0.65em'}", blocks[0], count=1)
        blocks[-1] = _BOTTOM.sub(r"\1 0", blocks[-1], count=1)
    return blocks


def _tag(name: str, inside: str, attributes: str = "") -> str:
    style = _STYLES.get(name)
    told = f' style="{style}"' if style else ""
    return f"<{name}{attributes}{told}>{inside}</{name}>"


# --- blocks ---------------------------------------------------------------------------------


def _blocks(lines: list[str], depth: int = 0) -> list[str]:
    if depth > _DEEPEST:
        return [plain("\n".join(lines))]
    out: list[str] = []
    i = 0
    while i < len(lines):
        first = lines[i]
        if not first.strip():
            i += 1
        elif found := _FENCE.match(first):
            i = _fence(lines, i, found, out)
        elif found := _HEADING.match(first):
            out.append(_tag(f"h{len(found[1])}", inline((found[2] or "").strip())))
            i += 1
        elif _RULE.match(first):
            out.append(f'<hr style="{_STYLES["hr"]}">')
            i += 1
        elif _QUOTE.match(first):
            begin = i
            while i < len(lines) and _QUOTE.match(lines[i]):
                i += 1
            inner = [_QUOTE.sub("", line, count=1) for line in lines[begin:i]]
            out.append(_tag("blockquote", "".join(_blocks(inner, depth + 1))))
        elif found := _ITEM.match(first):
            i = _list(lines, i, found, out, depth)
        elif _is_table(lines, i):
            i = _table(lines, i, out)
        else:
            i = _paragraph(lines, i, out)
    return out


def _fence(lines: list[str], i: int, found: re.Match[str], out: list[str]) -> int:
    mark = found[1]
    close = re.compile(rf"\s*{re.escape(mark[0])}{{{len(mark)},}}\s*$")
    begin = i = i + 1
    while i < len(lines) and not close.match(lines[i]):
        i += 1
    out.append(code_block("\n".join(lines[begin:i]), found[2]))
    return i + 1


def _paragraph(lines: list[str], i: int, out: list[str]) -> int:
    begin = i
    i += 1
    while i < len(lines) and not _ends(lines[i], paragraph=True) and not _is_table(lines, i):
        i += 1
    text = "\n".join(line.lstrip() for line in lines[begin:i]).rstrip()
    out.append(plain(text) if len(text) > HUGE else _tag("p", inline(text)))
    return i


def _ends(line: str, *, paragraph: bool = False) -> bool:
    """Whether a line ends a table or, with `paragraph`, a paragraph."""
    if not line.strip():
        return True
    if any(rule.match(line) for rule in (_FENCE, _HEADING, _RULE, _QUOTE)):
        return True
    item = _ITEM.match(line)
    if item is None:
        return False
    return not (paragraph and (int(item[3] or 1) != 1 or item.end() == len(line)))


def _list(lines: list[str], i: int, found: re.Match[str] | None, out: list[str], depth: int) -> int:
    assert found is not None
    kind, number = found[2][-1], found[3]
    items: list[str] = []
    while found and found[2].endswith(kind) and not _RULE.match(lines[i]):
        indent = len(found[1])
        width = min(found.end(), indent + len(found[2]) + 4)
        first = re.sub(r"^\[ ] ", "☐ ", lines[i][found.end() :])
        inner = [re.sub(r"^\[[xX]] ", "☑ ", first)]
        i += 1
        loose = False
        while i < len(lines):
            line = lines[i]
            space = len(line) - len(line.lstrip()) if line.strip() else -1
            # Two columns are enough to belong to the item: models indent by two under `1.` as well.
            if 0 <= space < min(width, indent + 2) and (loose or _ends(line)):
                break
            loose = space < 0
            inner.append(line[min(width, max(0, space)) :])
            i += 1
        items.append(_tag("li", _item(inner, depth)))
        found = _ITEM.match(lines[i]) if i < len(lines) else None
    start = f' start="{int(number)}"' if number and int(number) != 1 else ""
    out.append(_tag("ol" if number else "ul", "".join(items), start))
    return i


def _item(lines: list[str], depth: int) -> str:
    """An item's blocks, with little space between them; its first paragraph is no block."""
    inside = "".join(_blocks(lines, depth + 1))
    begin, end = f'<p style="{_STYLES["p"]}">', "</p>"
    if inside.startswith(begin):
        inside = inside.replace(begin, "", 1).replace(end, "", 1)
    return _LOOSE.sub(r"\g<1>0.15em", inside)


def _is_table(lines: list[str], i: int) -> bool:
    if "|" not in lines[i] or i + 1 >= len(lines):
        return False
    dashes = lines[i + 1]
    if "-" not in dashes or len(dashes) > 2000 or not _DASHES.match(dashes):
        return False
    return len(_cells(lines[i])) == len(_cells(dashes))


def _table(lines: list[str], i: int, out: list[str]) -> int:
    dashes = _cells(lines[i + 1])
    head = _row(lines[i], dashes, "th")
    i += 2
    body = []
    while i < len(lines) and not _ends(lines[i]):
        body.append(_row(lines[i], dashes, "td"))
        i += 1
    out.append(_tag("table", f"<thead>{head}</thead><tbody>{''.join(body)}</tbody>"))
    return i


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELLS.split(_BAR.sub("", line.strip()))]


def _row(line: str, dashes: list[str], tag: str) -> str:
    cells = []
    for at, text in enumerate(_cells(line)):
        rule = dashes[at] if at < len(dashes) else ""
        align = "left" if not rule.endswith(":") else "center" if rule[0] == ":" else "right"
        inside = inline(text.replace("\\|", "|"))
        cells.append(f'<{tag} style="{_CELL};text-align:{align}">{inside}</{tag}>')
    return _tag("tr", "".join(cells))
