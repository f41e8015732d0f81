"""The house stays as it is drawn: light, pinned, free of loose ends."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import l0

ROOT = Path(__file__).parent.parent
HEAVY = {
    *("pandas", "plotly", "IPython", "ipywidgets", "anywidget", "openai", "anthropic", "litellm"),
    *("pydantic", "pyarrow", "dask", "opentelemetry", "sentry_sdk", "httpx", "httpx2", "aiohttp"),
    *("jsonschema", "rapidfuzz", "yaml", "prometheus_client"),
}
ROOMS = [
    *("adapters", "compose", "errors", "events", "formatting", "guardrails", "models"),
    *("monitoring", "schema", "stream", "testing"),
]


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    "statement",
    ["import l0", "import l0; l0.run; l0.wrap; l0.Guardrails; l0.replay", "import l0.testing"],
)
def test_importing_pulls_in_nothing_heavy(statement):
    """`import l0` and everything short of a notebook stays light."""
    assert not loaded_by(statement) & HEAVY


def test_import_time():
    """Far below the bar of 100 ms, even on a busy machine; a look, not a benchmark."""
    code = "import time; t = time.perf_counter(); import l0; print(time.perf_counter() - t)"
    took = [
        float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(3)
    ]
    assert min(took) < 0.1


def test_the_front_door_is_pinned():
    """What Tab shows, and that every other name resolves to its one home."""
    assert [name for name in dir(l0) if name not in l0._ROOMS] == [
        *("CheckIntervals", "Event", "Guardrails", "Retry", "State", "Timeout", "__version__"),
        *("consensus", "create_pool", "load_ipython_extension", "map", "parallel", "pipe", "race"),
        *("replay", "run", "run_sync", "structured", "wrap"),
    ]
    for name, room in l0._NAMES.items():
        home = importlib.import_module(f"l0.{room}")
        assert getattr(l0, name) is getattr(home, name), name
    for alias, name in l0._ALIASES.items():
        assert getattr(l0, alias) is getattr(l0, name)
    with pytest.raises(AttributeError, match="nonsense"):
        l0.nonsense  # noqa: B018


def test_type_checkers_see_the_same_door():
    """The block under TYPE_CHECKING names what the lazy one resolves."""
    tree = ast.parse((ROOT / "src/l0/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    expected = {name: f"l0.{room}" for name, room in l0._NAMES.items()}
    assert seen == expected | dict.fromkeys(l0._ROOMS, "l0")


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_public_names_are_listed_and_documented(room):
    """`__all__` is true, has no doubles; classes have docstrings, functions examples in them."""
    module = importlib.import_module(f"l0.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value) and getattr(value, "__module__", "").startswith("l0."):
            assert value.__doc__, f"l0.{room}.{name} has no docstring"
            if inspect.isfunction(value):
                assert ">>>" in value.__doc__, f"l0.{room}.{name} has no example"


def sources() -> list[Path]:
    return [
        path
        for folder in ("src", "js/src", "tests", "bench", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".ts", ".md"} and "node_modules" not in path.parts
    ]


def test_nothing_is_left_half_done():
    """No loose ends, and no module or function that has grown too long to see at once."""
    loose = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X:"]))
    for path in sources():
        if path.parts[-2:] == ("errors", "_tables.py") or "tests" in path.parts:
            continue
        assert not loose.search(path.read_text()), path
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < 80, f"{path}: {node.name}"


def test_every_module_says_what_it_is_for():
    """A module opens with a sentence."""
    for module in pkgutil.walk_packages(l0.__path__, "l0."):
        spec = module.module_finder.find_spec(module.name)
        text = Path(spec.origin).read_text()
        assert ast.get_docstring(ast.parse(text)), module.name


def test_constraints_hold_names_and_versions_only():
    """No addresses, nothing of this machine."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line)
