"""Failures stored and restored: the same library class, the same verdict, through JSON."""
# ruff: noqa: TID253  (the real classes of these packages are what is tested)

from __future__ import annotations

import json
import ssl

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0 import errors
from l0.errors import (
    AllStreamsExhaustedError,
    Error,
    ErrorCategory,
    ErrorContext,
    NetworkError,
    NetworkErrorType,
    ProviderError,
    RestoredError,
    RetryableErrorType,
    SerializedError,
    classify,
    deserialize_error,
    failure_type,
    retry_after,
    serialize_error,
)

REQUEST = httpx2.Request("POST", "https://x/")


def status_error(status, code=None, **headers):
    response = httpx2.Response(status, request=REQUEST, headers=headers)
    return openai.APIStatusError("busy", response=response, body={"code": code})


FOREIGN = [
    ConnectionResetError("gone"),
    TimeoutError(),
    ssl.SSLCertVerificationError("bad"),
    json.JSONDecodeError("cut", "", 0),
    KeyError("k"),
    ValueError("v"),
    status_error(429, **{"retry-after": "7"}),
    status_error(429, "insufficient_quota"),
    status_error(401),
    status_error(200, "server_error"),
    openai.APIError("odd", REQUEST, body={"type": "odd"}),
]
LIBRARY = [
    *(
        cls("x")
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, Error) and cls is not RestoredError
    ),
    *(NetworkError("x", type=kind) for kind in NetworkErrorType),
    ProviderError("x", ErrorContext(status=503, retry_after=2.0)),
    ProviderError("x", body={"error": {"type": "overloaded_error"}}),
    ProviderError("x", body={"code": "insufficient_quota"}),
    ProviderError("x", body={"code": "odd"}),
]


def through_json(error):
    text = msgspec.json.encode(serialize_error(error))
    return deserialize_error(msgspec.json.decode(text, type=SerializedError))


@pytest.mark.parametrize("error", LIBRARY, ids=repr)
def test_a_library_error_comes_back_as_its_own_class(error):
    again = through_json(error)
    assert type(again) is type(error)
    assert (str(again), again.code) == (str(error), error.code)
    assert classify(again) == classify(error)
    assert retry_after(again) == retry_after(error)
    assert failure_type(again) == failure_type(error)


@pytest.mark.parametrize("error", FOREIGN, ids=repr)
def test_any_other_error_comes_back_with_the_same_verdict(error):
    again = through_json(error)
    assert type(again) is RestoredError
    assert (again.name, str(again)) == (type(error).__name__, str(error))
    assert classify(again) == classify(error)
    assert again.category is classify(error).category
    assert retry_after(again) == retry_after(error)
    assert failure_type(again) == failure_type(error)
    assert serialize_error(again) == serialize_error(error)


def test_a_namesake_of_a_library_class_is_not_taken_for_it():
    for name in ("Error", "NetworkError"):
        namesake = type(name, (Exception,), {"__module__": "sqlite3"})("locked")
        again = through_json(namesake)
        assert type(again) is RestoredError
        assert classify(again).category == "model"


def test_a_subclass_from_elsewhere_is_restored_by_its_verdict():
    mine = type("ShopError", (NetworkError,), {"__module__": "shop"})("x", type="dns_error")
    again = through_json(mine)
    assert (type(again), again.name) == (RestoredError, "ShopError")
    assert classify(again).network_type == "dns_error"


def test_what_was_listed_is_named_but_not_stored():
    stored = serialize_error(AllStreamsExhaustedError("all", errors=[ValueError("v")]))
    assert (stored.name, stored.code, stored.category) == (
        "AllStreamsExhaustedError",
        "ALL_STREAMS_EXHAUSTED",
        "provider",
    )


def test_a_record_written_with_the_bare_fields_is_read():
    text = '{"name": "ReadError", "message": "m", "category": "network", "network_type": "timeout"}'
    again = deserialize_error(msgspec.json.decode(text, type=SerializedError))
    verdict = classify(again)
    assert (verdict.category, verdict.network_type) == ("network", "timeout")
    stale = SerializedError("ZeroOutputError", "m", category="fatal", module="l0.errors")
    assert type(deserialize_error(stale)) is RestoredError


@given(
    st.builds(
        SerializedError,
        name=st.sampled_from(["X", "NetworkError", "ProviderError", "Error", "DriftError"]),
        message=st.text(max_size=5),
        category=st.sampled_from(ErrorCategory),
        status=st.none() | st.integers(400, 599),
        network_type=st.none() | st.sampled_from(NetworkErrorType),
        reason=st.none() | st.sampled_from(RetryableErrorType),
        quota=st.booleans(),
        module=st.sampled_from(["", "l0.errors", "httpx"]),
    )
)
def test_any_stored_failure_is_restored_with_its_category(stored):
    again = deserialize_error(stored)
    assert classify(again).category is stored.category
    assert str(again) == stored.message
