"""Run the tests with the lowest versions that pyproject.toml allows: `python tools/minimal.py`.

`constraints-minimal.txt` says what the lowest versions are; `--write` makes it out of the lower
bounds. What the requirements need themselves is as new as it can be, as it is for users.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints-minimal.txt"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = "fast,lab,otel,sentry,prometheus"
HEAD = "# The lowest versions that pyproject.toml allows; written by tools/minimal.py --write.\n"

ROOMS = [
    *("adapters", "compose", "errors", "events", "formatting", "guardrails", "models"),
    *("monitoring", "notebook", "schema", "sdk", "stream", "testing"),
]
NOT_HERE = {
    *("import-linter", "marimo", "mypy", "nbval", "notebook", "pandas-stubs", "playwright"),
    *("papermill", "ruff", "types-jsonschema", "types-pyyaml"),
}
"""Tools that no test of the rooms needs: types, style, browsers."""

NEWEST_ONLY = {
    # What the newest SDKs declare, name and wrap; earlier ones raise the plain error of httpx, or
    # a more general class of their own, and l0 sorts both into the same category.
    "tests/adapters/test_sse.py::test_a_fault_of_the_connection_is_told_as_the_sdk_tells_it",
    "tests/errors/test_error_classes.py::test_other_errors_of_the_sdks",
    "tests/errors/test_error_classes.py::test_the_sdk_itself_wraps_a_dropped_connection",
    "tests/errors/test_error_statuses.py::test_s91_overload_reported_inside_a_stream",
    "tests/sdk/test_fast_transport.py::test_whatever_happens_events_and_errors_are_those_of_the_sdk",
    # httpx ends its generator a turn of the loop after the connection is closed; httpx2 at once.
    "tests/sdk/test_fast_transport.py::test_leaving_a_stream_closes_its_connection",
    # httpcore leaves the generator of a body that broke to the collector; httpcore2 ends it.
    *(
        "tests/sdk/test_aborts.py::test_what_the_sdk_has_open_is_closed_without_a_collection_of_"
        f"garbage[{case}@5-all]"
        for case in (
            *("openai-error", "openai-garbage", "responses-garbage", "background-garbage"),
            *("anthropic-error", "anthropic-garbage"),
        )
    ),
    # httpx closes the connection of a stream that is done; httpx2 keeps it for the next request.
    "tests/sdk/test_fault_matrix.py::test_an_open_socket_is_counted",
    # Broken Responses streams are taken up again by what the newest SDK raises and asks.
    "tests/testing/test_server_resume.py::",
    "tests/testing/test_server_chunks.py::test_responses_events_are_what_the_sdk_declares",
    "tests/testing/test_server_faults.py::test_a_broken_connection_is_an_error_after_the_tokens",
    "tests/testing/test_server_faults.py::test_a_status_is_the_error_of_its_name[messages-",
    (
        "tests/testing/test_server_faults.py::test_an_answer_given_whole_breaks_too"
        "[messages-error@2(overloaded_error)]"
    ),
    # Names of OpenTelemetry's conventions that came after 1.30; l0 writes them as text.
    "tests/monitoring/test_monitoring_otel.py::test_the_names_are_those_of_the_installed_conventions",
    # Spans of Sentry's newest protocol have names and go beside their transaction.
    "tests/monitoring/test_monitoring_sentry.py::test_a_run_is_a_transaction_or_a_span",
    # Strings have a dtype of their own from pandas 3 on; before, it is `object`.
    "tests/notebook/test_frames.py::test_dtypes_are_the_declared_ones_empty_or_not",
}
"""Tests of what the newest releases say, by the beginning of their name."""


def main(arguments: list[str]) -> int:
    """Write the lowest versions, or make an environment of them and test in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write constraints-minimal.txt")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "minimal")
    options = parser.parse_args(arguments)
    if options.write:
        CONSTRAINTS.write_text(lowest(), "utf-8")
        return 0
    python = install(options.venv)
    tests = [f"tests/{room}" for room in ROOMS]
    left_out = [word for name in sorted(NEWEST_ONLY) for word in ("--deselect", name)]
    return subprocess.call(
        [
            *(str(python), "-m", "pytest", "-n", "auto", "-m", "not kernel and not browser"),
            *(*left_out, *tests),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
    )


def lowest() -> str:
    """The lower bound of every requirement of l0 and of its extras, as constraints."""
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    requirements = [
        *PYPROJECT["project"]["dependencies"],
        *(each for one in extras for each in one),
    ]
    lines = {f"{name}=={version}\n" for name, version in map(bound, requirements)}
    return HEAD + "".join(sorted(lines, key=str.lower))


def bound(line: str) -> tuple[str, str]:
    """The name and the lowest version of a requirement.

    >>> bound("pandas>=2.2,<4")
    ('pandas', '2.2')
    """
    requirement = Requirement(line)
    versions = [each.version for each in requirement.specifier if each.operator == ">="]
    if len(versions) != 1:
        raise ValueError(f"{line!r} has no lower bound: write {requirement.name}>=VERSION")
    return requirement.name, versions[0]


def install(venv: Path) -> Path:
    """A new environment with l0 as a wheel, the lowest versions, and the tools of the tests."""
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    tools = [
        line
        for line in PYPROJECT["dependency-groups"]["dev"]
        if Requirement(line).name.lower() not in NOT_HERE
    ]
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run(
        [*pip, "--constraint", str(CONSTRAINTS), f"{ROOT}[{EXTRAS}]", *tools], check=True
    )
    subprocess.run([str(python), "-m", "pip", "check"], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
