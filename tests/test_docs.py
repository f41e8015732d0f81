"""The code in the documentation runs, and so do the examples in docstrings."""

from __future__ import annotations

import ast
import asyncio
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import l0

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    """A page's blocks run in order in one namespace, with await at the top as in a notebook."""
    monkeypatch.chdir(tmp_path)
    blocks = FENCE.findall(page.read_text())
    namespace = {"__name__": "page"}

    async def run():
        for block in blocks:
            code = compile(
                block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
            )
            result = eval(code, namespace)
            if inspect.isawaitable(result):
                await result

    asyncio.run(run())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    """Every relative link and picture exists."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


COMMAND = re.compile(
    r"^(?:pip|make|l0|python|jupyter|\.venv/bin/\S+)\b.*?\S {3,}(?!#)\S.*$", re.MULTILINE
)
"""A command with words behind it that the shell would take for arguments."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_can_be_copied_with_what_is_said_of_it(page):
    """What a line does stands behind a hash, since a block is copied whole."""
    blocks = re.findall(r"^```(?:sh|text)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert [line for block in blocks for line in COMMAND.findall(block)] == []


def modules():
    return [module.name for module in pkgutil.walk_packages(l0.__path__, "l0.")]


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_docstrings_are_true(name):
    """Every `>>>` in a docstring gives what it says."""
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    names = {**vars(module), "l0": l0}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=flags)
    for test in finder.find(module, name, extraglobs=None):
        test.globs = {**names, **test.globs}
        runner.run(test)
    assert runner.failures == 0, f"{runner.failures} examples of {name} are wrong"
