"""Whatever an exception's attributes do, asking about it never fails."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from l0.errors import (
    ErrorCategory,
    FailureType,
    ProviderError,
    analyze_network_error,
    classify,
    failure_type,
    is_retryable_error,
    retry_after,
    serialize_error,
)

NAMES = [
    "status_code",
    "status",
    "response",
    "body",
    "type",
    "code",
    "headers",
    "retry_after",
    "error",
    "__module__",
]


class Trap:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __bool__ = __iter__ = __str__
    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("incomparable")


class Hostile(Exception):
    """Every attribute raises, the built-in ones included."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Wordless(Exception):
    """Its text is no text."""

    def __str__(self):
        return 42  # noqa: PLE0307  (that is the point)


class HostileMapping(dict):
    def get(self, *_):
        raise KeyError("no")

    items = __iter__ = get


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8)
    | st.sampled_from([429, 503, 400, "overloaded_error", "insufficient_quota", "nan", "-1"])
    | st.builds(Trap)
    | st.builds(HostileMapping)
    | st.just(lambda: None),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "details", "Retry-After"]), inner, max_size=3)
        | st.builds(lambda **kw: type("Thing", (), kw)(), error=inner, headers=inner, code=inner)
    ),
    max_leaves=8,
)


@st.composite
def strange_errors(draw, depth=2):
    kind = draw(st.sampled_from([Exception, ValueError, OSError, KeyError, Hostile, Wordless]))
    if kind is Hostile:
        return kind()
    module = draw(st.sampled_from(["openai", "httpx2", "builtins", "", "a.b", "shop"]))
    name = draw(st.sampled_from(["APIError", "ConnectError", "RateLimitError", "Odd"]))
    attributes = {"__module__": module}
    for attribute in draw(st.lists(st.sampled_from(NAMES[:-1]), max_size=3)):
        attributes[attribute] = draw(values)
    for attribute in draw(st.lists(st.sampled_from(NAMES[:-1]), max_size=1)):
        attributes[attribute] = property(lambda _self: 1 / 0)
    error = type(name, (kind,), attributes)(*draw(st.lists(values, max_size=3)))
    if depth and draw(st.booleans()):
        error.__cause__ = draw(strange_errors(depth=depth - 1))
    if depth and draw(st.booleans()):
        error.__context__ = draw(strange_errors(depth=depth - 1) | st.just(error))
        error.__suppress_context__ = False
    return error


@given(strange_errors())
def test_asking_never_raises(error):
    verdict = classify(error)
    assert verdict.category in ErrorCategory
    assert verdict == classify(error)
    assert verdict.status is None or 400 <= verdict.status <= 599
    assert is_retryable_error(error) is verdict.retryable
    assert failure_type(error) in FailureType
    wait = retry_after(error, now=0.0)
    assert wait is None or wait >= 0
    analysis = analyze_network_error(error)
    json.dumps(analysis.context, allow_nan=False)
    stored = serialize_error(error)
    assert stored.category is verdict.category


@given(values)
def test_a_provider_error_with_any_body_can_be_asked_and_told(body):
    error = ProviderError("x", body=body)
    assert error.category is classify(error).category
    json.dumps(error.to_json(), allow_nan=False).encode()


def test_an_error_that_refuses_everything_is_the_models_fault():
    assert classify(Hostile()).category == "model"
    assert serialize_error(Hostile()).message == "<Hostile>"


def test_a_very_wide_and_deep_group_ends_soon():
    group: Exception = ValueError("x")
    for _ in range(200):
        group = ExceptionGroup("g", [group, ValueError("y")])
    wide = ExceptionGroup("wide", [ValueError(str(i)) for i in range(100_000)])
    assert classify(group).category == classify(wide).category == "model"
