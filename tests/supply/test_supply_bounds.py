"""The lower bounds of the requirements are the versions that `make minimal` tests with."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REQUIREMENTS = [
    Requirement(line)
    for lines in (
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
        *PROJECT["dependency-groups"].values(),
    )
    for line in lines
]
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_-]+)")


def pins(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found), f"{name} holds more than names and versions"
    return {canonicalize_name(each[1]): Version(each[2]) for each in found}


@pytest.fixture(scope="module")
def minimal(tool):
    return tool("minimal")


def test_the_lowest_versions_are_those_of_the_requirements(minimal):
    """Written anew by `python tools/minimal.py --write`; then `make minimal` says if they hold."""
    assert minimal.CONSTRAINTS.read_text("utf-8") == minimal.lowest()
    assert len(pins("constraints-minimal.txt")) > 15


@pytest.mark.parametrize("line", ["pandas", "pandas<3", "pandas==2.2"])
def test_a_requirement_without_a_lower_bound_is_refused(minimal, line):
    """What was never tried is not promised."""
    with pytest.raises(ValueError, match="write pandas>=VERSION"):
        minimal.bound(line)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_what_ci_tests_with_is_allowed_by_every_requirement(requirement):
    """The pinned version, where it is pinned, and the one installed here, where it is installed."""
    pinned = pins("constraints.txt").get(canonicalize_name(requirement.name))
    if pinned is not None:
        assert pinned in requirement.specifier
    try:
        assert version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        assert requirement.name in {"litellm", "hatchling"} or pinned is not None


def test_nothing_is_held_down_for_users():
    """No upper bound on what users install: who needs an older one pins it, we don't."""
    upper = {"<", "<=", "==", "~=", "==="}
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    for line in [*project["dependencies"], *(line for lines in extras for line in lines)]:
        assert not upper & {each.operator for each in Requirement(line).specifier}, line


def test_tests_left_out_with_the_lowest_versions_exist(minimal):
    """A name that no test begins with would leave out nothing, and nobody would notice."""
    for name in minimal.NEWEST_ONLY:
        path, _, test = name.partition("::")
        text = (ROOT / path).read_text("utf-8")
        assert f"def {test.partition('[')[0]}" in text, name
    assert {path.name for path in (ROOT / "tests").iterdir()} >= set(minimal.ROOMS)
    dev = {Requirement(line).name.lower() for line in PROJECT["dependency-groups"]["dev"]}
    assert dev >= minimal.NOT_HERE
