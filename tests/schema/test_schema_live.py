"""Data while it arrives: `structured_stream`, its partial values, restarts and end."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel  # noqa: TID253  a test needs models

import l0
from l0.errors import SchemaValidationError, StreamAbortedError
from l0.schema import Partial, StructuredStream, structured, structured_stream
from l0.stream import CheckIntervals, ContinuationConfig, Retry
from l0.testing import ScriptedModel, check_run, fail, hang

NOW = Retry(attempts=3, base_delay=0)
EACH = CheckIntervals(guardrails=1)
GONE = ConnectionResetError("gone")


class Item(BaseModel):
    id: int
    tags: list[str] = []


TEXT = '{"id": 12, "tags": ["first", "second one"]}'


async def partials_of(stream):
    """Every partial as it was when it was given."""
    return [
        Partial(copy.deepcopy(p.value), p.complete, p.restarted, p.raw_length) async for p in stream
    ]


# --- when it breaks ---------------------------------------------------------------------------


async def test_a_broken_stream_goes_on_from_its_broken_prefix():
    """With continuation: nothing is withdrawn, the value only grows, in the same object."""
    model = ScriptedModel(
        ['{"id": 12, ', '"tags": ["fir', fail(GONE)],
        ['st", ', '"second', fail(GONE)],
        [' one"]', "}"],
    )
    stream = structured_stream(
        Item,
        model,
        continuation=True,
        retry=NOW,
        check_intervals=EACH,
        on_event=(told := []).append,
    )
    seen, first = [], None
    async for partial in stream:
        first = partial.value if first is None else first
        seen.append(copy.deepcopy(partial.value))
        assert partial.complete or partial.value is first
        assert not partial.restarted
    assert seen == [
        {"id": 12},
        {"id": 12, "tags": ["fir"]},
        {"id": 12, "tags": ["first"]},
        {"id": 12, "tags": ["first", "second"]},
        {"id": 12, "tags": ["first", "second one"]},
        {"id": 12, "tags": ["first", "second one"]},
    ]
    done = await stream.validate()
    assert done.data == Item(id=12, tags=["first", "second one"])
    assert (done.corrected, done.raw, model.calls) == (False, TEXT, 3)
    assert [info.checkpoint for info in model.infos] == ["", TEXT[:24], TEXT[:36]]
    assert done.state.resumed
    check_run(told)


RECORDS = [{"x": 1, "ok": True}, {"x": 1, "ok": True}, {"x": 0, "ok": True}, {"x": 0, "ok": True}]
REPEATED = {
    "records": RECORDS,
    "digits": [5, 5, 6, 0, 0, 1, 0, 5, 6],
    "labels": ["pos", "pos", "neg", "neu", "neg", "neu"],
    "nested": {"rows": RECORDS, "end": "x"},
}


def words_before(text, at, count):
    """Where the word that many words before a place begins."""
    for _ in range(count):
        at = text.rfind(" ", 0, max(0, at - 1)) + 1
    return at


@pytest.mark.parametrize("early", [0, 3], ids=["exactly", "three words early"])
@pytest.mark.parametrize("name", REPEATED)
async def test_data_that_repeats_itself_is_never_taken_for_an_overlap(name, early):
    """Broken off anywhere, gone on from in either way: all of it comes back, once."""
    text = json.dumps(REPEATED[name])
    afresh = 0
    for cut in range(2, len(text) - 1):
        begin = words_before(text, cut, early)
        model = ScriptedModel([text[:cut], fail(GONE)], [text[begin:]], [text])
        done = await structured(object, model, continuation=True, retry=NOW)
        assert done.data == REPEATED[name], (text[:cut], text[begin:])
        afresh += model.calls == 3
    assert afresh < len(text) / (1 if early else 2)


async def test_where_an_overlap_may_have_been_data_the_attempt_is_made_anew():
    """The fault says where, and what to do about it."""
    texts = ['[{"x": 1}, ', '{"x": 1}, {"y": 2}]']
    model = ScriptedModel([texts[0], fail(GONE)], [texts[1]], ["".join(texts)])
    done = await structured(list, model, continuation=True, retry=NOW)
    assert done.data == [{"x": 1}, {"x": 1}, {"y": 2}]
    (fault,) = done.errors[1].errors
    assert fault.type == "ambiguous_continuation"
    assert "continued at character 11" in str(done.errors[1])
    assert "ContinuationConfig(deduplicate=False)" in str(done.errors[1])
    exactly = ScriptedModel([texts[0], fail(GONE)], [texts[1]])
    config = ContinuationConfig(deduplicate=False)
    assert (await structured(list, exactly, continuation=config, retry=NOW)).data == done.data


async def test_pieces_that_only_fit_after_a_repair_are_not_taken():
    """A repair may hide what the seam did; a fence or a comma too many is a habit."""
    model = ScriptedModel(['["', fail(GONE)], ['["one", "two"]'], ['["one", "two"]'])
    done = await structured(list[str], model, continuation=True, retry=NOW)
    assert (done.data, model.calls) == (["one", "two"], 3)
    assert "the pieces don't fit" in str(done.errors[1])
    model = ScriptedModel(["```json\n[1, ", fail(GONE)], ["2,]\n```"])
    done = await structured(list[int], model, continuation=True, retry=NOW)
    assert (done.data, model.calls) == ([1, 2], 2)


async def test_a_stream_that_breaks_behind_its_last_character_is_whole():
    """However the model goes on from there."""
    text = '[{"x": 1}, {"x": 2}]'
    for again in ([], ["\n"], [text]):
        model = ScriptedModel([text, fail(GONE)], again)
        done = await structured(list, model, continuation=True, retry=NOW, detect_zero_output=False)
        assert (done.data, model.calls) == ([{"x": 1}, {"x": 2}], 2)


async def test_a_repetition_that_can_only_be_an_overlap_is_none_of_the_data():
    """Inside a string, in the middle of a value, a key that stands there already."""
    for cut, again in (('{"a": "one two ', 'two three"}'), ('{"a": 1, "b"', '"b": 2}')):
        model = ScriptedModel([cut, fail(GONE)], [again])
        done = await structured(dict, model, continuation=True, retry=NOW)
        assert done.data in ({"a": "one two three"}, {"a": 1, "b": 2})
    model = ScriptedModel(['{"a": 1, "b": 2, ', fail(GONE)], ['"b": 2, "c": 3}'])
    done = await structured(dict, model, continuation=True, retry=NOW)
    assert (done.data, model.calls) == ({"a": 1, "b": 2, "c": 3}, 2)


async def test_without_continuation_a_broken_stream_starts_over():
    """The values begin anew, and say so once."""
    model = ScriptedModel(['{"id": 1', "2, ", fail(GONE)], ['{"id"', ": 12}"])
    seen = await partials_of(structured_stream(Item, model, retry=NOW, check_intervals=EACH))
    assert seen == [
        Partial({}, False, False, 8),
        Partial({"id": 12}, False, False, 11),
        Partial(None, False, True, 0),
        Partial({}, False, False, 5),
        Partial({"id": 12}, False, False, 10),
        Partial({"id": 12}, True, False, 10),
    ]  # fmt: skip


async def test_after_invalid_data_the_next_attempt_starts_afresh_even_with_continuation():
    """A bad beginning invites more of it."""
    model = ScriptedModel(['{"id": "x"}'], ['{"id": 1}'])
    seen = await partials_of(
        structured_stream(Item, model, continuation=True, retry=NOW, check_intervals=EACH)
    )
    assert [(p.value, p.complete, p.restarted) for p in seen] == [
        ({"id": "x"}, False, False),
        (None, False, True),
        ({"id": 1}, False, False),
        ({"id": 1}, True, False),
    ]
    assert [info.checkpoint for info in model.infos] == ["", ""]


async def test_a_restart_that_keeps_a_beginning_goes_on_from_it():
    """A source that began again and then differs: the value is that of what stands."""
    head = '{"id": 12, "tags": ["alpha", "beta", '
    model = ScriptedModel([head, '"gam', fail(GONE)], [head, '"delta"]}'])
    stream = structured_stream(Item, model, continuation=True, retry=NOW, check_intervals=EACH)
    seen = await partials_of(stream)
    (again,) = [p for p in seen if p.restarted]
    assert again.value["tags"][:2] == ["alpha", "beta"]
    assert len(head) <= again.raw_length <= len(head) + 1
    assert (await stream.validate()).data.tags == ["alpha", "beta", "delta"]


async def test_where_no_value_was_shown_nothing_is_withdrawn():
    """A failure before the first value is no restart to the reader."""
    model = ScriptedModel(["Well, ", fail(GONE)], ['{"id": 1}'])
    seen = await partials_of(structured_stream(Item, model, retry=NOW, check_intervals=EACH))
    assert seen == [Partial({"id": 1}, False, False, 9), Partial({"id": 1}, True, False, 9)]


async def test_a_failure_is_raised_to_whoever_iterates_and_to_whoever_validates():
    """The same error object, and no last partial."""
    stream = structured_stream(Item, ScriptedModel(["{}"]), attempts=0, check_intervals=EACH)
    seen = []
    with pytest.raises(SchemaValidationError) as raised:
        async for partial in stream:
            seen.append(partial)
    assert [p.complete for p in seen] == [False]
    with pytest.raises(SchemaValidationError) as again:
        await stream.validate()
    assert again.value is raised.value is stream.error
    assert stream.structured_state.validation_failures == len(stream.errors) == 1


@pytest.mark.parametrize("before", [False, True], ids=["while it runs", "before it starts"])
async def test_s88_abort_stops_the_source(before):
    """Its connection is closed; `validate()` says so; there is no last partial."""
    model = ScriptedModel(['{"id": 1, ', '"tags": [', hang()])
    stream = structured_stream(Item, model, check_intervals=EACH)
    if before:
        stream.abort("enough")
    seen = []
    async for partial in stream:
        seen.append(partial)
        asyncio.get_running_loop().call_soon(stream.abort, "enough")
    assert all(not partial.complete for partial in seen)
    assert bool(seen) is not before
    assert model.closed == ([] if before else [True])
    assert stream.outcome == "aborted"
    with pytest.raises(StreamAbortedError, match="enough"):
        await stream.validate()


async def test_leaving_the_loop_closes_the_source():
    """A bare break, with the stream still referenced."""
    model = ScriptedModel(['{"id": 1, ', '"tags": [', hang()])
    stream = structured_stream(Item, model, check_intervals=EACH)
    async for _ in stream:
        break
    for _ in range(10):
        await asyncio.sleep(0)
    assert model.closed == [True]
    assert stream.outcome == "aborted"


async def test_inside_async_with_one_may_break_off_and_go_on():
    """Iterating again, or validating."""
    async with structured_stream(Item, ScriptedModel(list(TEXT)), check_intervals=EACH) as stream:
        async for partial in stream:
            if partial.value.get("id"):
                break
        values = [partial.value async for partial in stream]
        assert values[-1] == json.loads(TEXT)
        assert (await stream.validate()).data.id == 12
    async with structured_stream(Item, ScriptedModel(list(TEXT))) as stream:
        async for _ in stream:
            break
        assert (await stream.validate()).data.id == 12
    model = ScriptedModel([TEXT[:12], hang()])
    async with structured_stream(Item, model, check_intervals=EACH) as stream:
        assert (await anext(stream)).value == {"id": 12}
    assert model.closed == [True]


async def test_what_was_read_past_the_iterator_is_caught_up_with():
    """As when somebody read events of the run itself meanwhile."""
    async with structured_stream(Item, ScriptedModel(list(TEXT)), check_intervals=EACH) as stream:
        async for _ in stream:
            break
        for _ in range(8):
            await anext(stream.stream)
        values = [copy.deepcopy(partial.value) async for partial in stream]
    assert values[0] == {"id": 12}
    assert values[-1] == json.loads(TEXT)


# --- the values -------------------------------------------------------------------------------


async def test_s88_partials_grow_and_the_last_equals_the_validated_value():
    """At most one an interval, only when the value has changed, the last one complete."""
    stream = structured_stream(dict, ScriptedModel(list(TEXT)), check_intervals=CheckIntervals(4))
    seen = await partials_of(stream)
    done = await stream.validate()
    assert seen[-1] == Partial(done.data, True, False, len(TEXT))
    assert [p.complete for p in seen].count(True) == 1
    assert len(seen) <= len(TEXT) // 4 + 1
    lengths = [p.raw_length for p in seen]
    assert all(length % 4 == 0 for length in lengths[:-1])
    for one, other in itertools.pairwise(seen):
        assert grows(one.value, other.value)
        assert one.value != other.value or other.complete


def grows(one, other):
    """Whether a value is a beginning of another."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(key in other and grows(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) <= len(other) and all(map(grows, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return other.startswith(one)
    return one == other


async def test_healed_text_ends_in_the_healed_value():
    """The last partial is what was validated, whatever came before."""
    text = "Sure:\n```json\n{'id': 3, 'tags': ['x',],}\n```\nDone."
    stream = structured_stream(Item, ScriptedModel(list(text)), check_intervals=EACH)
    seen = await partials_of(stream)
    assert seen[-1].value == {"id": 3, "tags": ["x"]}
    done = await stream.validate()
    assert done.data == Item(id=3, tags=["x"])
    assert done.corrected


async def test_a_text_that_an_interceptor_changes_is_shown_as_it_stands():
    """The change withdraws what it must, and the last value is that of the new text."""
    fix = l0.stream.transform_interceptor(lambda text: text.replace("2", "3"))
    tokens = ['{"a": 1, ', '"b": 2', "}"]
    stream = structured_stream(
        dict, ScriptedModel(tokens), interceptors=[fix], check_intervals=EACH
    )
    seen = await partials_of(stream)
    assert [(p.value, p.restarted) for p in seen if p.restarted] == [({"a": 1}, True)]
    assert seen[-1] == Partial({"a": 1, "b": 3}, True, False, 16)
    assert (await stream.validate()).data == {"a": 1, "b": 3}


async def test_at_interval_zero_there_is_only_the_last():
    """As for every check."""
    stream = structured_stream(Item, ScriptedModel(list(TEXT)), check_intervals=CheckIntervals(0))
    assert await partials_of(stream) == [Partial(json.loads(TEXT), True, False, len(TEXT))]


async def test_validated_delivery_shows_nothing_of_a_rejected_attempt():
    """The values come when the attempt has passed."""
    model = ScriptedModel(['{"id": "x"}'], ['{"id": 1}'])
    seen = await partials_of(
        structured_stream(Item, model, deliver="validated", retry=NOW, check_intervals=EACH)
    )
    assert [p.value for p in seen] == [{"id": 1}, {"id": 1}]
    assert not any(p.restarted for p in seen)


async def test_a_stream_that_is_over_gives_nothing_more():
    """And validates as often as one likes, without asking again."""
    model = ScriptedModel([TEXT])
    stream = await structured_stream(Item, model)
    one, other = await stream.validate(), await stream.validate()
    assert one.data == other.data
    assert [p.complete async for p in stream] == [True]
    assert [p async for p in stream] == []
    assert model.calls == 1
    assert isinstance(stream, StructuredStream)
    assert repr(stream).startswith(f"<StructuredStream Item {stream.stream_id} completed")
    assert stream.stream.stream_id == stream.stream_id
    assert stream.state.completed


def test_nothing_is_opened_before_the_first_use():
    """Making one costs no call, and needs no loop."""
    model = ScriptedModel([TEXT])
    stream = structured_stream(Item, model)
    assert (model.calls, stream.outcome, stream.errors) == (0, None, [])
    with pytest.raises(TypeError, match="unknown option"):
        structured_stream(Item, model, nonsense=1)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
).map(lambda value: {"v": value})


@settings(max_examples=40, deadline=None)
@given(
    value=documents,
    sizes=st.lists(st.integers(1, 7), min_size=5, max_size=5),
    wrapped=st.booleans(),
    ascii_only=st.booleans(),
)
def test_s82_five_tokenisations_and_three_intervals_end_in_the_same_value(
    value, sizes, wrapped, ascii_only
):
    """One character each included; in a fence or bare."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    text = f"```json\n{text}\n```" if wrapped else text

    async def ends():
        found = []
        for size in (1, *sizes[:4]):
            tokens = [text[at : at + size] for at in range(0, len(text), size)]
            for interval in (1, 5, 10):
                stream = structured_stream(
                    dict, ScriptedModel(tokens), check_intervals=CheckIntervals(interval)
                )
                seen = await partials_of(stream)
                assert (await stream.validate()).data == seen[-1].value
                assert all(grows(p.value, seen[-1].value) for p in seen)
                found.append(seen[-1])
        return found

    ends_in = asyncio.run(ends())
    assert all(end == Partial(value, True, False, len(text)) for end in ends_in)


@settings(max_examples=60, deadline=None)
@given(value=documents, cuts=st.lists(st.integers(1, 200), max_size=3), size=st.integers(1, 5))
def test_wherever_it_breaks_it_is_continued_to_the_same_value(value, cuts, size):
    """Values never shrink, and nothing is corrected: the prefix is gone on from."""
    text = json.dumps(value)
    attempts, begin = [], 0
    for cut in sorted({min(cut, len(text) - 1) for cut in cuts}):
        attempts.append([text[at : min(at + size, cut)] for at in range(begin, cut, size)])
        attempts[-1].append(fail(GONE))
        begin = cut
    attempts.append([text[at : at + size] for at in range(begin, len(text), size)])

    async def go():
        stream = structured_stream(
            dict,
            ScriptedModel(*attempts),
            continuation=ContinuationConfig(deduplicate=False, restatement=False),
            retry=NOW,
            check_intervals=EACH,
        )
        seen = await partials_of(stream)
        assert not any(p.restarted for p in seen)
        assert all(grows(one.value, other.value) for one, other in itertools.pairwise(seen))
        return seen[-1].value, await stream.validate()

    end, done = asyncio.run(go())
    assert end == done.data == value
    assert not done.corrected


rows = st.lists(
    st.sampled_from(
        [0, 1, 5, 55, "a", "aa", "a b", {"x": 1}, {"x": 1, "y": [1, 1]}, [], [1], None]
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(
    value=rows | rows.map(lambda found: {"rows": found, "more": found}),
    cuts=st.lists(st.integers(1, 120), min_size=1, max_size=3),
    early=st.sampled_from([0, 2, 3]),
)
def test_no_record_is_lost_or_doubled_wherever_and_however_it_is_continued(value, cuts, early):
    """Exactly, or with a few words said again; healing never covers a bad seam."""
    text = json.dumps(value)
    left, sent = list(cuts), [0]

    def model(info):
        if text.startswith(info.checkpoint):  # else something of it was removed as an overlap
            sent[0] = len(info.checkpoint)
        begin = words_before(text, sent[0], early) if info.checkpoint else 0
        again = text[begin:]
        if not left:
            return [again]
        cut = left.pop()
        sent[0] = min(len(text), begin + cut)
        return ScriptedModel([again[:cut], *([] if cut >= len(again) else [fail(GONE)])])(info)

    done = asyncio.run(
        structured(
            object, model, continuation=True, retry=Retry(attempts=9, max_retries=9, base_delay=0)
        )
    )
    assert done.data == value


def test_s88_the_work_is_linear_in_the_text():
    """Eight times the text costs about eight times the time, far from the square."""

    async def cost(count):
        tokens = [f'{{"id": {n}, "text": "word {n}"}}, ' for n in range(count)]
        tokens = ["[", *tokens, "{}]"]
        stream = structured_stream(list, lambda: tokens, check_intervals=CheckIntervals(5))
        began = time.thread_time()
        seen = 0
        async for _ in stream:
            seen += 1
        assert seen >= count // 5
        return time.thread_time() - began

    async def ratio():
        await cost(500)
        return min([await cost(8000) / await cost(1000) for _ in range(3)])

    assert asyncio.run(ratio()) < 20
