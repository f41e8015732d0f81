"""Importing is quiet: no module of l0, nor what it imports, warns."""

from __future__ import annotations

import subprocess
import sys

EVERY_MODULE = """
import importlib, pkgutil, l0
names = [module.name for module in pkgutil.walk_packages(l0.__path__, "l0.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_every_module_imports_without_a_warning():
    """Deprecations of a new Python or of a new release of a package show here first."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EVERY_MODULE], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300
