"""The log on the terminal: one handler, no secrets, silence unless asked for."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from l0.monitoring import enable_debug

LOG = logging.getLogger("l0")


@pytest.fixture(autouse=True)
def _restored():
    handlers, level = LOG.handlers[:], LOG.level
    LOG.handlers[:] = [h for h in handlers if isinstance(h, logging.NullHandler)]
    yield
    LOG.handlers[:] = handlers
    LOG.setLevel(level)


def test_twice_adds_nothing():
    before = len(LOG.handlers)
    enable_debug()
    enable_debug()
    assert len(LOG.handlers) == before + 1


def test_lines_go_to_what_stderr_is_at_the_moment(monkeypatch):
    enable_debug()
    for _ in range(2):
        err = io.StringIO()
        monkeypatch.setattr(sys, "stderr", err)
        LOG.debug("a callback failed")
        (line,) = err.getvalue().splitlines()
        assert line.endswith("DEBUG l0: a callback failed")


def test_secrets_are_taken_out_of_the_lines(capsys):
    enable_debug()
    try:
        raise ValueError("key sk-ant-api03-abcdef0123456789abcdef")
    except ValueError as error:
        LOG.warning("calling https://ada:lovelace@example.org", exc_info=error)
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "abcdef0123456789" not in said
    assert "lovelace" not in said


def test_without_it_the_library_is_silent():
    """Not even warnings, which Python's last resort would write."""
    code = (
        "import logging, l0; l0.run; logging.getLogger('l0').warning('recording stops');"
        "print(logging.getLogger('l0').handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "NullHandler" in done.stdout
    assert done.stderr == ""
