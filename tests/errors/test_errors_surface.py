"""The room's surface: names sorted and true, examples that run, enums that say what they are."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from l0 import errors
from l0.errors import (
    ErrorCategory,
    ErrorCode,
    FailureType,
    NetworkErrorType,
    RecoveryPolicy,
    RecoveryStrategy,
    RetryableErrorType,
)

MODULES = [f"l0.errors.{found.name}" for found in pkgutil.iter_modules(errors.__path__)]


def test_names_are_sorted_unique_and_there():
    assert errors.__all__ == sorted(set(errors.__all__))
    for name in errors.__all__:
        assert getattr(errors, name).__doc__


def test_no_name_shadows_a_builtin():
    assert not set(errors.__all__) & set(dir(__import__("builtins")))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    count = sum(
        bool(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert count >= 10


def test_the_words_are_those_of_the_contract():
    assert all(code.value == code.name for code in ErrorCode)
    assert " ".join(ErrorCategory) == "network transient model content provider fatal internal"
    assert " ".join(RetryableErrorType) == (
        "zero_output guardrail_violation drift incomplete network_error timeout rate_limit"
        " server_error"
    )
    assert " ".join(NetworkErrorType) == (
        "connection_dropped fetch_error econnreset econnrefused sse_aborted no_bytes partial_chunks"
        " runtime_killed background_throttle dns_error ssl_error timeout unknown"
    )
    assert " ".join(FailureType) == "network model tool timeout abort zero_output unknown"
    assert " ".join(RecoveryStrategy) == "retry fallback halt"


def test_a_policy_is_a_value():
    policy = RecoveryPolicy(retry_enabled=True, max_retries=6, attempt=2)
    assert policy == RecoveryPolicy(True, False, 6, 0, 2, 0)
    with pytest.raises(AttributeError):
        policy.attempt = 3
