"""Classification by class: real exceptions of installed packages, and look-alikes of others."""
# ruff: noqa: TID253  (the real classes of these packages are what is tested)

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import socket
import ssl
import subprocess
import sys
import urllib.error
from unittest.mock import Mock

import aiohttp
import anthropic
import httpcore
import httpcore2
import httpx
import httpx2
import msgspec
import openai
import pydantic
import pytest
import requests
import urllib3

from l0.errors import (
    NetworkError,
    NetworkErrorType,
    analyze_network_error,
    categorize_error,
    classify,
    failure_type,
    is_network_error,
    is_retryable_error,
)

REQUEST = httpx2.Request("POST", "https://api.example.org/v1")


def look_alike(path, *bases):
    module, _, name = path.rpartition(".")
    return type(name, bases or (Exception,), {"__module__": module})


def caused(error, cause):
    error.__cause__ = cause
    return error


def network_type_of(error):
    verdict = classify(error)
    assert verdict.category == "network", verdict
    assert verdict.reason == ("timeout" if verdict.network_type == "timeout" else "network_error")
    assert is_network_error(error)
    return verdict.network_type


BUILTINS = [
    (TimeoutError(), "timeout"),
    (OSError(errno.ETIMEDOUT, ""), "timeout"),
    (BrokenPipeError(), "connection_dropped"),
    (ConnectionAbortedError(), "connection_dropped"),
    (EOFError(), "connection_dropped"),
    (ssl.SSLError(), "connection_dropped"),
    (ssl.SSLEOFError(), "connection_dropped"),
    (OSError(errno.EPIPE, ""), "connection_dropped"),
    (ConnectionResetError(), "econnreset"),
    (OSError(errno.ECONNRESET, ""), "econnreset"),
    (http.client.RemoteDisconnected(), "econnreset"),
    (ConnectionRefusedError(), "econnrefused"),
    (OSError(errno.ECONNREFUSED, ""), "econnrefused"),
    (asyncio.IncompleteReadError(b"", 10), "partial_chunks"),
    (http.client.IncompleteRead(b""), "partial_chunks"),
    (socket.gaierror(-2, ""), "dns_error"),
    (ssl.SSLCertVerificationError(), "ssl_error"),
    (ConnectionError(), "fetch_error"),
    (urllib.error.URLError("x"), "fetch_error"),
    (OSError(errno.ENETUNREACH, ""), "fetch_error"),
    (OSError(errno.EHOSTUNREACH, ""), "fetch_error"),
    (OSError(errno.ENETDOWN, ""), "fetch_error"),
    (OSError(errno.ENETUNREACH), "fetch_error"),
    (OSError(errno.EHOSTUNREACH), "fetch_error"),
]


@pytest.mark.parametrize(("error", "expected"), BUILTINS, ids=lambda v: repr(v)[:40])
def test_s24_builtin_transport_errors_with_empty_messages(error, expected):
    assert network_type_of(error) == expected
    assert failure_type(error) == ("timeout" if expected == "timeout" else "network")


HTTP_NAMES = [
    ("ConnectTimeout", "timeout"),
    ("ReadTimeout", "timeout"),
    ("WriteTimeout", "timeout"),
    ("PoolTimeout", "timeout"),
    ("TimeoutException", "timeout"),
    ("ReadError", "connection_dropped"),
    ("WriteError", "connection_dropped"),
    ("NetworkError", "connection_dropped"),
    ("RemoteProtocolError", "connection_dropped"),
    ("ConnectError", "fetch_error"),
    ("ProxyError", "fetch_error"),
]


@pytest.mark.parametrize(("name", "expected"), HTTP_NAMES)
@pytest.mark.parametrize("module", [httpx, httpx2, httpcore, httpcore2], ids=lambda m: m.__name__)
def test_the_httpx_families_alike(module, name, expected):
    assert network_type_of(getattr(module, name)("")) == expected


@pytest.mark.parametrize("module", [httpx, httpx2], ids=lambda m: m.__name__)
def test_more_of_httpx(module):
    assert network_type_of(module.CloseError("")) == "connection_dropped"
    assert network_type_of(module.DecodingError("")) == "partial_chunks"
    assert network_type_of(module.TransportError("")) == "fetch_error"
    for name in ("UnsupportedProtocol", "InvalidURL", "TooManyRedirects", "LocalProtocolError"):
        assert categorize_error(getattr(module, name)("")) == "fatal"


def connector_error(cls, *args):
    return cls(Mock(host="h", port=1, is_ssl=True, ssl=True), *args)


AIOHTTP = [
    (aiohttp.ServerTimeoutError(), "timeout"),
    (aiohttp.SocketTimeoutError(), "timeout"),
    (aiohttp.ConnectionTimeoutError(), "timeout"),
    (aiohttp.ServerDisconnectedError(), "connection_dropped"),
    (aiohttp.ClientPayloadError(), "partial_chunks"),
    (aiohttp.ClientConnectionError(), "fetch_error"),
    (aiohttp.ClientConnectionResetError(), "econnreset"),
    (aiohttp.ClientOSError(errno.ECONNRESET, ""), "econnreset"),
    (
        connector_error(aiohttp.ClientConnectorError, ConnectionRefusedError(111, "")),
        "econnrefused",
    ),
    (connector_error(aiohttp.ClientConnectorDNSError, OSError(None, "")), "dns_error"),
    (connector_error(aiohttp.ClientConnectorSSLError, OSError(None, "")), "connection_dropped"),
    (
        connector_error(
            aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError("bad")
        ),
        "ssl_error",
    ),
]


@pytest.mark.parametrize(("error", "expected"), AIOHTTP, ids=lambda v: type(v).__name__)
def test_aiohttp(error, expected):
    assert network_type_of(error) == expected


def test_aiohttp_answers_and_addresses(recwarn):
    refused = aiohttp.ClientResponseError(Mock(real_url="u"), (), status=503)
    assert classify(refused).status == 503
    assert categorize_error(aiohttp.InvalidURL("x")) == "fatal"
    assert categorize_error(aiohttp.TooManyRedirects(Mock(), (), status=302)) == "fatal"
    assert not recwarn.list


REQUESTS = [
    (requests.ConnectTimeout(), "timeout"),
    (requests.ReadTimeout(), "timeout"),
    (requests.ConnectionError(), "fetch_error"),
    (requests.exceptions.ProxyError(), "fetch_error"),
    (requests.exceptions.SSLError(), "connection_dropped"),
    (requests.exceptions.ChunkedEncodingError(), "partial_chunks"),
    (requests.JSONDecodeError("", "", 0), "partial_chunks"),
    (urllib3.exceptions.ReadTimeoutError(Mock(), "u", "m"), "timeout"),
    (urllib3.exceptions.ProtocolError(), "connection_dropped"),
    (urllib3.exceptions.IncompleteRead(1, 2), "partial_chunks"),
    (urllib3.exceptions.MaxRetryError(Mock(), "u"), "fetch_error"),
]


@pytest.mark.parametrize(("error", "expected"), REQUESTS, ids=lambda v: type(v).__name__)
def test_requests_and_urllib3(error, expected):
    assert network_type_of(error) == expected


def test_a_refused_connection_through_requests_is_found_at_the_bottom():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connecting is refused
        with pytest.raises(requests.ConnectionError) as raised:
            requests.get(f"http://127.0.0.1:{taken.getsockname()[1]}/", timeout=5)
    assert network_type_of(raised.value) == "econnrefused"


@pytest.mark.parametrize("module", [httpx, httpx2], ids=lambda m: m.__name__)
def test_a_refused_connection_through_httpx_is_found_at_the_bottom(module):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with module.Client(trust_env=False) as client, pytest.raises(module.ConnectError) as raised:
            client.get(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert network_type_of(raised.value) == "econnrefused"


# ── provider SDKs ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=lambda m: m.__name__)
def test_connection_errors_of_the_sdks(sdk):
    timeout = sdk.APITimeoutError(request=REQUEST)
    assert network_type_of(timeout) == "timeout"
    lost = sdk.APIConnectionError(request=REQUEST)
    assert network_type_of(lost) == "fetch_error"
    assert network_type_of(caused(RuntimeError("wrapped"), lost)) == "fetch_error"


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (httpx2.RemoteProtocolError(""), "connection_dropped"),
        (httpx2.ReadTimeout(""), "timeout"),
        (httpx2.ConnectError(""), "fetch_error"),
        (caused(httpx2.ConnectError(""), ConnectionRefusedError()), "econnrefused"),
        (caused(httpx2.ConnectError(""), socket.gaierror(-2, "")), "dns_error"),
        (caused(httpx2.ConnectError(""), ssl.SSLCertVerificationError()), "ssl_error"),
        (json.JSONDecodeError("", "", 0), "partial_chunks"),
        (httpx.ReadError(""), "connection_dropped"),
    ],
    ids=lambda v: repr(v),
)
def test_s24_an_sdk_connection_error_is_what_its_cause_is(sdk, cause, expected):
    assert network_type_of(caused(sdk.APIConnectionError(request=REQUEST), cause)) == expected


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=lambda m: m.__name__)
def test_an_sdk_connection_error_caused_by_the_caller_is_not_retried(sdk):
    for cause in (httpx2.UnsupportedProtocol(""), httpx2.LocalProtocolError(""), TypeError("")):
        assert not is_retryable_error(caused(sdk.APIConnectionError(request=REQUEST), cause))


def test_the_sdk_itself_wraps_a_dropped_connection():
    def drop(_request):
        raise httpx2.RemoteProtocolError("")

    for sdk, call in (
        (openai, lambda client: client.models.list()),
        (anthropic, lambda client: client.models.list()),
    ):
        with httpx2.Client(transport=httpx2.MockTransport(drop)) as http:
            maker = sdk.OpenAI if sdk is openai else sdk.Anthropic
            client = maker(api_key="k", max_retries=0, http_client=http)
            with pytest.raises(sdk.APIConnectionError) as raised:
                call(client)
        assert network_type_of(raised.value) == "connection_dropped"


def test_other_errors_of_the_sdks():
    closed = openai.WebSocketConnectionClosedError("", unsent_messages=[])
    assert network_type_of(closed) == "sse_aborted"
    assert categorize_error(openai.OpenAIError("no api_key")) == "fatal"
    assert categorize_error(anthropic.CredentialsError("none")) == "fatal"
    assert categorize_error(openai.ContentFilterFinishReasonError()) == "content"
    cut = openai.LengthFinishReasonError(completion=Mock(usage=None))
    assert classify(cut).reason == "incomplete"


# ── look-alikes, built without the packages ───────────────────────────────────────────────────────


def family(package):
    base = look_alike(f"{package}._exceptions.APIError")
    connection = look_alike(f"{package}._exceptions.APIConnectionError", base)
    return base, connection


@pytest.mark.parametrize("package", ["openai", "anthropic", "litellm.exceptions"])
def test_s91_look_alikes_of_provider_classes(package):
    base, connection = family(package)
    timeout = look_alike(f"{package}.APITimeoutError", connection)
    status = look_alike(f"{package}.APIStatusError", base)
    limited = look_alike(f"{package}.RateLimitError", status)

    assert network_type_of(connection()) == "fetch_error"
    assert network_type_of(caused(connection(), BrokenPipeError())) == "connection_dropped"
    assert network_type_of(timeout()) == "timeout"
    assert categorize_error(base()) == "provider"
    busy = status()
    busy.status_code = 529
    assert classify(busy).reason == "server_error"
    spent = limited()
    spent.status_code, spent.code = 429, "insufficient_quota"
    assert classify(spent).quota
    assert classify(limited()).reason == "rate_limit"
    began_well = status()
    began_well.status_code, began_well.body = 200, {"error": {"type": "overloaded_error"}}
    assert categorize_error(began_well) == "transient"


def test_a_status_that_litellm_made_up_says_nothing():
    """It calls whatever breaks an answer a 500 or 503; what broke it is the cause."""
    root = "litellm.exceptions"
    status = look_alike("openai.APIStatusError", look_alike("openai.APIError"))
    broken = look_alike(f"{root}.MidStreamFallbackError", status)
    connection = look_alike(f"{root}.APIConnectionError", look_alike("openai.APIConnectionError"))

    def mid_stream(original, context=None):
        error = broken("litellm.MidStreamFallbackError")
        error.status_code, error.original_exception = 503, original
        error.__context__ = context
        return error

    inner = connection()
    inner.status_code = 500
    assert network_type_of(inner) == "fetch_error"
    assert network_type_of(mid_stream(inner)) == "fetch_error"
    dropped = look_alike("httpx.ReadError")()
    assert network_type_of(mid_stream(inner, dropped)) == "connection_dropped"
    assert network_type_of(mid_stream(inner, look_alike("httpx.ReadTimeout")())) == "timeout"
    limited = look_alike(f"{root}.RateLimitError", status)()
    limited.status_code = 429
    assert classify(mid_stream(limited)).reason == "rate_limit"
    assert classify(mid_stream(None)).reason == "server_error"
    late = look_alike(f"{root}.Timeout", look_alike("openai.APITimeoutError"))()
    late.status_code = 408
    assert network_type_of(late) == "timeout"


@pytest.mark.parametrize("package", ["httpx2", "httpcore2", "httpx", "httpcore"])
@pytest.mark.parametrize(("name", "expected"), HTTP_NAMES)
def test_s91_look_alikes_of_transport_classes(package, name, expected):
    assert network_type_of(look_alike(f"{package}._exceptions.{name}")()) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("httpx_sse.SSEError", "sse_aborted"),
        ("websocket.WebSocketConnectionClosedException", "sse_aborted"),
        ("websockets.exceptions.ConnectionClosed", "sse_aborted"),
        ("h11._util.RemoteProtocolError", "connection_dropped"),
        ("urllib3.exceptions.NameResolutionError", "dns_error"),
        ("aiohttp.client_exceptions.ClientPayloadError", "partial_chunks"),
    ],
)
def test_s91_look_alikes_of_other_transports(path, expected):
    assert network_type_of(look_alike(path)()) == expected


@pytest.mark.parametrize("name", [name for name, _ in HTTP_NAMES])
def test_the_same_name_in_another_module_says_nothing(name):
    assert categorize_error(look_alike(f"shop.orders.{name}")()) == "model"


def test_a_subclass_of_a_known_class_is_known():
    mine = look_alike("shop.Broken", look_alike("httpx2.ReadError"))
    assert network_type_of(mine()) == "connection_dropped"


# ── the program's own faults, and decoding ────────────────────────────────────────────────────────

PROGRAMMING = [
    TypeError,
    AttributeError,
    NameError,
    UnboundLocalError,
    LookupError,
    KeyError,
    IndexError,
    AssertionError,
    NotImplementedError,
    ImportError,
    ModuleNotFoundError,
    ArithmeticError,
    ZeroDivisionError,
    RecursionError,
    MemoryError,
    SyntaxError,
]


@pytest.mark.parametrize("cls", PROGRAMMING)
def test_programming_errors_are_internal_and_not_retried(cls):
    error = cls("connection reset")
    assert categorize_error(error) == "internal"
    assert failure_type(error) == "unknown"
    assert not is_retryable_error(error)


@pytest.mark.parametrize("cls", [ValueError, RuntimeError, Exception, FileNotFoundError])
def test_anything_else_is_the_models_fault(cls):
    error = cls("no idea")
    assert categorize_error(error) == "model"
    assert classify(error).reason is None
    assert failure_type(error) == "model"
    assert is_retryable_error(error)


def test_undecodable_text_from_upstream_is_a_transport_fault():
    with pytest.raises(msgspec.DecodeError) as cut:
        msgspec.json.decode(b'{"a": ')
    with pytest.raises(UnicodeDecodeError) as garbled:
        b"\xff".decode()
    for error in (json.JSONDecodeError("", "", 0), cut.value, garbled.value):
        assert network_type_of(error) == "partial_chunks"


def test_well_formed_text_of_another_shape_is_not_a_transport_fault():
    with pytest.raises(msgspec.ValidationError) as shape:
        msgspec.json.decode(b'"a"', type=int)
    with pytest.raises(pydantic.ValidationError) as model:
        pydantic.TypeAdapter(int).validate_json('"a"')
    for error in (shape.value, model.value, UnicodeEncodeError("a", "b", 0, 1, "c")):
        assert categorize_error(error) == "model"


def test_the_callers_own_parsing_of_an_answer_is_not_a_transport_fault():
    error = caused(ValueError("the model wrote no JSON"), json.JSONDecodeError("", "", 0))
    assert categorize_error(error) == "model"


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1), GeneratorExit()]
)
def test_what_must_be_propagated_is_never_retryable(error):
    assert not is_retryable_error(error)
    assert not is_network_error(error)


# ── chains ────────────────────────────────────────────────────────────────────────────────────────


def while_handling(error, context):
    error.__context__ = context
    return error


def test_the_context_is_asked_unless_suppressed():
    error = while_handling(RuntimeError("wrapped"), ConnectionResetError())
    assert network_type_of(error) == "econnreset"
    error.__suppress_context__ = True
    assert categorize_error(error) == "model"


def test_the_first_conclusive_answer_wins():
    assert network_type_of(caused(BrokenPipeError(), TypeError())) == "connection_dropped"
    assert categorize_error(caused(RuntimeError(), TypeError())) == "internal"
    told = caused(RuntimeError("connection refused"), ConnectionResetError())
    assert network_type_of(told) == "econnrefused"
    assert (
        network_type_of(caused(RuntimeError(), NetworkError("x", type="dns_error"))) == "dns_error"
    )


def test_what_happened_to_be_handled_is_no_programming_error():
    for harmless in (KeyError("cache miss"), json.JSONDecodeError("", "", 0)):
        assert categorize_error(while_handling(RuntimeError("odd answer"), harmless)) == "model"


@pytest.mark.parametrize(("depth", "category"), [(1, "network"), (8, "network"), (9, "model")])
def test_causes_are_followed_eight_deep(depth, category):
    error: Exception = ConnectionResetError()
    for _ in range(depth):
        error = caused(RuntimeError("outer"), error)
    assert categorize_error(error) == category


def test_a_chain_that_closes_on_itself_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert categorize_error(first) == "model"


def test_a_group_is_what_its_first_telling_member_is():
    group = ExceptionGroup("tasks", [ValueError("x"), ConnectionResetError()])
    assert network_type_of(group) == "econnreset"
    assert network_type_of(caused(OSError("All connection attempts failed"), group)) == "econnreset"


def test_the_message_of_a_wrapper_refines_it_when_nothing_else_does():
    assert network_type_of(httpx2.ConnectError("[Errno 111] Connection refused")) == "econnrefused"
    certificate = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    assert network_type_of(certificate) == "ssl_error"
    assert not is_retryable_error(certificate)
    busy = openai.APIError("Too many requests", REQUEST, body=None)
    assert classify(busy).reason == "rate_limit"
    startup = caused(openai.OpenAIError("credentials"), httpx2.ConnectError(""))
    assert network_type_of(startup) == "fetch_error"


# ── analysis ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", NetworkErrorType)
def test_every_network_type_has_a_suggestion_and_only_certificates_are_hopeless(kind):
    error = NetworkError("key sk-abcdefghij0123456789 lost", type=kind)
    analysis = analyze_network_error(error)
    assert analysis.type is kind
    assert analysis.retryable is (kind is not NetworkErrorType.SSL_ERROR)
    assert analysis.retryable is is_retryable_error(error)
    assert analysis.counts_toward_limit is False
    assert analysis.suggestion.endswith(".")
    assert analysis.context == {
        "error_type": "NetworkError",
        "message": "key [redacted] lost",
        "category": "network",
    }
    hash(analysis)


def test_the_analysis_of_what_is_no_network_error_is_unknown():
    analysis = analyze_network_error(KeyError("x"))
    assert (analysis.type, analysis.retryable) == ("unknown", False)


# ── weight ────────────────────────────────────────────────────────────────────────────────────────


def test_s91_no_provider_package_is_imported_to_classify_its_errors():
    script = """
import sys
import l0.errors
error = type("APIConnectionError", (Exception,), {"__module__": "openai"})("x")
assert l0.errors.classify(error).category == "network"
assert l0.errors.retry_after(error) is None
l0.errors.deserialize_error(l0.errors.serialize_error(error))
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(roots & set(sys.argv[1].split(","))))
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("l0.")}
print(sorted(room for room in rooms if not room.startswith("_")))
"""
    heavy = (
        "openai,anthropic,litellm,httpx,httpx2,httpcore,httpcore2,aiohttp,requests,urllib3,pydantic"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "['errors']"]
