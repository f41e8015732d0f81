"""The built views that are committed are what the sources build, small, and made of no markup."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
JS = ROOT / "js"
STATIC = ROOT / "src" / "l0" / "notebook" / "static"
LIMIT = 20_000  # bytes; the module travels in every comm_open and in every saved state
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    r"|\beval\s*\(|new\s+Function\b|srcdoc|setHTML"
)


@pytest.fixture(scope="module")
def stamp() -> ModuleType:
    spec = importlib.util.spec_from_file_location("l0_stamp", JS / "stamp.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the stamp looks at."""
    shutil.copytree(JS / "src", tmp_path / "js" / "src")
    for name in ("package.json", "build.mjs", "internal.mjs"):
        shutil.copy(JS / name, tmp_path / "js" / name)
    shutil.copytree(STATIC, tmp_path / "src" / "l0" / "notebook" / "static")
    return tmp_path


def test_the_committed_build_is_fresh(stamp):
    assert stamp.problems(ROOT) == []


def test_a_changed_source_makes_the_build_stale(stamp, checkout):
    source = checkout / "js" / "src" / "stream.ts"
    source.write_text(source.read_text(encoding="utf-8") + "\n// more\n", encoding="utf-8")
    assert stamp.problems(checkout) == ["js/src has changed since the build"]


def test_a_new_source_makes_the_build_stale(stamp, checkout):
    (checkout / "js" / "src" / "lib" / "more.ts").write_text("export {};\n", encoding="utf-8")
    assert stamp.problems(checkout) == ["js/src has changed since the build"]


def test_another_compiler_makes_the_build_stale(stamp, checkout):
    package = checkout / "js" / "package.json"
    wanted = json.loads(package.read_text(encoding="utf-8"))
    wanted["devDependencies"]["esbuild"] = "0.0.1"
    package.write_text(json.dumps(wanted), encoding="utf-8")
    assert len(stamp.problems(checkout)) == 1


def test_an_edited_output_is_noticed(stamp, checkout):
    output = checkout / "src" / "l0" / "notebook" / "static" / "stream.js"
    output.write_bytes(output.read_bytes() + b"//")
    assert stamp.problems(checkout)[0].endswith("stream.js is not what was built")


def test_a_missing_stamp_is_said(stamp, checkout):
    (checkout / "src" / "l0" / "notebook" / "static" / "stamp.json").unlink()
    assert "stamp.json cannot be read" in stamp.problems(checkout)[0]


def test_windows_line_ends_do_not_make_the_build_stale(stamp, checkout):
    for source in (checkout / "js" / "src").rglob("*.ts"):
        source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert stamp.problems(checkout) == []


@pytest.mark.parametrize("module", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_a_view_is_small_enough_to_travel_with_every_cell(module):
    assert module.stat().st_size < LIMIT
    assert module.with_suffix(".css").stat().st_size < LIMIT


def test_the_stamp_covers_every_output():
    outputs = json.loads((STATIC / "stamp.json").read_text(encoding="utf-8"))["outputs"]
    built = {path.name for path in STATIC.iterdir() if path.suffix in {".js", ".css"}}
    assert set(outputs) == built >= {"stream.js", "stream.css"}


@pytest.mark.parametrize("script", ["generate_types.py", "test/make_fold_cases.py"])
def test_what_is_generated_from_the_catalog_is_current(script):
    """In a process of its own, where no other room has added its events."""
    done = subprocess.run(
        [sys.executable, str(JS / script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_source_makes_nodes_from_markup_or_code_from_text():
    sources = sorted((JS / "src").rglob("*.ts"))
    assert len(sources) > 5
    for source in sources:
        found = MARKUP.search(source.read_text(encoding="utf-8"))
        assert found is None, f"{source.relative_to(ROOT)}: {found}"
    for output in STATIC.glob("*.js"):
        assert MARKUP.search(output.read_text(encoding="utf-8")) is None


def test_no_style_loads_anything():
    for style in [*JS.glob("src/*.css"), *STATIC.glob("*.css")]:
        # One style may take in another of ours, which the build makes one.
        loads = r"url\(|@import(?! \"\./\w+\.css\")|https?:"
        assert not re.search(loads, style.read_text(encoding="utf-8")), style


def test_every_class_of_a_style_is_ours():
    for style in JS.glob("src/*.css"):
        text = re.sub(r"/\*.*?\*/", "", style.read_text(encoding="utf-8"), flags=re.DOTALL)
        classes = re.findall(r"(?<![\w\d])\.([a-zA-Z][\w-]*)", text)
        assert classes
        assert all(name.startswith("l0-") for name in classes)


def test_versions_are_exact():
    package = json.loads((JS / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in package["devDependencies"].values())
    assert "package-lock=false" in (JS / ".npmrc").read_text(encoding="utf-8")
