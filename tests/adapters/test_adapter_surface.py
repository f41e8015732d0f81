"""The room's public names, its examples, and what importing it costs."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import l0.adapters
from l0.testing import _check_adapter

MODULES = [
    *(f"l0.adapters.{m.name}" for m in pkgutil.iter_modules(l0.adapters.__path__)),
    _check_adapter.__name__,
]


def test_all_is_sorted_and_true():
    names = l0.adapters.__all__
    assert names == sorted(names)
    assert all(hasattr(l0.adapters, name) for name in names)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module):
    assert not doctest.testmod(importlib.import_module(module)).failed


def test_importing_the_room_imports_no_provider():
    heavy = {"openai", "anthropic", "litellm", "pydantic", "httpx", "httpx2"}
    code = f"import sys, l0.adapters; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
