"""The tree of library errors: shape, codes, what each carries, and copies that are equal."""

from __future__ import annotations

import copy
import json
import pickle
import re
import threading
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0 import errors
from l0.errors import (
    AllStreamsExhaustedError,
    CompositeStoreError,
    ContentError,
    DriftError,
    Error,
    ErrorCategory,
    ErrorCode,
    ErrorContext,
    FatalGuardrailError,
    GuardrailError,
    InterceptorError,
    L0Error,
    MissingDependencyError,
    NetworkError,
    NetworkErrorType,
    ProviderError,
    RestoredError,
    SchemaValidationError,
    SerializedError,
    StoreError,
    StreamTimeoutError,
    ToolArgumentsError,
    classify,
    get_error_category,
    is_l0_error,
)
from l0.errors import _tree as tree

ROWS = [
    # class, parents, code, category, reason
    ("StreamAbortedError", (Error,), "STREAM_ABORTED", "fatal", None),
    ("ConnectTimeoutError", (StreamTimeoutError,), "CONNECT_TIMEOUT", "transient", "timeout"),
    (
        "InitialTokenTimeoutError",
        (StreamTimeoutError,),
        "INITIAL_TOKEN_TIMEOUT",
        "transient",
        "timeout",
    ),
    ("InterTokenTimeoutError", (TimeoutError,), "INTER_TOKEN_TIMEOUT", "transient", "timeout"),
    ("DeadlineError", (StreamTimeoutError, TimeoutError), "TOTAL_TIMEOUT", "fatal", None),
    ("NetworkError", (Error, ConnectionError), "NETWORK_ERROR", "network", "network_error"),
    ("ProviderError", (Error,), "PROVIDER_ERROR", "provider", None),
    ("ZeroOutputError", (ContentError,), "ZERO_OUTPUT", "content", "zero_output"),
    ("GuardrailError", (ContentError,), "GUARDRAIL_VIOLATION", "content", "guardrail_violation"),
    ("FatalGuardrailError", (GuardrailError,), "FATAL_GUARDRAIL_VIOLATION", "fatal", None),
    ("DriftError", (ContentError,), "DRIFT_DETECTED", "content", "drift"),
    ("IncompleteOutputError", (ContentError,), "INCOMPLETE_OUTPUT", "content", "incomplete"),
    (
        "SchemaValidationError",
        (ContentError, ValueError),
        "SCHEMA_VALIDATION_FAILED",
        "content",
        "guardrail_violation",
    ),
    (
        "ToolArgumentsError",
        (ContentError, ValueError),
        "TOOL_ARGUMENTS_INVALID",
        "content",
        "guardrail_violation",
    ),
    ("AllStreamsExhaustedError", (Error,), "ALL_STREAMS_EXHAUSTED", "provider", None),
    ("InvalidStreamError", (Error, TypeError), "INVALID_STREAM", "internal", None),
    ("AdapterNotFoundError", (Error, ValueError), "ADAPTER_NOT_FOUND", "internal", None),
    ("FeatureNotEnabledError", (Error,), "FEATURE_NOT_ENABLED", "internal", None),
    ("MissingDependencyError", (Error, ImportError), "FEATURE_NOT_ENABLED", "internal", None),
    ("InterceptorError", (Error,), "INTERCEPTOR_FAILED", "fatal", None),
    ("StoreError", (Error,), "STORE_FAILED", "internal", None),
    ("CompositeStoreError", (StoreError,), "STORE_FAILED", "internal", None),
]
CLASSES = sorted(
    (
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, Error) and cls is not Error
    ),
    key=lambda cls: cls.__name__,
)


@pytest.mark.parametrize(("name", "parents", "code", "category", "reason"), ROWS, ids=lambda v: v)
def test_a_class_has_the_code_category_and_reason_of_its_row(name, parents, code, category, reason):
    cls = getattr(errors, name)
    error = cls("what went wrong")

    assert issubclass(cls, parents)
    assert all(isinstance(error, parent) for parent in parents)
    assert (error.code, error.category, error.reason) == (code, category, reason)
    assert str(error) == error.message == "what went wrong"
    verdict = classify(error)
    assert (verdict.category, verdict.reason) == (category, reason)
    assert get_error_category(code) == category


def test_every_code_is_carried_by_a_class():
    assert {row[2] for row in ROWS} == set(ErrorCode)
    assert {row[0] for row in ROWS} | {
        "Error",
        "ContentError",
        "StreamTimeoutError",
        "RestoredError",
    } == {cls.__name__ for cls in CLASSES} | {"Error"}


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (tree.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w*Error)\b(?:\s+\((\w+)\))?", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        path[depth:] = [found[2]]
        drawn[found[2]] = path[depth - 1] if depth else ""
        if found[3]:
            builtin = getattr(__import__("builtins"), found[3])
            assert issubclass(getattr(errors, found[2]), builtin)

    in_module = {
        name
        for name, cls in vars(tree).items()
        if isinstance(cls, type) and issubclass(cls, Error) and cls.__module__ == "l0.errors"
    }
    assert drawn.keys() == in_module
    for name, parent in drawn.items():
        bases = [base.__name__ for base in getattr(tree, name).__mro__[1:]]
        nearest = next((base for base in bases if base in drawn), "")
        assert nearest == parent, name


def test_a_class_that_only_groups_others_has_no_code_but_a_category():
    assert (Error("x").code, Error("x").category) == (None, "model")
    assert (ContentError("x").code, ContentError("x").category) == (None, "content")
    timeout = StreamTimeoutError("x")
    assert (timeout.code, timeout.category, timeout.reason) == (None, "transient", "timeout")


def test_a_bare_error_takes_its_category_from_the_code_in_its_context():
    error = Error("x", ErrorContext(ErrorCode.ZERO_OUTPUT))
    assert (error.category, error.reason) == ("content", "zero_output")
    assert classify(error).category == "content"


def test_a_class_with_a_code_of_its_own_keeps_it():
    error = GuardrailError("x", ErrorContext("NETWORK_ERROR", attempt=2))
    assert error.code is error.context.code is ErrorCode.GUARDRAIL_VIOLATION
    assert error.context.attempt == 2


def test_an_unknown_code_or_network_type_is_refused_by_name():
    with pytest.raises(ValueError, match=r"code='NOPE'.*ZERO_OUTPUT"):
        ErrorContext("NOPE")
    with pytest.raises(ValueError, match="nope"):
        NetworkError("x", type="nope")
    with pytest.raises(ValueError, match="nope"):
        get_error_category("nope")


def test_a_context_is_frozen_hashable_and_changed_by_replace():
    context = ErrorContext(attempt=1, meta={"a": [1]}, violations=[1], errors=[2])
    assert (context.violations, context.errors) == ((1,), (2,))
    assert context.replace(attempt=2).attempt == 2
    assert hash(context) == hash(context.replace())
    assert not hasattr(context, "__dict__")
    with pytest.raises(AttributeError):
        context.attempt = 3


def test_a_context_keeps_its_own_copy_of_what_the_caller_passed():
    meta = {"user": {"id": 1}}
    context = ErrorContext(meta=types.MappingProxyType(meta))
    meta["user"]["id"] = 2
    assert context.meta == {"user": {"id": 1}}


def test_errors_tell_what_is_known_of_the_run():
    context = ErrorContext(
        checkpoint="Hello", partial_text="Hello wor", stream_id="s-1", status=503, retry_after=7.0
    )
    error = NetworkError("gone", context, type="timeout")
    assert (error.type, error.network_type, error.reason) == ("timeout", "timeout", "timeout")
    assert (error.has_checkpoint, error.get_checkpoint()) == (True, "Hello")
    assert (error.partial_text, error.stream_id) == ("Hello wor", "s-1")
    assert (error.status, error.retry_after) == (503, 7.0)
    bare = NetworkError("gone", ErrorContext(checkpoint=""))
    assert (bare.has_checkpoint, bare.get_checkpoint(), bare.type) == (False, None, "unknown")


def test_errors_carry_what_a_handler_needs():
    assert GuardrailError("x", violations=["v"]).violations == ("v",)
    assert FatalGuardrailError("x", ErrorContext(violations=["v"])).violations == ("v",)
    drift = DriftError("x", types=["tone_shift"], confidence=0.7)
    assert (drift.types, drift.confidence) == (("tone_shift",), 0.7)
    assert SchemaValidationError("x", errors=[{"path": "a"}]).errors == ({"path": "a"},)
    assert ToolArgumentsError("x", errors=["e"]).errors == ("e",)
    first, last = ValueError("1"), ValueError("2")
    exhausted = AllStreamsExhaustedError("x", errors=[first, last])
    assert (exhausted.errors, exhausted.last_error) == ((first, last), last)
    assert AllStreamsExhaustedError("x").last_error is None
    stopped = InterceptorError("x", name="auth", phase="before")
    assert (stopped.name, stopped.phase) == ("auth", "before")
    store = CompositeStoreError("x", succeeded=["a"], failed=["b"], errors=[first])
    assert (store.succeeded, store.failed, store.errors) == (("a",), ("b",), (first,))


@pytest.mark.parametrize(
    ("body", "status", "category", "reason", "quota"),
    [
        (None, None, "provider", None, False),
        ({"type": "something_new"}, None, "provider", None, False),
        ({"type": "overloaded_error"}, None, "transient", "server_error", False),
        ({"error": {"code": "rate_limit_exceeded"}}, 200, "transient", "rate_limit", False),
        ({"error": {"type": "insufficient_quota"}}, None, "fatal", None, True),
        ({"type": "overloaded_error"}, 400, "fatal", None, False),
        (None, 503, "transient", "server_error", False),
        ({"error": {"code": 502}}, 200, "transient", "server_error", False),
    ],
)
def test_a_provider_error_goes_by_status_then_body(body, status, category, reason, quota):
    error = ProviderError("x", ErrorContext(status=status), body=body)
    assert (error.category, error.reason, error.quota) == (category, reason, quota)
    verdict = classify(error)
    assert (verdict.category, verdict.reason, verdict.quota) == (category, reason, quota)


def test_a_missing_package_says_how_to_install_it():
    error = MissingDependencyError.of("Metrics", "opentelemetry", "opentelemetry-api")
    assert isinstance(error, ImportError)
    assert (error.name, error.package) == ("opentelemetry", "opentelemetry")
    assert str(error).endswith("pip install opentelemetry-api")
    again = pickle.loads(pickle.dumps(error))
    assert (again.name, again.msg) == ("opentelemetry", str(error))


def test_is_l0_error_knows_the_tree():
    assert L0Error is Error
    assert is_l0_error(NetworkError("x"))
    assert not is_l0_error(ConnectionError("x"))
    assert not is_l0_error("x")


def test_the_detailed_string_says_counts_run_and_what_to_do():
    context = ErrorContext(
        checkpoint="12345",
        stream_id="s-1",
        attempt=3,
        model_retry_count=1,
        network_retry_count=1,
        fallback_index=0,
    )
    lines = GuardrailError("Bearer abcdefghij0123456789 seen", context).to_detailed_string()
    assert lines.splitlines() == [
        "Bearer [redacted] seen",
        "code: GUARDRAIL_VIOLATION (content)",
        "attempt 3, model retries 1, network retries 1, fallback 0",
        "checkpoint: 5 characters",
        "stream: s-1",
        f"what to do: {GuardrailError.advice}",
    ]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_gives_its_own_advice(cls):
    assert cls("x").to_detailed_string().endswith(f"what to do: {cls.advice}")
    assert cls.advice.endswith(".")
    assert cls.__module__ == "l0.errors"


def test_json_is_safe_and_without_secrets():
    key = "sk-ant-api03-abcdefghijklmnop0123"
    context = ErrorContext(
        meta={"Authorization": "anything", "nested": [{"X-API-Key": "1"}, {"note": f"key {key}"}]},
        metadata={"when": float("nan"), "raw": b"\x00", "lock": threading.Lock(), 3: {4, 5}},
        partial_text=f"text {key}",
        errors=[ValueError(f"refused {key}")],
    )
    error = ProviderError(f"bad {key}", context, body={"api_key": key, "type": "x"})
    error.__cause__ = ConnectionError("Authorization: Basic YWRhOjEyMw==")
    error.add_note(f"sent {key}")

    told = error.to_json()

    text = json.dumps(told, allow_nan=False)
    assert key not in text
    assert "YWRh" not in text
    assert "anything" not in text
    assert told["message"] == "bad [redacted]"
    assert told["context"]["meta"] == {
        "Authorization": "[redacted]",
        "nested": [{"X-API-Key": "[redacted]"}, {"note": "key [redacted]"}],
    }
    assert told["context"]["metadata"]["when"] is None
    assert told["body"] == {"api_key": "[redacted]", "type": "x"}
    assert told["cause"]["name"] == "ConnectionError"
    assert told["notes"] == ["sent [redacted]"]


def test_json_names_what_the_class_carries():
    told = DriftError("x", ErrorContext(attempt=2), types=["hedging"], confidence=0.5).to_json()
    assert told["context"] == {"attempt": 2}
    assert (told["types"], told["confidence"]) == (["hedging"], 0.5)
    assert (told["code"], told["category"]) == ("DRIFT_DETECTED", "content")
    assert NetworkError("x", type="dns_error").to_json()["type"] == "dns_error"


def test_json_names_the_class_also_where_the_failure_has_a_name_of_its_own():
    told = InterceptorError("x", name="auth", phase="before").to_json()
    assert (told["name"], told["interceptor"], told["phase"]) == (
        "InterceptorError",
        "auth",
        "before",
    )


def test_json_of_a_story_that_contains_itself_ends():
    loop: dict[str, object] = {}
    error = ProviderError("x", body=loop)
    loop["again"] = loop
    loop["error"] = error
    json.dumps(error.to_json(), allow_nan=False)


# ── copies ────────────────────────────────────────────────────────────────────────────────────────

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
mappings = st.none() | st.dictionaries(st.text(max_size=3), plain, max_size=3)
foreign = st.sampled_from([ValueError("v"), KeyError("k"), OSError(101, "unreachable")])
contexts = st.builds(
    ErrorContext,
    code=st.none() | st.sampled_from(ErrorCode),
    checkpoint=st.none() | st.text(max_size=5),
    attempt=st.none() | st.integers(1, 9),
    status=st.none() | st.integers(100, 599),
    retry_after=st.none() | st.floats(0, 100),
    violations=st.lists(st.text(max_size=3), max_size=2),
    errors=st.lists(foreign | st.builds(NetworkError, st.text(max_size=3)), max_size=3),
    metadata=mappings,
    meta=mappings,
)


@st.composite
def library_errors(draw):
    cls = draw(st.sampled_from([Error, *CLASSES]))
    extras = {}
    if issubclass(cls, NetworkError):
        extras["type"] = draw(st.sampled_from(NetworkErrorType))
    elif issubclass(cls, ProviderError):
        extras["body"] = draw(plain)
    elif issubclass(cls, DriftError):
        extras = {"types": draw(st.lists(st.text(max_size=3))), "confidence": draw(st.floats(0, 1))}
    elif issubclass(cls, InterceptorError):
        extras = {"name": draw(st.text(max_size=3)), "phase": "after"}
    elif issubclass(cls, StoreError):
        extras = {"succeeded": ["a"], "failed": draw(st.lists(st.text(max_size=3)))}
    elif issubclass(cls, MissingDependencyError):
        extras["package"] = draw(st.text(max_size=3))
    elif issubclass(cls, RestoredError):
        extras["stored"] = SerializedError(
            "X", "m", category=draw(st.sampled_from(ErrorCategory)), quota=draw(st.booleans())
        )
    return cls(draw(st.text(max_size=8)), draw(contexts), **extras)


@given(library_errors())
def test_every_error_pickles_and_copies_to_an_equal_one(error):
    for again in (
        pickle.loads(pickle.dumps(error)),
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert again is not error
        assert type(again) is type(error)
        assert again == error
        assert hash(again) == hash(error)
        assert (str(again), again.args) == (str(error), error.args)
        assert again.timestamp == error.timestamp
        assert again.category is error.category
        assert again.to_json() == error.to_json()


@given(library_errors())
def test_classify_and_category_never_disagree(error):
    verdict = classify(error)
    assert (verdict.category, verdict.reason) == (error.category, error.reason)
    assert (verdict.network_type, verdict.quota) == (error.network_type, error.quota)


def test_errors_differ_by_class_message_context_and_attributes():
    error = DriftError("x", ErrorContext(attempt=1), types=["a"])
    assert error == DriftError("x", ErrorContext(attempt=1), types=["a"])
    assert error != DriftError("y", ErrorContext(attempt=1), types=["a"])
    assert error != DriftError("x", ErrorContext(attempt=2), types=["a"])
    assert error != DriftError("x", ErrorContext(attempt=1), types=["b"])
    assert error != ContentError("x", ErrorContext(attempt=1))
    assert GuardrailError("x") != FatalGuardrailError("x")
    assert error != "x"
    assert len({error, copy.copy(error), DriftError("y")}) == 2


def test_an_error_pickles_though_its_parts_do_not():
    class Unbuildable(Exception):
        def __init__(self, *, needed):
            super().__init__("lost in transit")

    inner = Unbuildable(needed=1)
    lock = threading.Lock()
    error = AllStreamsExhaustedError("all", ErrorContext(meta={"lock": lock}), errors=[inner])

    again = pickle.loads(pickle.dumps(error))

    assert isinstance(again.last_error, RestoredError)
    assert (again.last_error.name, str(again.last_error)) == ("Unbuildable", "lost in transit")
    assert again.context.meta["lock"].startswith("<unlocked")
    without_lock = AllStreamsExhaustedError("all", errors=[inner])
    assert pickle.loads(pickle.dumps(without_lock)) == without_lock
    assert copy.deepcopy(without_lock).last_error is inner


def test_a_deep_copy_shares_nothing_that_changes():
    error = ProviderError("x", ErrorContext(meta={"a": [1]}), body={"b": [2]})
    again = copy.deepcopy(error)
    again.body["b"].append(3)
    again.context.meta["a"].append(3)
    assert (error.body, error.context.meta) == ({"b": [2]}, {"a": [1]})


def test_notes_and_attributes_added_later_survive_copies():
    error = NetworkError("x")
    error.add_note("attempts: 3")
    error.run = "s-1"
    again = pickle.loads(pickle.dumps(error))
    assert (again.__notes__, again.run) == (["attempts: 3"], "s-1")


class LocalError(NetworkError):
    """A user's subclass with arguments of its own."""

    def __init__(self, host):
        super().__init__(f"{host} is gone", type="econnreset")
        self.host = host


def test_a_subclass_with_its_own_arguments_copies_too():
    error = LocalError("example.org")
    again = pickle.loads(pickle.dumps(error))
    assert again == error
    assert again.host == "example.org"
    assert classify(again).network_type == "econnreset"
