"""Classification by text, asked last: whole phrases tell, their false friends don't."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from l0.errors import classify

TELLING = [
    ("connection reset", "network", "econnreset"),
    ("[Errno 104] Connection reset by peer", "network", "econnreset"),
    ("connection refused", "network", "econnrefused"),
    ("connection aborted.", "network", "connection_dropped"),
    ("the connection closed", "network", "connection_dropped"),
    ("connection dropped", "network", "connection_dropped"),
    ("connection lost", "network", "connection_dropped"),
    ("connection timed out", "network", "timeout"),
    ("connection timeout", "network", "timeout"),
    ("The read operation timed out", "network", "timeout"),
    ("broken pipe", "network", "connection_dropped"),
    ("network unreachable", "network", "fetch_error"),
    ("Network is unreachable", "network", "fetch_error"),
    ("host is unreachable", "network", "fetch_error"),
    ("ssl error", "network", "connection_dropped"),
    ("SSL failed", "network", "connection_dropped"),
    ("certificate verify failed: unable to get issuer", "network", "ssl_error"),
    ("socket error", "network", "connection_dropped"),
    ("dns error", "network", "dns_error"),
    ("DNS failed", "network", "dns_error"),
    ("network error", "network", "unknown"),
    ("Temporary failure in name resolution", "network", "dns_error"),
    ("EOF occurred in violation of protocol", "network", "connection_dropped"),
    ("Server disconnected", "network", "connection_dropped"),
    ("SSE stream aborted", "network", "sse_aborted"),
    ("sse stream closed", "network", "sse_aborted"),
    ("incomplete read (3 of 10)", "network", "partial_chunks"),
    ("worker killed", "network", "runtime_killed"),
    ("runtime terminated", "network", "runtime_killed"),
    ("the function was terminated", "network", "runtime_killed"),
    ("background throttled", "network", "background_throttle"),
    ("rate limit exceeded", "transient", None),
    ("Rate limit reached for gpt-x", "transient", None),
    ("429 Too Many Requests", "transient", None),
]
FALSE_FRIENDS = [
    "could not be processed",
    "uncertain",
    "assessment",
    "generate unlimited",
    "unlimited rate",
    "disconnection resets",
    "connectionreset",
    "reconnection reset",
    "connection resettable",
    "the timeout option is unknown",
    "timed outing",
    "a certain error",
    "possl error",
    "classl failed",
    "eof",
    "the network is fine, the error is yours",
    "limit exceeded",
    "closed",
    "",
]


@pytest.mark.parametrize(("text", "category", "network_type"), TELLING)
def test_a_telling_phrase_decides(text, category, network_type):
    verdict = classify(ValueError(text))
    assert (verdict.category, verdict.network_type) == (category, network_type)
    if category == "transient":
        assert verdict.reason == "rate_limit"


@pytest.mark.parametrize("text", FALSE_FRIENDS)
def test_s24_a_false_friend_stays_with_the_model(text):
    assert classify(ValueError(text)).category == "model"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1))
@example("connection")
def test_one_word_alone_never_tells(word):
    assert classify(ValueError(word)).category == "model"


@given(st.sampled_from(TELLING), st.sampled_from("abzABZ059_"))
def test_a_phrase_grown_into_other_words_tells_nothing_of_its_own(row, letter):
    phrase = row[0]
    grown = f"{letter}{phrase.replace(' ', letter)}{letter}"
    assert classify(ValueError(grown)).category == "model"


def test_only_the_beginning_of_an_endless_message_is_read():
    assert classify(ValueError("x" * 10_000_000 + " connection reset")).category == "model"
    assert classify(ValueError("connection reset " + "x" * 10_000_000)).category == "network"
