"""Classification by what a provider answered: HTTP status first, then type or code of the body."""
# ruff: noqa: TID253  (the real classes of these packages are what is tested)

from __future__ import annotations

from types import SimpleNamespace

import anthropic
import httpx
import httpx2
import openai
import pytest

from l0.errors import classify, failure_type, is_retryable_error

REQUEST = httpx2.Request("POST", "https://api.example.org/v1")
QUOTA = [
    "insufficient_quota",
    "quota_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "credit_balance_too_low",
]
STATUSES = [
    *[(status, "transient", "server_error") for status in (408, 425)],
    (429, "transient", "rate_limit"),
    *[(status, "transient", "server_error") for status in (500, 501, 502, 503, 504, 529, 599)],
    *[
        (status, "fatal", None)
        for status in (400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 431, 451, 499)
    ],
]
BODY_TYPES = [
    *[(kind, "transient", "rate_limit") for kind in ("rate_limit_error", "rate_limit_exceeded")],
    *[
        (kind, "transient", "server_error")
        for kind in (
            "server_error",
            "api_error",
            "overloaded_error",
            "timeout_error",
            "internal_error",
        )
    ],
    *[
        (kind, "fatal", None)
        for kind in (
            "invalid_request_error",
            "authentication_error",
            "permission_error",
            "not_found_error",
            "request_too_large",
            "invalid_api_key",
            "model_not_found",
            "context_length_exceeded",
            *QUOTA,
        )
    ],
    *[
        (kind, "content", "guardrail_violation")
        for kind in ("content_filter", "content_policy_violation")
    ],
]


class Failed(Exception):
    """A look-alike: an exception of no known class with whatever attributes."""

    def __init__(self, message="", **attributes):
        super().__init__(message)
        self.__dict__.update(attributes)


def response(status, module=httpx2, **headers):
    return module.Response(status, request=module.Request("POST", "https://x/"), headers=headers)


def of_openai(status, body=None, message="x"):
    client = openai.OpenAI(api_key="k", max_retries=0)
    return client._make_status_error(message, body=body, response=response(status))


def of_anthropic(status, body=None, message="x"):
    client = anthropic.Anthropic(api_key="k", max_retries=0)
    return client._make_status_error(message, body=body, response=response(status))


@pytest.mark.parametrize(("status", "category", "reason"), STATUSES)
@pytest.mark.parametrize(
    "make",
    [
        of_openai,
        of_anthropic,
        lambda status: Failed(status_code=status),
        lambda status: Failed(status=status),
        lambda status: Failed(response=SimpleNamespace(status_code=status)),
        lambda status: httpx.HTTPStatusError(
            "", request=httpx.Request("GET", "https://x/"), response=response(status, httpx)
        ),
    ],
    ids=["openai", "anthropic", "status_code", "status", "response", "httpx"],
)
def test_a_status_decides(make, status, category, reason):
    error = make(status)
    verdict = classify(error)
    assert (verdict.category, verdict.reason, verdict.status) == (category, reason, status)
    assert verdict.quota is False
    assert is_retryable_error(error) is (category == "transient")
    assert failure_type(error) == "model"


@pytest.mark.parametrize("code", QUOTA)
@pytest.mark.parametrize("status", [429, 402, 403, 200, None])
def test_s91_an_exhausted_quota_is_fatal_whatever_the_status(code, status):
    for error in (
        Failed(status_code=status, code=code),
        Failed(status_code=status, body={"error": {"type": code}}),
        Failed(status_code=status, body={"code": code, "type": "rate_limit_error"}),
    ):
        verdict = classify(error)
        assert (verdict.category, verdict.reason, verdict.quota) == ("fatal", None, True)
        assert not is_retryable_error(error)


def test_a_server_that_fails_is_asked_again_though_it_speaks_of_quotas():
    assert classify(Failed(status_code=503, code="quota_exceeded")).category == "transient"


def test_real_quota_errors_of_both_sdks():
    body = {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}
    assert classify(of_openai(429, {"error": body})).quota
    details = {"error_code": "enforced_spend_limit_reached"}
    spent = {"type": "error", "error": {"type": "rate_limit_error", "details": details}}
    assert classify(of_anthropic(429, spent)).quota
    busy = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    verdict = classify(of_anthropic(429, busy))
    assert (verdict.quota, verdict.reason) == (False, "rate_limit")


@pytest.mark.parametrize(("kind", "category", "reason"), BODY_TYPES)
@pytest.mark.parametrize(
    "make",
    [
        lambda kind: Failed(type=kind),
        lambda kind: Failed(code=kind),
        lambda kind: Failed(body={"type": "error", "error": {"type": kind}}),
        lambda kind: Failed(body={"error": {"code": kind, "type": None}}, status=200),
        lambda kind: Failed(body=SimpleNamespace(error=SimpleNamespace(type=kind))),
        lambda kind: openai.APIError("x", REQUEST, body={"type": kind, "code": None}),
        lambda kind: openai.APIError("x", REQUEST, body={"type": None, "code": kind}),
        lambda kind: of_anthropic(200, {"type": "error", "error": {"type": kind}}),
    ],
    ids=["type", "code", "body", "body-200", "objects", "openai-type", "openai-code", "anthropic"],
)
def test_a_body_type_decides_where_no_status_does(make, kind, category, reason):
    verdict = classify(make(kind))
    assert (verdict.category, verdict.reason) == (category, reason)
    assert (verdict.status, verdict.body_type) == (None, kind)
    assert verdict.quota is (kind in QUOTA)
    assert failure_type(make(kind)) == "model"


def test_s91_overload_reported_inside_a_stream_that_began_with_200_is_transient():
    def answer(_request):
        event = 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'
        return httpx2.Response(
            200, content=event.encode(), headers={"content-type": "text/event-stream"}
        )

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = anthropic.Anthropic(api_key="k", max_retries=0, http_client=http)
        stream = client.messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}], stream=True
        )
        with pytest.raises(anthropic.APIStatusError) as raised:
            list(stream)

    assert raised.value.status_code == 200
    assert classify(raised.value).category == "transient"
    assert classify(raised.value).reason == "server_error"


@pytest.mark.parametrize(
    ("line", "category", "network_type"),
    [
        ('{"error": {"type": "server_error", "message": "m"}}', "transient", None),
        ('{"error": {"code": 502, "message": "m"}}', "transient", None),
        ('{"error": {"message": "something odd"}}', "provider", None),
        ('{"choices": [', "network", "partial_chunks"),
    ],
    ids=["type", "numeric code", "nothing known", "cut JSON"],
)
def test_what_the_openai_sdk_raises_for_a_bad_line_of_the_stream(line, category, network_type):
    def answer(_request):
        return httpx2.Response(
            200,
            content=f"data: {line}\n\n".encode(),
            headers={"content-type": "text/event-stream"},
        )

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="k", max_retries=0, http_client=http)
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        with pytest.raises(Exception) as raised:  # which one is the SDK's affair
            list(stream)

    verdict = classify(raised.value)
    assert (verdict.category, verdict.network_type) == (category, network_type)


def test_status_comes_before_body_and_body_before_class():
    assert classify(Failed(status_code=400, type="overloaded_error")).category == "fatal"
    assert classify(Failed(status_code=200, type="overloaded_error")).category == "transient"
    slow = ConnectionResetError()
    slow.type = "invalid_request_error"
    assert classify(slow).category == "fatal"


def test_a_400_that_mentions_a_timeout_is_fatal():
    error = of_openai(400, message="the request timed out: connection reset, rate limit exceeded")
    assert classify(error).category == "fatal"


@pytest.mark.parametrize("value", [True, "503", 503.0, None, 42, 1006, -500, object()])
def test_only_integers_in_the_range_of_error_statuses_are_statuses(value):
    assert classify(Failed(status_code=value)).category == "model"


def test_an_answer_that_has_another_shape_than_expected_is_the_providers_fault():
    for sdk in (openai, anthropic):
        error = sdk.APIResponseValidationError(response(200), body={"type": "odd"})
        verdict = classify(error)
        assert (verdict.category, verdict.status, verdict.body_type) == ("provider", None, "odd")
        assert failure_type(error) == "model"
        assert failure_type(sdk.APIError("x", REQUEST, body=None)) == "unknown"
