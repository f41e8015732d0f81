"""The wheel holds the package and nothing else, whoever builds it, and needs no node for it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

import l0

pytest.importorskip("hatchling", reason="hatchling is not installed: pip install --group dev")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
INFO = f"l0-{l0.__version__}.dist-info"
LEFT_BEHIND = {
    "src/l0/__pycache__/cli.cpython-311.pyc": "compiled",
    "src/l0/.mypy_cache/cache.json": "{}",
    "src/l0/notebook/.ipynb_checkpoints/a-checkpoint.py": "an old state of a module",
    "src/l0/notebook/static/stream.js.map": "{}",
    "src/l0/runs.db": "somebody's prompts",
    "src/l0/runs.db-wal": "more of them",
    "js/node_modules/esbuild/LICENSE.md": "not ours",
    "js/node_modules/esbuild/README.md": "not ours",
    "build/lib/l0/old.py": "an old build",
    "notebooks/README.md": "not the one",
    ".venv/lib/l0/js/LICENSE": "not ours",
}
"""What work leaves in a checkout."""
SOMEWHERE_ELSE = (".git", ".venv*", "node_modules", "site", "demo", "build", "dist", "images")
CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".cache", "results")


def checkout(folder):
    """A copy of the tree in which somebody has worked."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*SOMEWHERE_ELSE, *CACHES))
    for name, text in LEFT_BEHIND.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def build(tree, target, folder):
    """Build without a network, and with nothing on the path: neither node nor git."""
    empty = folder / "empty"
    empty.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder / "made")],
        cwd=tree,
        env={**os.environ, "PATH": str(empty), "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "made").iterdir()
    return made


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("checkout") / "l0")


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tree, tmp_path_factory):
    return build(tree, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def packed(wheel):
    """What is in the wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def about(packed):
    """The wheel's metadata; reading it is a check of every field."""
    return Metadata.from_email(packed[f"{INFO}/METADATA"])


def expected():
    """The modules, what says that they are typed, the views with their stamp."""
    package = ROOT / "src" / "l0"
    static = package / "notebook" / "static"
    outputs = json.loads((static / "stamp.json").read_text("utf-8"))["outputs"]
    files = [
        *(file for file in package.rglob("*.py") if ".ipynb_checkpoints" not in file.parts),
        *(static / name for name in (*outputs, "stamp.json")),
        package / "py.typed",
    ]
    return {file.relative_to(ROOT / "src").as_posix(): file for file in files}


def test_the_wheel_holds_the_package_and_nothing_else(packed):
    """No test, no cache, no map, no store of somebody's runs; and nothing is forgotten."""
    own = {name for name in packed if not name.startswith(f"{INFO}/")}
    assert own == set(expected())


def test_every_file_in_the_wheel_is_the_one_of_the_tree(packed):
    """Nothing is rewritten on the way."""
    for name, file in expected().items():
        assert packed[name] == file.read_bytes(), name


def test_beside_the_package_there_is_its_licence_and_what_installers_read(packed):
    """Five files, and the licence is ours, word for word."""
    beside = {name.removeprefix(f"{INFO}/") for name in packed if name.startswith(f"{INFO}/")}
    assert beside == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert packed[f"{INFO}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert packed[f"{INFO}/entry_points.txt"].decode().split("\n")[:2] == [
        "[console_scripts]",
        "l0 = l0.cli:main",
    ]


def test_the_record_of_the_wheel_is_true(packed):
    """Each file is listed once, with its hash and its length."""
    rows = list(csv.reader(io.StringIO(packed[f"{INFO}/RECORD"].decode())))
    assert sorted(row[0] for row in rows) == sorted(packed)
    for name, digest, length in rows:
        if name != f"{INFO}/RECORD":
            hashed = base64.urlsafe_b64encode(hashlib.sha256(packed[name]).digest())
            assert digest == f"sha256={hashed.decode().rstrip('=')}", name
            assert int(length) == len(packed[name])


def test_one_wheel_fits_every_system(wheel, packed):
    """Pure Python: there is nothing to compile."""
    assert wheel.name == f"l0-{l0.__version__}-py3-none-any.whl"
    assert b"Root-Is-Purelib: true" in packed[f"{INFO}/WHEEL"]


def test_the_metadata_says_what_the_project_says(about):
    """The version of the code, the Python, the licence, and every requirement with its extra."""
    assert (about.name, str(about.version)) == ("l0", l0.__version__)
    assert str(about.requires_python) == PROJECT["requires-python"]
    assert (about.license_expression, about.license_files) == ("Apache-2.0", ["LICENSE"])
    assert set(about.classifiers) == set(PROJECT["classifiers"])
    assert about.description == (ROOT / "README.md").read_text("utf-8")
    extras = PROJECT["optional-dependencies"]
    assert set(about.provides_extra) == set(extras)
    for extra in ("", *extras):
        named = PROJECT["dependencies"] if not extra else extras[extra]
        found = [
            Requirement(str(each).partition(";")[0])
            for each in about.requires_dist
            if (each.marker is None) == (not extra)
            and (each.marker is None or each.marker.evaluate({"extra": extra}))
        ]
        assert {canonical(each) for each in found} == {canonical(Requirement(n)) for n in named}


def canonical(requirement):
    assert requirement.url is None, "an index does not take addresses"
    return requirement.name.lower().replace("_", "-"), str(requirement.specifier)


def test_nothing_in_the_wheel_names_the_place_it_was_built_at(packed, tree):
    """Neither the checkout nor the builder's home."""
    places = {str(tree), str(ROOT), str(Path.home())} - {"/"}
    for name, content in packed.items():
        for place in places:
            assert f"{place}/".encode() not in content, name


def test_two_builds_are_the_same_to_the_byte(tree, wheel, sdist, tmp_path):
    """Of the same sources in another folder, checked out at another time."""
    again = checkout(tmp_path / "elsewhere" / "again")
    for file in again.rglob("*"):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    for target, first in (("wheel", wheel), ("sdist", sdist)):
        second = build(again, target, tmp_path / target)
        assert second.name == first.name
        assert second.read_bytes() == first.read_bytes(), target


def test_the_source_distribution_holds_the_sources_and_nothing_else(sdist):
    """What a build needs, and the papers: no tests, no environment, no packages of others."""
    with tarfile.open(sdist) as archive:
        names = {
            PurePosixPath(name).relative_to(f"l0-{l0.__version__}") for name in archive.getnames()
        }
    loose = {str(name) for name in names if len(name.parts) == 1}
    assert loose == {
        *(".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "hatch_build.py"),
        "pyproject.toml",
    }
    assert {name.parts[0] for name in names if len(name.parts) > 1} == {"src", "js"}
    assert {str(name) for name in names if name.parts[0] == "src"} == {
        f"src/{name}" for name in expected()
    }
    wanted = {file.relative_to(ROOT).as_posix() for file in sources("js")}
    assert {str(name) for name in names if name.parts[0] == "js"} == wanted


def sources(folder):
    for file in (ROOT / folder).rglob("*"):
        if file.is_file() and not {"node_modules", "__pycache__"} & set(file.parts):
            yield file


def test_the_source_distribution_builds_the_same_wheel(sdist, wheel, tmp_path):
    """Who builds from source gets what everybody gets."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build(tmp_path / f"l0-{l0.__version__}", "wheel", tmp_path / "out")
    assert again.read_bytes() == wheel.read_bytes()
