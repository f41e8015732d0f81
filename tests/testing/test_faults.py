"""The vocabulary of faults: its spelling, its mistakes, and the script of `--chaos`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.testing import _faults as faults
from l0.testing._faults import Fault, list_faults, parse_faults
from l0.testing._reply import Reply, chaos_replies

POSITIONS = st.integers(0, 10**6)
SECONDS = st.floats(0, 10**6, allow_nan=False)
ANY_FAULT = st.one_of(
    *(
        st.builds(make, POSITIONS)
        for make in (
            faults.drop,
            faults.cut,
            faults.reset,
            faults.eof,
            faults.failed,
            faults.garbage,
            faults.length,
            faults.tool_cut,
        )
    ),
    *(st.builds(make, POSITIONS, SECONDS) for make in (faults.stall, faults.stall_alive)),
    *(st.builds(make, SECONDS) for make in (faults.slow, faults.slow_first, faults.slow_headers)),
    *(
        st.just(make())
        for make in (
            faults.quota,
            faults.empty,
            faults.no_text,
            faults.tool_garbage,
            faults.no_finish_usage,
            faults.no_resume,
        )
    ),
    st.builds(faults.error, POSITIONS, st.none() | st.from_regex(r"[a-z_]{1,20}", fullmatch=True)),
    st.builds(faults.split, st.none() | st.integers(1, 999)),
    st.builds(faults.status, st.integers(400, 599), st.none() | SECONDS),
    st.builds(
        faults.status,
        st.integers(400, 599),
        error_code=st.none() | st.from_regex(r"[a-z_]{1,20}", fullmatch=True),
    ),
)


@given(st.lists(ANY_FAULT, max_size=5))
def test_a_fault_reads_back_from_its_own_spelling(many: list[Fault]) -> None:
    assert parse_faults(",".join(map(str, many))) == many


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop@40", faults.drop(40)),
        (" stall@2 ", faults.stall(2)),
        ("stall@2(0.5)", faults.stall(2, 0.5)),
        ("STALL-ALIVE@2( 3 )", faults.stall_alive(2, 3)),
        ("429", faults.status(429)),
        ("429(7)", faults.status(429, retry_after=7)),
        ("400(context_length_exceeded)", faults.status(400, error_code="context_length_exceeded")),
        ("quota", faults.quota()),
        ("error@3(overloaded_error)", faults.error(3, "overloaded_error")),
        ("split", faults.split()),
        ("split(3)", faults.split(3)),
        ("slow(0.2)", faults.slow(0.2)),
        ("empty", faults.empty()),
    ],
)
def test_faults_are_spelled_like_this(text: str, fault: Fault) -> None:
    assert parse_faults(text) == [fault]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dorp@40", r"unknown fault 'dorp@40'; did you mean drop@40\?"),
        ("drop@40,stal@3", r"unknown fault 'stal@3'; did you mean stall@40\?"),
        ("xyzzy", r"unknown fault 'xyzzy'; the known ones are 429, quota, drop@40, "),
        ("drop 40", "unknown fault 'drop 40'; did you mean drop@40"),
        ("status", "unknown fault 'status'"),
        ("drop", "'drop' needs a position in tokens, as in drop@40"),
        ("empty@3", "empty has no position; write empty"),
        ("429@3", "a status replaces the answer; leave out @3"),
        ("drop@3(2)", r"drop takes nothing in brackets; write drop@40"),
        ("slow", r"'slow' needs seconds in brackets, as in slow\(0.2\)"),
        ("stall@3(soon)", "'soon' isn't a number of seconds"),
        ("stall@3(-1)", "stall takes a number of seconds, 0 or more, not -1"),
        ("slow(inf)", "slow takes a number of seconds, 0 or more, not inf"),
        ("split(x)", r"split takes a number of bytes, as in split\(3\)"),
        ("split(0)", "packets of 1 byte or more, not 0"),
        ("200", "a number from 400 to 599, not 200"),
    ],
)
def test_a_misspelled_fault_says_what_to_write_instead(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_faults(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: faults.drop(-1),
        lambda: faults.stall(-1),
        lambda: faults.stall(3, float("nan")),
        lambda: faults.status(200),
        lambda: faults.status(429, retry_after=-1),
        lambda: faults.split(0),
    ],
)
def test_a_fault_that_cannot_be_is_refused_when_it_is_made(make) -> None:
    with pytest.raises(ValueError):
        make()


def test_every_listed_spelling_is_a_fault_and_says_what_happens() -> None:
    rows = list_faults()
    assert len(rows) == len(dict(rows)) >= 20
    for spelling, about in rows:
        (fault,) = parse_faults(spelling)
        assert str(fault).split("(")[0] == spelling.split("(")[0]
        assert 5 < len(about) < 80


def test_no_text_is_no_fault() -> None:
    assert parse_faults("") == parse_faults(" , ,") == []


def test_chaos_hits_one_request_after_the_other() -> None:
    replies = chaos_replies("drop@40, 429(7)", reply=Reply("Hi", tokens_per_second=50))
    assert replies == [
        Reply("Hi", tokens_per_second=50, faults=[faults.drop(40)]),
        Reply("Hi", tokens_per_second=50, faults=[faults.status(429, 7)]),
    ]


def test_chaos_without_faults_is_no_chaos() -> None:
    assert chaos_replies("") == []


def test_spelled_and_built_faults_may_stand_in_one_list():
    assert Reply("x", faults=["drop@1,split", faults.no_resume()]).fault_list == (
        *parse_faults("drop@1,split"),
        faults.no_resume(),
    )
    with pytest.raises(ValueError, match="did you mean drop@40"):
        Reply("x", faults=["drp@1"])
