"""Every package under l0 has a licence that fits, and the page that lists them is true."""

from __future__ import annotations

from importlib.metadata import Distribution, distribution

import pytest

BSD = "Classifier: License :: OSI Approved :: BSD License"
MIT = "Classifier: License :: OSI Approved :: MIT License"
GPL = "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


class Package(Distribution):
    """A package that says this of itself."""

    def __init__(self, about):
        self.about = about

    def read_text(self, filename):
        head = "Metadata-Version: 2.4\nName: it\nVersion: 1\n"
        return f"{head}{self.about}\n" if filename == "METADATA" else None

    def locate_file(self, path):
        return path


@pytest.fixture(scope="module")
def licences(tool):
    return tool("licences")


@pytest.fixture(scope="module")
def found(licences):
    return licences.closure("l0")


def test_every_package_under_l0_has_a_licence_that_fits(licences, found):
    """Requirements of requirements included; what nobody has looked at is named."""
    assert licences.problems(found) == []


def test_the_closure_is_followed_to_its_end(found):
    """Requirements, their requirements, and what only an extra brings."""
    assert "" in found["msgspec"]
    assert "" in found["pydantic-core"]  # pydantic's
    assert "" in found["pyzmq"]  # of jupyter-client, of ipykernel
    assert found["pyarrow"] == {"fast"}
    assert found["nbformat"] == {"lab"}
    assert "pytest" not in found
    assert "l0" not in found


def test_the_page_lists_every_package_with_its_licence(licences, found):
    """Written by `python tools/licences.py --write`; packages of other systems may stand there."""
    page = licences.PAGE.read_text("utf-8")
    (table,) = licences.MARKED.findall(page)
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    listed = {}
    for licence, always, extra in rows:
        listed |= dict.fromkeys(filter(None, always.split(", ")), (licence, True))
        listed |= dict.fromkeys(filter(None, extra.split(", ")), (licence, False))
    here = {
        name: (licences.licence(distribution(name)), "" in ways) for name, ways in found.items()
    }
    assert {name: listed.get(name) for name in here} == here


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License-Expression: MIT OR GPL-2.0-only\nLicense: GPL", "MIT OR GPL-2.0-only"),
        ("License: Apache 2.0", "Apache-2.0"),
        ("License: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        (MIT, "MIT"),
        ("Classifier: License :: OSI Approved", None),
        (BSD, "BSD-2-Clause"),
        (f"License: Copyright (c) us\n  Neither the name of\n{BSD}", "BSD-3-Clause"),
        (f"{MIT}\n{GPL}", None),
        (f"License: MIT\n{GPL}", None),
        ("License: GPL-3.0-only", None),
        ("License: as you like it", None),
        ("Summary: says nothing", None),
    ],
)
def test_a_licence_is_read_from_what_a_package_says(licences, about, licence):
    """Its expression, or in older packages its field, its classifier and its text."""
    assert licences.licence(Package(about)) == licence


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("MIT", set()),
        ("BSD-3-Clause AND Zlib", set()),
        ("MIT AND GPL-3.0-only", {"GPL-3.0-only"}),
        ("MIT OR GPL-3.0-only", set()),
        ("GPL-3.0-only AND MIT OR Apache-2.0", set()),
        ("LGPL-3.0-only", {"LGPL-3.0-only"}),
        ("LicenseRef-Proprietary", {"LicenseRef-Proprietary"}),
    ],
)
def test_an_expression_fits_when_one_of_its_ways_does(licences, expression, unknown):
    """`AND` asks for both, `OR` leaves the choice to us."""
    assert licences.unknown(expression) == unknown


def test_a_package_that_does_not_fit_is_named_with_its_licence(licences, monkeypatch):
    """And so is one that says nothing."""
    packages = {"a": Package("License-Expression: GPL-3.0-only"), "b": Package("")}
    monkeypatch.setattr(licences, "distribution", packages.__getitem__)
    assert licences.problems({"a": {""}, "b": {"fast"}}) == [
        "a 1 is under GPL-3.0-only, which is not among the licences that fit",
        "b 1 doesn't say its licence in words known here",
    ]
