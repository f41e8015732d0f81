"""How long a provider asked to wait: headers of any shape, attributes, and what is no wait."""
# ruff: noqa: TID253  (the real classes of these packages are what is tested)

from __future__ import annotations

from types import SimpleNamespace

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
from multidict import CIMultiDict

from l0.errors import ErrorContext, NetworkError, retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


class Busy(Exception):
    def __init__(self, headers=None, **attributes):
        super().__init__("busy")
        if headers is not None:
            self.headers = headers
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": " 7.5 "}, 7.5),
        ({"RETRY-AFTER": 7}, 7.0),
        ({b"Retry-After": b"7"}, 7.0),
        ([("X", "1"), ("Retry-After", "7")], 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "nan", "retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 -0000"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 09:00:30 +0100"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:59:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": None}, None),
        ({"retry-after": True}, None),
        ({"retry-after": "Fri, 99 Jan 2027 08:00:30 GMT"}, None),
        ({}, None),
        (None, None),
        (42, None),
    ],
)
def test_headers_of_the_error_or_of_its_response(headers, expected):
    assert retry_after(Busy(headers), now=NOW) == expected
    assert retry_after(Busy(response=SimpleNamespace(headers=headers)), now=NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("4", 4.0),
        (-1, None),
        (float("nan"), None),
        (None, None),
        (True, None),
    ],
)
def test_the_attribute_in_seconds(value, expected):
    assert retry_after(Busy(retry_after=value)) == expected


def test_a_header_says_more_than_an_attribute():
    assert retry_after(Busy({"retry-after": "7"}, retry_after=3)) == 7.0
    assert retry_after(Busy({"retry-after": "-7"}, retry_after=3)) == 3.0


def test_library_errors_know_it_from_their_context():
    assert retry_after(NetworkError("x", ErrorContext(retry_after=7.0))) == 7.0
    assert retry_after(NetworkError("x")) is None


def test_the_causes_are_asked_as_well():
    error = RuntimeError("wrapped")
    error.__cause__ = Busy({"retry-after": "7"})
    assert retry_after(error) == 7.0


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=lambda m: m.__name__)
def test_real_sdk_errors(sdk):
    response = httpx2.Response(
        429, headers={"Retry-After": "7"}, request=httpx2.Request("POST", "https://x/")
    )
    assert retry_after(sdk.RateLimitError("x", response=response, body=None)) == 7.0


def test_real_header_classes_of_other_clients():
    request = httpx.Request("GET", "https://x/")
    answer = httpx.Response(503, headers={"Retry-After-Ms": "250"}, request=request)
    assert retry_after(httpx.HTTPStatusError("", request=request, response=answer)) == 0.25
    failed = aiohttp.ClientResponseError(
        SimpleNamespace(real_url="u"), (), status=503, headers=CIMultiDict({"Retry-After": "9"})
    )
    assert retry_after(failed) == 9.0


def test_a_date_is_measured_from_now_when_no_time_is_given():
    assert retry_after(Busy({"retry-after": "Wed, 01 Jan 2020 00:00:00 GMT"})) == 0.0
    assert retry_after(Busy({"retry-after": "Sun, 01 Jan 2090 00:00:00 GMT"})) > 1e9
