"""The views hold no code of others; where that changes, its notice comes with the wheel."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
STATIC = ROOT / "src" / "l0" / "notebook" / "static"
IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")
PACKAGES = """
import { build } from "esbuild";
const entryPoints = process.argv.slice(1);
const options = { bundle: true, metafile: true, write: false, outdir: "x", format: "esm" };
const { metafile } = await build({ ...options, entryPoints, logLevel: "error" });
console.log(JSON.stringify(Object.keys(metafile.inputs)));
"""


def modules():
    return [file for file in (JS / "src").rglob("*") if file.suffix in {".ts", ".js", ".css"}]


def test_a_view_imports_nothing_but_our_own_files():
    """Said by the sources, without node: every import begins with a dot."""
    assert modules()
    foreign = {
        (file.name, name)
        for file in modules()
        for name in IMPORTED.findall(file.read_text("utf-8"))
        if not name.startswith(".")
    }
    assert foreign == set()


def test_what_is_installed_with_npm_is_for_building_and_testing_only():
    """Nothing that a browser would load."""
    package = json.loads((JS / "package.json").read_text("utf-8"))
    assert "dependencies" not in package
    assert set(package["devDependencies"]) >= {"esbuild", "typescript", "vitest"}


def test_the_bundles_are_made_of_our_own_files():
    """Said by the bundler: what went into each view comes from `js/src`."""
    if shutil.which("node") is None or not (JS / "node_modules" / "esbuild").exists():
        pytest.skip("node or esbuild is not installed: make js brings esbuild")
    outputs = json.loads((STATIC / "stamp.json").read_text("utf-8"))["outputs"]
    entries = [f"src/{Path(name).stem}.ts" for name in outputs if name.endswith(".js")]
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", PACKAGES, *entries],
        cwd=JS,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    inputs = json.loads(done.stdout)
    assert set(entries) <= set(inputs)
    assert [name for name in inputs if not name.startswith("src/")] == []
