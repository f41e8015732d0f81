"""Documents in chunks: the invariants of every strategy, and the window over them."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import l0
from l0.compose import (
    DocumentChunk,
    DocumentWindow,
    Window,
    WindowConfig,
    chunk_document,
    merge_chunks,
    merge_results,
)
from l0.formatting import estimate_tokens
from l0.testing import ScriptedModel, fail

STRATEGIES = ["token", "char", "paragraph", "sentence"]


def words_and_bytes(text: str) -> int:
    """A tokeniser of its own: dearer for rare scripts, and not additive."""
    return len(text.split()) + len(text.encode("utf-8", "surrogatepass")) // 3


PIECES = [
    *(
        "word ",
        "a",
        "longer-word-without-any-blank",
        "Sentence one. ",
        "Is it? ",
        "Wow!! ",
        "e.g. ",
    ),
    *("\n\n", "\r\n\r\n", "\n \n", "\n", "\r\n", "\r", "\t", " ", "   "),
    *("漢字仮名交じり文。", "文", "！", "これは何？」", "\U0001f600", "\U0001f1f3\U0001f1f4"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301", "\u0301" * 3, "क्षि", "\u200d", "ß"),
    *("...", "?!", ".)", '."', "x" * 90, "\ud800", "\0"),
]
DOCUMENTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=60).map("".join)
CONFIGS = st.builds(
    lambda strategy, size, share, tokens, paragraphs, sentences: WindowConfig(
        size=size,
        overlap=int(size * share),
        strategy=strategy,
        estimate_tokens=tokens,
        preserve_paragraphs=paragraphs,
        preserve_sentences=sentences,
    ),
    st.sampled_from(STRATEGIES),
    st.integers(3, 80),
    st.floats(0, 0.99),
    st.sampled_from([None, words_and_bytes]),
    st.booleans(),
    st.booleans(),
)


def counted(config: WindowConfig, text: str) -> int:
    if config.strategy == "char":
        return len(text)
    return (config.estimate_tokens or estimate_tokens)(text)


@given(DOCUMENTS, CONFIGS)
@example("", WindowConfig())
@example("x", WindowConfig(size=3, overlap=0, strategy="char"))
@example("\u0301" * 200, WindowConfig(size=5, overlap=4, strategy="char"))
@example("\r\n" * 100, WindowConfig(size=3, overlap=2, strategy="char"))
@example("a. " * 100, WindowConfig(size=4, overlap=3, strategy="sentence"))
@settings(max_examples=400, deadline=None)
def test_s80_chunks_of_every_strategy_keep_their_promises(document, config):
    """Exact positions, no gap, the limit, none within its neighbour, the document rebuilt."""
    chunks = chunk_document(document, config)
    assert bool(chunks) == bool(document)
    for index, chunk in enumerate(chunks):
        assert (chunk.index, chunk.total_chunks) == (index, len(chunks))
        assert document[chunk.start_pos : chunk.end_pos] == chunk.content != ""
        assert chunk.char_count == len(chunk.content)
        assert chunk.token_count == (config.estimate_tokens or estimate_tokens)(chunk.content)
        assert counted(config, chunk.content) <= config.size
        assert (chunk.is_first, chunk.is_last) == (index == 0, index == len(chunks) - 1)
    for a, b in pairwise(chunks):
        assert a.start_pos < b.start_pos <= a.end_pos < b.end_pos
        assert counted(config, document[b.start_pos : a.end_pos]) <= config.overlap
    if chunks:
        assert (chunks[0].start_pos, chunks[-1].end_pos) == (0, len(document))
    assert merge_chunks(reversed(chunks)) == document


@given(DOCUMENTS, CONFIGS)
@settings(max_examples=150, deadline=None)
def test_s80_preserving_moves_a_boundary_by_at_most_100_characters(document, config):
    """Without it, a chunk that begins there would end at most 100 characters later."""
    if config.strategy not in {"token", "char"}:
        return
    for chunk in chunk_document(document, config)[:-1]:
        longer = document[chunk.start_pos : chunk.end_pos + 101]
        assert counted(config, longer) > config.size


@pytest.mark.parametrize(("strategy", "size"), [("token", 30), ("char", 120), ("paragraph", 30)])
def test_the_usual_document_is_cut_between_its_paragraphs(strategy, size):
    pairs = [f"Paragraph {i} begins. It goes on.\n\nParagraph {i} ends.\n\n" for i in range(3)]
    chunks = chunk_document("".join(pairs), strategy=strategy, size=size, overlap=0)
    assert [chunk.content for chunk in chunks] == [pairs[0] + pairs[1], pairs[2]]


def test_sentences_are_kept_whole_where_asked():
    document = "It was late. Nobody had come. The lamp went out at nine. Then it rang."
    plain = chunk_document(document, strategy="char", size=40, overlap=0)
    assert plain[0].content == "It was late. Nobody had come. The lamp w"
    kept = chunk_document(document, strategy="char", size=40, overlap=0, preserve_sentences=True)
    assert kept[0].content == "It was late. Nobody had come. "
    chunks = chunk_document(document, strategy="sentence", size=12, overlap=5)
    assert [chunk.content for chunk in chunks] == [
        *("It was late. Nobody had come. ", "Nobody had come. The lamp went out at nine. "),
        "Then it rang.",
    ]


def test_a_paragraph_above_the_size_is_split_at_sentences_then_words_then_characters():
    document = "Short. Also short.\n\n" + "One two three. Four five six. " + "x" * 30
    chunks = chunk_document(document, strategy="paragraph", size=4, overlap=0)
    assert [chunk.content for chunk in chunks] == [
        *("Short. ", "Also short.\n\n", "One two three. ", "Four five six. "),
        *("x" * 16, "x" * 14),
    ]
    chunks = chunk_document(document, strategy="paragraph", size=2, overlap=0)
    assert [chunk.content for chunk in chunks][2:5] == ["short.\n\n", "One two ", "three. "]


def test_characters_as_people_see_them_are_not_divided():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for document in (family * 40, "e\u0301" * 60, "\r\n" * 60, "\U0001f44d\U0001f3fd" * 60):
        chunks = chunk_document(document, strategy="char", size=21, overlap=7)
        unit = 5 if family in document else 2
        assert {chunk.end_pos % unit for chunk in chunks} == {0}
        assert {chunk.start_pos % unit for chunk in chunks} == {0}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "document",
    [
        "x" * 1_000_000,
        "." * 1_000_000,
        "\n" * 1_000_000,
        "A short one. " * 80_000,
        "漢字。" * 300_000,
    ],
    ids=["one word", "stops", "line ends", "sentences", "cjk"],
)
def test_a_megabyte_is_cut_in_linear_time(document, strategy):
    """Below a second on any machine; a quadratic scan would take hours."""
    began = time.thread_time()
    chunk_document(document, strategy=strategy)
    assert time.thread_time() - began < 1


def test_an_estimate_of_ones_own_is_asked_a_handful_of_times_a_chunk():
    asked = []

    def count(text):
        asked.append(len(text))
        return len(text.split())

    chunks = chunk_document("word " * 50_000, size=500, overlap=50, estimate_tokens=count)
    assert len(chunks) == 111
    assert len(asked) < 15 * len(chunks)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 0}, "size is a whole number, 1 or more; not 0"),
        ({"size": 2.5}, "size is a whole number"),
        ({"overlap": -1}, "overlap is a whole number, 0 or more; not -1"),
        ({"size": 100, "overlap": 100}, "overlap=100 is as large as size=100"),
        ({"strategy": "page"}, "Unknown strategy 'page'; there are token, char, paragraph, sent"),
        ({"estimate_tokens": 4}, "estimate_tokens is called with a text; 4 is not callable"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        WindowConfig(**fields)


@pytest.mark.parametrize("strategy", ["token", "paragraph", "sentence"])
def test_a_size_below_one_character_is_refused(strategy):
    with pytest.raises(ValueError, match="size=1 is too small: the character at 1 alone counts 4"):
        chunk_document(
            "a\U0001f600b",
            strategy=strategy,
            size=1,
            overlap=0,
            estimate_tokens=lambda text: len(text.encode()),
        )


def test_what_is_no_document_is_refused():
    with pytest.raises(TypeError, match="a document is a text, not bytes"):
        chunk_document(b"bytes")
    with pytest.raises(TypeError, match="config is a WindowConfig, not 5"):
        chunk_document("text", 5)
    with pytest.raises(TypeError, match="sise"):
        chunk_document("text", sise=5)


# --- chunks and results in one piece ----------------------------------------------------------


def test_merging_chunks_takes_each_character_once_and_refuses_gaps():
    chunks = chunk_document("abcdefghij", strategy="char", size=4, overlap=2)
    assert merge_chunks([chunks[2], chunks[1], chunks[1]]) == "cdefgh"
    assert merge_chunks([]) == ""
    with pytest.raises(ValueError, match="nothing covers the characters 4 to 6"):
        merge_chunks([chunks[0], chunks[3].replace(start_pos=6)])


async def test_merging_results_takes_texts_of_every_kind():
    stream = l0.run(lambda: ["two"])
    await stream.read()
    assert merge_results(["one", stream.state, None, " ", stream]) == "one\n\ntwo\n\ntwo"
    assert merge_results(["a", "b"], "-") == "a-b"
    with pytest.raises(TypeError, match="a result has a text; 3 has none"):
        merge_results([3])


# --- the window -------------------------------------------------------------------------------


@pytest.fixture
def window() -> DocumentWindow:
    """Five chunks: abcd, cdef, efgh, ghij, ijk."""
    return Window.create("abcdefghijk", strategy="char", size=4, overlap=2, metadata={"from": "x"})


def test_a_window_is_a_row_of_chunks(window):
    assert len(window) == 5
    assert [chunk.content for chunk in window] == ["abcd", "cdef", "efgh", "ghij", "ijk"]
    assert window[-1].content == "ijk"
    assert [chunk.index for chunk in window[1:3]] == [1, 2]
    assert [chunk.index for chunk in window.get_range(1, 3)] == [1, 2]
    assert window.get_range(-5, 1) == [window[0]]
    assert window.get(9) is window.get(-1) is None
    assert window.get_all_chunks() == list(window)
    assert window.get_all_chunks() is not window.get_all_chunks()
    assert window[0].metadata == {"from": "x"}


def test_a_place_moves_along_the_chunks_and_stays_at_the_ends(window):
    assert window.current().index == 0
    assert not window.has_prev()
    assert window.prev() is None
    assert window.next().index == 1
    assert window.jump(4).content == "ijk"
    assert not window.has_next()
    assert window.next() is None
    assert window.current().index == 4
    assert window.prev().index == 3
    assert window.reset().index == 0
    with pytest.raises(IndexError, match="there are 5 chunks, from 0; none is 5"):
        window.jump(5)


def test_an_empty_document_has_no_chunks():
    window = Window.create("")
    assert len(window) == 0
    assert window.current() is window.next() is window.reset() is None
    assert window.get_stats().average_chars == 0
    assert merge_chunks(window) == ""


def test_chunks_are_found_by_text_and_by_place(window):
    assert [chunk.index for chunk in window.find_chunks("EF")] == [1, 2]
    assert window.find_chunks("EF", case_sensitive=True) == []
    assert [chunk.index for chunk in window.get_chunks_in_range(3, 5)] == [0, 1, 2]
    assert window.get_chunks_in_range(4, 4) == []
    assert window.get_chunks_in_range(11, 20) == []


def test_context_is_the_text_around_a_chunk_each_character_once(window):
    assert window.get_context(2) == "cdefghij"
    assert window.get_context(0) == "abcdef"
    assert window.get_context(4, before=2, after=7) == "efghijk"
    assert window.get_context(1, before=0, after=0) == "cdef"
    with pytest.raises(IndexError):
        window.get_context(-1)
    with pytest.raises(ValueError, match="before=-1"):
        window.get_context(1, before=-1)


def test_the_numbers_of_a_window(window):
    stats = window.get_stats()
    assert (stats.total_chunks, stats.total_chars, stats.overlap_chars) == (5, 11, 8)
    assert (stats.average_chars, stats.total_tokens) == (19 / 5, 5)
    assert (stats.strategy, stats.size, stats.overlap) == ("char", 4, 2)


@pytest.mark.parametrize(
    ("make", "strategy", "size", "overlap"),
    [
        (Window.create, "token", 2000, 200),
        (Window.small, "token", 1000, 100),
        (Window.medium, "token", 2000, 200),
        (Window.large, "token", 4000, 400),
        (Window.paragraph, "paragraph", 2000, 200),
        (Window.sentence, "sentence", 1500, 150),
    ],
)
def test_the_usual_sizes(make, strategy, size, overlap):
    config = make("text").config
    assert (config.strategy, config.size, config.overlap) == (strategy, size, overlap)
    assert make("text", size=300, overlap=5).config.size == 300


# --- working on the chunks --------------------------------------------------------------------


async def test_all_chunks_are_worked_on_and_a_failure_loses_no_other(window):
    running, most = 0, 0

    async def work(chunk: DocumentChunk) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if chunk.index == 1:
            raise ValueError("broken")
        return chunk.content.upper()

    done = await window.process_all(work, concurrency=2)
    assert done.results == ["ABCD", None, "EFGH", "GHIJ", "IJK"]
    assert str(done.errors[1]) == "broken"
    assert most == 2
    most = 0
    assert (await window.process_sequential(work)).results == done.results
    assert most == 1
    with pytest.raises(ValueError, match="concurrency"):
        await window.process_all(work, concurrency=0)


async def test_a_chunks_work_may_be_a_stream(window):
    def work(chunk):
        script = [fail(401)] if chunk.index == 2 else [chunk.content]
        return l0.run(ScriptedModel(script))

    done = await window.process_all(work)
    assert done.results == ["abcd", "cdef", None, "ghij", "ijk"]
    assert merge_results(done, sep="") == "abcdcdefghijijk"
    assert done.states[0].completed
