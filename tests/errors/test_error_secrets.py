"""Secrets are recognised by shape or name; ordinary text is left as it is."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.errors import Error, ErrorContext
from l0.errors._secret_shapes import REPLACEMENT, SHAPES, shapes_in
from l0.errors._secrets import (
    SECRET_KEYS,
    is_secret_key,
    redact_text,
    redacted,
)

RANDOM = random.Random(7)


def token(length, alphabet=string.ascii_letters + string.digits):
    return "".join(RANDOM.choice(alphabet) for _ in range(length))


URL_SAFE = string.ascii_letters + string.digits + "-_"
PEM = "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1g"
SECRETS = [
    "sk-" + token(48),
    "sk-" + token(32, string.hexdigits.lower()),
    "sk-proj-" + token(120, URL_SAFE),
    "sk-ant-api03-" + token(90, URL_SAFE) + "AA",
    "sk-ant-secretsecretsecret",
    "sk-or-v1-" + token(64, string.hexdigits.lower()),
    "sk-abcdefghijklmnopqrstuvwxyz",
    "sk-1234567890abcdef",
    "AKIA" + token(16, string.ascii_uppercase + string.digits),
    "ghp_" + token(36),
    "gho_" + token(36),
    "github_pat_" + token(22) + "_" + token(59),
    "xoxb-123456789012-1234567890123-" + token(24),
    "xoxp-1234567890-abc",
    "AIza" + token(35, URL_SAFE),
    JWT,
    PEM.format(token(64) + "\n" + token(64)),
    PEM.format(token(64)).replace("\n", "\\n"),
    PEM.replace("RSA ", "").format(token(64)),
    PEM.replace("RSA ", "OPENSSH ").format(token(64)),
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: s[:14])
@pytest.mark.parametrize(
    "text", ["{}", "key={}", "({}),", "'{}'", '{{"k": "{}"}}', "https://x/?k={}&a=1", "x\n{}\ny"]
)
def test_a_secret_goes_wholly_and_nothing_else_does(secret, text):
    assert redact_text(text.format(secret)) == text.format(REPLACEMENT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bearer abcdef0123456789", "Bearer [redacted]"),
        ("bearer " + "q" * 30, "bearer [redacted]"),
        ("Authorization: Bearer abc", "Authorization: [redacted]"),
        ("authorization: Basic YWRhOjEyMw==", "authorization: [redacted]"),
        ("{'Authorization': 'Bearer abc'}", "{'Authorization': '[redacted]'}"),
        ('{"authorization":"Basic abc"}', '{"authorization":"[redacted]"}'),
        ("[(b'authorization', b'Bearer abc')]", "[(b'authorization', b'[redacted]')]"),
        ("postgres://ada:love@db/x", "postgres://[redacted]@db/x"),
        ("redis://:hunter2@db:6379", "redis://[redacted]@db:6379"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE cut", "[redacted]"),
    ],
)
def test_what_stands_around_a_secret_stays(text, expected):
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn",
        "sk-learn-contrib-imbalanced-classification-methods",
        "sk-learn-1-2-release-notes",
        "task-force",
        "a task-force-member-of-the-united-nations-2024",
        "risk-assessment-of-internationalization",
        "desk-" + "a1" * 20,
        "sk-1234",
        "bearer of good news",
        "the bearer authentication scheme",
        "Bearer YOUR_TOKEN",
        "Authorization: required for all calls",
        "http://localhost:8080/path",
        "https://example.org/a:b@c",
        "see https://example.org, then ask me@example.org: now",
        '{"a": "http://x:8080", "b": "c@d"}',
        "AKIA is a prefix",
        "ghp_short",
        "xoxo-hugs-and-kisses-forever",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOi... and so on. Really.",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "12:30:45 it failed @ line 3",
        "",
    ],
)
def test_ordinary_text_stays(text):
    assert redact_text(text) == text


def test_identifiers_hashes_and_base64_stay():
    for _ in range(500):
        data = RANDOM.randbytes(60)
        text = " ".join(
            [
                str(uuid.UUID(bytes=data[:16])),
                hashlib.sha256(data).hexdigest(),
                hashlib.sha1(data, usedforsecurity=False).hexdigest(),
                base64.b64encode(data).decode(),
                base64.urlsafe_b64encode(data).decode(),
                f"chatcmpl-{token(29)} msg_{token(24)} req_{token(24)} resp_{token(48)}",
            ]
        )
        assert redact_text(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text):
    once = redact_text(text)
    assert redact_text(once) == once


@given(
    st.lists(st.sampled_from([*SECRETS, "Bearer ", "a:b@c", " ", "://", "text", "."]), max_size=6)
)
def test_no_mixture_lets_a_secret_through(parts):
    text = redact_text(" ".join(parts))
    assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize(
    "unit",
    [
        "sk-",
        "-sk-",
        "eyJa",
        "-eyJ",
        "eyJaaaaaaaaaa.",
        "://",
        "://a:",
        "xoxb-",
        "Bearer ",
        "a-",
        "bearer\n.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "ghp_",
        "AIza",
        "authorization: ",
    ],
)
def test_no_text_makes_redaction_slow(unit):
    def cost(length):
        text = unit * (length // len(unit))
        started = time.process_time()
        redact_text(text)
        return time.process_time() - started

    short = min(cost(20_000) for _ in range(3))
    assert cost(200_000) < 40 * short + 0.05, "ten times the text should cost about ten times"


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_a_secret_name_is_known_in_every_spelling(key):
    for spelling in (key, key.upper(), key.replace("_", "-"), key.title().replace("_", "-")):
        assert is_secret_key(spelling)
        assert redacted({spelling: "short"}) == {spelling: REPLACEMENT}
    assert is_secret_key(key.replace("_", ""))


@pytest.mark.parametrize(
    "key", ["token", "tokens", "key", "passwords_total", "secretary", "", "id"]
)
def test_other_names_are_not_secret(key):
    assert not is_secret_key(key)


def test_nothing_is_hidden_where_nothing_is_set():
    assert redacted({"api_key": None, "a": (1, True, 2.5, None)}) == {
        "api_key": None,
        "a": [1, True, 2.5, None],
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(plain)
def test_every_value_becomes_json_in_utf8(value):
    json.dumps(redacted(value), allow_nan=False, ensure_ascii=False).encode("utf-8")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="abc ", max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abc"), inner),
        max_leaves=10,
    )
)
def test_values_without_secrets_stay_equal(value):
    assert redacted(value) == value


def test_lone_surrogates_are_escaped():
    assert redacted("a\ud800b") == "a\\ud800b"


@given(st.lists(st.sampled_from([*SECRETS, "bEaReR abcdef0123456789", "x"]), max_size=3))
def test_the_quick_look_never_passes_over_a_secret(parts):
    text = "".join(part + " " for part in parts)
    told = shapes_in(text.casefold())
    for shape in SHAPES.values():
        assert not [*shape.spans(text)] or shape in told
    assert shapes_in("plain words, nothing else") == []


def test_a_pattern_matches_the_secret_alone():
    text = "https://ada:love@host"
    assert [text[slice(*span)] for span in SHAPES["url"].spans(text)] == ["ada:love"]


def test_the_keys_in_the_environment_are_in_no_errors_story(monkeypatch):
    """A gateway's key has no shape of its own, and often stands in its error."""
    key = "3f9d0c/Zürich+token"
    monkeypatch.setenv("MISTRAL_API_KEY", f" {key}\n")
    monkeypatch.setenv("GROQ_API_KEY", "short")
    error = Error(f"401: {key} is not known, in short", ErrorContext(meta={"said": [key]}))
    assert key not in json.dumps(error.to_json(), ensure_ascii=False)
    assert key not in error.to_detailed_string()
    assert "in short" in error.to_detailed_string()
    monkeypatch.delenv("MISTRAL_API_KEY")
    assert key in error.to_detailed_string()
