"""The input transformers: a `%%l0` cell becomes an `await` cell, and a question stays one."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

AWAITED: Final = "--awaited"
"""The option that tells the magic that its result is awaited."""

_CALL: Final = re.compile(r"run_(?:cell|line)_magic\(\s*['\"]l0['\"]")
_MAGICS: Final = frozenset({"run_cell_magic", "run_line_magic"})
_NEVER_AWAITS: Final = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.GeneratorExp,
)


class AwaitCells:
    """Puts `await` in front of the calls of the magic, where they can be awaited.

    That is what keeps the kernel's loop free while a cell streams: a page's Stop button is not
    heard by a kernel whose cell blocks.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        source = "".join(lines)
        if not _CALL.search(source) or not may_await(self._shell):
            return lines
        return awaiting(source).splitlines(keepends=True)


def may_await(shell: Any) -> bool:
    """Whether the cell being transformed will be run by a loop that can await it.

    Not with `%autoawait off` or another loop than asyncio's, not inside a cell that is running
    (`%%capture`, `%%time`), and not where a running loop would have to be run once more.
    """
    from IPython.core.async_helpers import _asyncio_runner
    from IPython.core.interactiveshell import InteractiveShell

    if not shell.autoawait or shell.loop_runner is not _asyncio_runner or shell.trio_runner:
        return False
    running = InteractiveShell.run_code.__code__
    blocking = InteractiveShell.run_cell.__code__
    return not any(code is running or (code is blocking and _loop_runs()) for code in _callers())


def _callers() -> Iterator[Any]:
    frame = sys._getframe(1)
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back  # type: ignore[assignment]


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- await ----------------------------------------------------------------------------------


def awaiting(source: str) -> str:
    """Python source with each call of the magic awaited, outside of functions and generators.

    >>> awaiting("x = get_ipython().run_line_magic('l0', 'Hello')")
    "x = await get_ipython().run_line_magic('l0', '--awaited Hello')"
    """
    try:
        tree = compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST | _TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return source  # the shell will say what is wrong with it
    lines = [line.encode() for line in source.split("\n")]
    for call, parent in sorted(_calls(tree, None), key=_position, reverse=True):
        line = call.args[1]
        assert isinstance(line, ast.Constant)
        assert isinstance(line.value, str)
        marked = repr(f"{AWAITED} {line.value}".rstrip()).encode()
        bare = isinstance(parent, ast.Expr | ast.Assign | ast.Await)
        before, after = (b"", b"") if bare else (b"(", b")")
        if not isinstance(parent, ast.Await):
            before += b"await "
        # From the last position to the first, so that those to come stay true.
        _insert(lines, call.end_lineno, call.end_col_offset, after)
        _replace(lines, line, marked)
        _insert(lines, call.lineno, call.col_offset, before)
    return b"\n".join(lines).decode()


_TOP_LEVEL_AWAIT: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def _calls(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[ast.Call, ast.AST | None]]:
    if isinstance(node, _NEVER_AWAITS):
        return
    if isinstance(node, ast.Call) and _is_magic(node):
        yield node, parent
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, node)


def _is_magic(call: ast.Call) -> bool:
    """Whether it is `get_ipython().run_…_magic('l0', '…', …)` as the shell writes it."""
    match call:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="get_ipython"), args=[], keywords=[]), attr=attr
            ),
            args=[ast.Constant(value="l0"), ast.Constant(value=str() as line), *_],
        ):
            constant = call.args[1]
            one_line = constant.lineno == constant.end_lineno
            return attr in _MAGICS and one_line and not line.startswith(AWAITED)
    return False


def _position(found: tuple[ast.Call, ast.AST | None]) -> tuple[int, int]:
    return found[0].lineno, found[0].col_offset


def _insert(lines: list[bytes], number: int | None, column: int | None, text: bytes) -> None:
    assert number is not None
    line = lines[number - 1]
    lines[number - 1] = line[:column] + text + line[column:]


def _replace(lines: list[bytes], node: ast.Constant, text: bytes) -> None:
    line = lines[node.lineno - 1]
    lines[node.lineno - 1] = line[: node.col_offset] + text + line[node.end_col_offset :]


# --- questions ------------------------------------------------------------------------------

_QUESTION: Final = re.compile(r"^(\s*)%l0[ \t]+(\S.*\?)\s*$")


def keep_questions(lines: list[str]) -> list[str]:
    """`%l0 What is the time?` stays a prompt; the shell would look up help on `time`.

    Only one-line magics are touched, never the body of a cell magic or the inside of a string.
    """
    from IPython.core.inputtransformer2 import make_tokens_by_line

    if not any("%l0" in line and "?" in line for line in lines) or lines[0].startswith("%%"):
        return lines
    kept = list(lines)
    for tokens in make_tokens_by_line(lines):
        told = [token for token in tokens if token.string.strip()]
        if [token.string for token in told[:2]] != ["%", "l0"]:
            continue
        at = told[0].start[0] - 1
        found = _QUESTION.match(lines[at])
        if found is not None and all(token.start[0] - 1 == at for token in told):
            indent, prompt = found.groups()
            kept[at] = f"{indent}get_ipython().run_line_magic('l0', {prompt!r})\n"
    return kept
