"""What several calls agree on: strategies, conflicts, numbers, who said what."""

from __future__ import annotations

import asyncio
import copy
import pickle
from dataclasses import dataclass

import pydantic  # noqa: TID253  a schema of the tests
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.compose import (
    BEST_CONSENSUS,
    LENIENT_CONSENSUS,
    STRICT_CONSENSUS,
    ConsensusPreset,
    NoConsensusError,
    consensus,
    get_consensus_value,
    quick_consensus,
    similarity,
    validate_consensus,
)


def says(*values):
    """One task a value; an exception is raised."""

    def task(value):
        async def run():
            if isinstance(value, BaseException):
                raise value
            return value

        return run

    return [task(value) for value in values]


BROKEN = ValueError("broken")

# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        ([], {}, "No tasks provided"),
        (says("a"), {}, "At least 2 tasks"),
        (says("a", "b"), {"strategy": "loudest"}, "Unknown strategy 'loudest'; there are unan"),
        (says("a", "b"), {"resolve_conflicts": "duel"}, "Unknown conflict resolution 'duel'"),
        (says("a", "b"), {"preset": "sloppy"}, "Unknown preset 'sloppy'; there are strict"),
        (says("a", "b"), {"threshold": 1.1}, "threshold is a share from 0 to 1, not 1.1"),
        (says("a", "b"), {"minimum_agreement": -1}, "minimum_agreement is a share from 0 to 1"),
        (says("a", "b"), {"weights": [1]}, "weights are one a task: 2 numbers, not 1"),
        (says("a", "b"), {"weights": [1, -1]}, "a weight is a number, 0 or more; not -1"),
        (says("a", "b"), {"weights": [1, float("nan")]}, "a weight is a number"),
        (says("a", "b"), {"weights": [0, 0]}, "weights are all 0"),
        (says("a", "b"), {"weights": [1e308, 1e308]}, "weights add up to more than a float holds"),
        (says("a", "b"), {"timeout": 0}, "timeout is a number of seconds above 0"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_starts(tasks, options, message):
    events = []
    with pytest.raises(ValueError, match=message):
        await consensus(tasks, on_event=events.append, **options)
    assert events == []


async def test_what_is_no_task_is_refused():
    with pytest.raises(TypeError, match=r"tasks\[1\]"):
        await consensus([*says("a"), "b"])
    with pytest.raises(TypeError, match="preset is a ConsensusPreset or the name of one"):
        await consensus(says("a", "b"), preset=3)


# --- strategies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [("42", "43"), ("42", "42", "43"), (42, 43), ({"answer": 42}, {"answer": 43})],
)
@pytest.mark.parametrize("threshold", [0, 0.5, 0.8, 1])
async def test_s79_42_and_43_are_never_unanimous(values, threshold):
    """However near: two whole numbers are the same answer or they are not."""
    with pytest.raises(NoConsensusError, match="No unanimous consensus"):
        await consensus(says(*values), strategy="unanimous", threshold=threshold)


async def test_unanimous_is_every_pair_alike_and_no_failure():
    long = "The capital of France is Paris, on the Seine."
    result = await consensus(says(long, long + "!", " " + long), strategy="unanimous")
    assert (result.consensus, result.selected_index, result.status) == (long, 0, "success")
    with pytest.raises(NoConsensusError, match="No unanimous consensus: 1 of 3 tasks failed"):
        await consensus(says("a", "a", BROKEN), strategy="unanimous")


async def test_a_chain_of_likeness_is_not_unanimous():
    """The first is like the second and the second like the third; the ends are strangers."""
    a, b, c = ("abcdefghij" * 3 + tail for tail in ("", "k" * 9, "k" * 18))
    assert similarity(a, b) > 0.8 < similarity(b, c)
    assert similarity(a, c) < 0.8
    with pytest.raises(NoConsensusError):
        await consensus(says(a, b, c), strategy="unanimous")


async def test_the_majority_is_the_largest_group_and_gives_its_most_frequent_value():
    result = await consensus(says("Bergen", "Oslo", "Oslo"))
    assert (result.consensus, result.selected_index, result.status) == ("Oslo", 1, "success")
    assert result.analysis.agreement_ratio == pytest.approx(2 / 3)
    near = [
        "The answer is a red apple.",
        "The answer is a red apple!",
        "The answer is a red apple!",
    ]
    result = await consensus(says(*near))
    assert result.consensus == near[1]
    assert result.analysis.identical == 2


async def test_weights_decide_where_the_strategy_says_so():
    values, weights = says("a", "a", "b"), [1, 1, 5]
    by_weight = await consensus(values, strategy="weighted", weights=weights)
    assert by_weight.consensus == "b"
    assert by_weight.analysis.agreement_ratio == pytest.approx(5 / 7)
    assert (await consensus(values, strategy="majority", weights=weights)).consensus == "a"
    assert (await consensus(values, strategy="best", weights=weights)).consensus == "b"


async def test_best_is_the_first_success_and_stands_however_few_agree():
    result = await consensus(says(BROKEN, "first", "x", "x", "x"), strategy="best")
    assert (result.consensus, result.selected_index, result.status) == ("first", 1, "partial")
    assert result.analysis.agreement_ratio == pytest.approx(1 / 5)
    with pytest.raises(NoConsensusError, match="No majority consensus"):
        await consensus(says("a", "b", "c"), strategy="best", resolve_conflicts="fail")


async def test_ties_go_to_the_lowest_index():
    for values in (("b", "a"), ("a", "b"), ("c", "b", "a", "b", "c")):
        for strategy in ("majority", "weighted", "best"):
            result = await consensus(says(*values), strategy=strategy, minimum_agreement=0.4)
            assert result.consensus == values[0]


# --- conflicts --------------------------------------------------------------------------------


async def test_s79_below_the_minimum_disagreements_are_listed():
    result = await consensus(says("a", "b", "a", "c", "b"))
    assert result.status == "partial"
    assert result.consensus == "a"
    (one,) = result.disagreements
    assert (one.path, one.severity, one.agreement) == ("", "major", 0.4)
    assert [(vote.value, vote.count, vote.indices) for vote in one.votes] == [
        *(("a", 2, (0, 2)), ("b", 2, (1, 4)), ("c", 1, (3,))),
    ]
    assert [(a.value, a.count, a.indices, a.exact) for a in result.agreements] == [
        ("a", 2, (0, 2), True)
    ]
    assert result.analysis.resolution == "vote"


async def test_fail_raises_with_everything_that_was_said():
    with pytest.raises(NoConsensusError, match="No majority consensus") as caught:
        await consensus(says("a", "b", "c", BROKEN), resolve_conflicts="fail")
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.result.status == "failed"
    assert error.result.consensus is None
    assert [output.value for output in error.result.outputs] == ["a", "b", "c", None]
    assert error.result.disagreements[0].severity == "critical"
    assert "1 of 4 tasks failed" in str(error)
    assert error.__cause__.exceptions == (BROKEN,)


PEOPLE = (
    {"name": "Ada", "born": 1815, "tags": ["maths"], "at": {"city": "London", "zip": "W1"}},
    {"name": "Ada", "born": 1816, "tags": ["maths", "code"], "at": {"city": "London"}},
    {"name": "Eva", "born": 1816, "tags": ["code"], "at": {"city": "Paris"}},
)


async def test_a_vote_takes_the_most_frequent_value_of_each_field():
    result = await consensus(says(*PEOPLE), minimum_agreement=0.9)
    assert result.consensus == {
        "name": "Ada",
        "born": 1816,
        "tags": ["maths"],
        "at": {"city": "London"},
    }
    assert (result.type, result.status, result.selected_index) == ("structured", "partial", None)


async def test_a_vote_goes_into_what_most_have_and_leaves_out_what_most_lack():
    """Two of three have an address; they differ in it, and that is voted on, too."""
    result = await consensus(
        says(
            {"at": {"city": "Oslo", "zip": "1"}, "a": 1},
            {"at": {"city": "Oslo", "zip": "2"}, "b": 2},
            {"c": 3},
        ),
        minimum_agreement=1,
    )
    assert result.consensus == {"at": {"city": "Oslo", "zip": "1"}}


async def test_a_merge_keeps_everything_anybody_said():
    result = await consensus(says(*PEOPLE), minimum_agreement=0.9, resolve_conflicts="merge")
    assert result.consensus == {
        "name": "Ada | Eva",
        "born": 1816,
        "tags": ["maths", "code"],
        "at": {"city": "London | Paris", "zip": "W1"},
    }


@pytest.mark.parametrize(
    ("values", "merged"),
    [
        (("b", "a", "b "), "b | a"),
        (([1, 2], [2, {"x": 1}], [{"x": 1.0}]), [1, 2, {"x": 1}]),
        ((None, "a"), "a"),
        ((1, 2, 2), 2),
        (("a", 1, 1), 1),
    ],
)
async def test_a_merge_of(values, merged):
    result = await consensus(says(*values), minimum_agreement=1, resolve_conflicts="merge")
    assert result.consensus == merged


async def test_best_as_a_resolution_takes_the_highest_weight():
    options = {"resolve_conflicts": "best", "minimum_agreement": 0.9}
    assert (await consensus(says("a", "b", "b"), weights=[1, 1, 2], **options)).selected_index == 2
    assert (await consensus(says("a", "b", "b"), **options)).consensus == "a"


async def test_fields_tell_who_said_what():
    result = await consensus(says(*PEOPLE), minimum_agreement=0.9)
    fields = result.field_consensus
    assert list(fields) == ["name", "born", "tags", "at.city", "at.zip"]
    assert fields["born"].value == 1816
    assert fields["born"].agreement == pytest.approx(2 / 3)
    assert [(v.value, v.indices) for v in fields["born"].votes] == [(1816, (1, 2)), (1815, (0,))]
    assert not fields["name"].unanimous
    absent, present = fields["at.zip"].votes
    assert (absent.missing, absent.indices, present.value) == (True, (1, 2), "W1")
    assert [each.path for each in result.disagreements] == [*fields]
    assert {each.severity for each in result.disagreements} == {"moderate", "critical"}
    assert "at.zip" not in {each.path for each in result.agreements}
    same = await consensus(says(PEOPLE[0], PEOPLE[0]))
    assert same.disagreements == ()
    assert all(field.unanimous for field in same.field_consensus.values())
    assert (await consensus(says("a", "b"))).field_consensus is None


@pytest.mark.parametrize(
    ("count", "severity"), [(8, "minor"), (6, "moderate"), (4, "major"), (3, "critical")]
)
async def test_severity_follows_from_the_share_of_the_largest_vote(count, severity):
    values = ["yes"] * count + [f"no {i}" for i in range(10 - count)]
    result = await consensus(says(*values), minimum_agreement=0)
    assert result.disagreements[0].severity == severity


async def test_confidence_is_similarity_times_agreement_less_serious_disagreements():
    result = await consensus(says("yes", "yes", "no"))
    assert result.confidence == pytest.approx((1 / 3) * (2 / 3))
    assert result.analysis.average_similarity == pytest.approx(1 / 3)
    assert (result.analysis.min_similarity, result.analysis.max_similarity) == (0, 1)
    assert result.analysis.similarity_matrix == ((1, 1, 0), (1, 1, 0), (0, 0, 1))
    result = await consensus(says("42", "43", "43", "44", "45"), minimum_agreement=0.4)
    mean = result.analysis.average_similarity
    assert result.confidence == pytest.approx(mean * 0.4 - 0.1)  # one major disagreement
    assert (await consensus(says("a", "b", "c"))).confidence == 0
    assert (await consensus(says("a", "a"))).confidence == 1


async def test_a_failed_task_counts_against_the_agreement():
    result = await consensus(says("a", BROKEN, BROKEN))
    assert (result.consensus, result.status) == ("a", "partial")
    assert result.analysis.agreement_ratio == pytest.approx(1 / 3)
    assert result.confidence == pytest.approx(1 / 3)
    assert (result.analysis.succeeded, result.analysis.failed) == (1, 2)
    assert (await consensus(says("a", "a", BROKEN))).status == "success"


# --- presets ----------------------------------------------------------------------------------


async def test_presets_are_values_that_arguments_win_over():
    assert ConsensusPreset("unanimous", 1.0, "fail", 1.0) == STRICT_CONSENSUS
    assert ConsensusPreset("majority", 0.7, "merge", 0.5) == LENIENT_CONSENSUS
    assert ConsensusPreset("best", 0.8, "best", 0.5) == BEST_CONSENSUS
    with pytest.raises(NoConsensusError, match="No unanimous"):
        await consensus(says("a", "a", "b"), preset="strict")
    merged = await consensus(says("a", "b", "c"), preset=LENIENT_CONSENSUS)
    assert merged.consensus == "a | b | c"
    assert (await consensus(says("a", "b", "b"), preset="best")).consensus == "a"
    assert (
        await consensus(says("a", "b", "b"), preset="best", strategy="majority")
    ).consensus == "b"
    assert (await consensus(says("a", "a"), preset="standard")).analysis.strategy == "majority"


# --- values of every kind ---------------------------------------------------------------------


class Person(pydantic.BaseModel):
    name: str
    born: int


@dataclass
class Place:
    name: str


async def test_a_value_of_a_class_stays_one_of_those_that_were_given():
    people = [Person(name="Ada", born=1815), Person(name="Ada", born=1816)]
    result = await consensus(says(*people, Person(name="Eva", born=1816)), minimum_agreement=0.9)
    assert result.consensus is result.outputs[result.selected_index].value
    assert result.type == "structured"
    places = await consensus(says(Place("Oslo"), Place("Oslo"), Place("Rome")))
    assert places.consensus == Place("Oslo")
    with pytest.raises(NoConsensusError):
        await consensus(says(Place("Oslo"), Place("Rome")), strategy="unanimous")


async def test_s79_inputs_are_never_mutated_and_never_shared():
    values = [copy.deepcopy(person) for person in PEOPLE]
    before = copy.deepcopy(values)
    for method in ("vote", "merge", "best"):
        result = await consensus(says(*values), minimum_agreement=0.9, resolve_conflicts=method)
        assert values == before
        if result.selected_index is None:
            result.consensus["tags"].append("mine")
            result.consensus["at"]["city"] = "mine"
    assert values == before


JSON = st.recursive(
    st.sampled_from(["a", "b", "42", "43"]) | st.integers(0, 3) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    values=st.lists(JSON | st.just(BROKEN), min_size=2, max_size=5),
    strategy=st.sampled_from(["unanimous", "majority", "weighted", "best"]),
    resolve=st.sampled_from(["vote", "merge", "best", "fail"]),
    weights=st.lists(st.integers(1, 3), min_size=5, max_size=5),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_the_result_keeps_its_promises(values, strategy, resolve, weights):
    """The same again, nothing changed, every output accounted for, numbers within bounds."""
    before = copy.deepcopy([value for value in values if value is not BROKEN])

    def ask():
        return asyncio.run(
            consensus(
                says(*values),
                strategy=strategy,
                resolve_conflicts=resolve,
                weights=weights[: len(values)],
            )
        )

    try:
        result = ask()
    except NoConsensusError as error:
        result = error.result
        assert strategy == "unanimous" or resolve == "fail" or not result.analysis.succeeded
        assert (result.status, result.consensus) == ("failed", None)
    else:
        again = ask()
        assert (again.consensus, again.confidence) == (result.consensus, result.confidence)
        assert (again.agreements, again.disagreements) == (result.agreements, result.disagreements)
        if result.selected_index is not None:
            assert result.consensus is result.outputs[result.selected_index].value
    assert [value for value in values if value is not BROKEN] == before
    assert [output.success for output in result.outputs] == [
        value is not BROKEN for value in values
    ]
    assert 0 <= result.confidence <= 1
    assert 0 <= result.analysis.agreement_ratio <= 1 + 1e-9
    for each in result.disagreements:
        assert sum(vote.count for vote in each.votes) == result.analysis.succeeded
        assert each.agreement == each.votes[0].count / result.analysis.succeeded


# --- without calls ----------------------------------------------------------------------------


def test_quick_consensus_counts_values_that_are_the_same():
    assert quick_consensus(["a", "a", "a", "a", "b"])
    assert not quick_consensus(["a", "a", "a", "b", "b"])
    assert quick_consensus([{"a": 1, "b": 2}, {"b": 2, "a": 1.0}], 1)
    assert not quick_consensus([True, 1], 1)
    assert not quick_consensus([])


def test_the_consensus_value_is_the_most_frequent():
    assert get_consensus_value(["b", "a", "a", "b"]) == "b"
    assert get_consensus_value([1, True, True]) is True
    with pytest.raises(ValueError, match="No outputs provided"):
        get_consensus_value([])


async def test_validation_judges_confidence_and_disagreements():
    sure = await consensus(says("a", "a"))
    assert validate_consensus(sure)
    unsure = await consensus(says("a", "a", "b"))
    assert not validate_consensus(unsure)
    assert not validate_consensus(unsure, min_confidence=0.1)
    assert validate_consensus(unsure, min_confidence=0.1, max_disagreements=1)
    with pytest.raises(NoConsensusError) as caught:
        await consensus(says("a", "b"), strategy="unanimous")
    assert not validate_consensus(caught.value.result, 0, 9)


async def test_the_error_survives_pickling_and_says_what_to_do():
    with pytest.raises(NoConsensusError) as caught:
        await consensus(says("a", "b"), strategy="unanimous")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert "what to do: See `result.disagreements`" in caught.value.to_detailed_string()
