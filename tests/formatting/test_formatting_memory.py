"""Conversations as text: styles, merging, trimming."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.formatting import (
    MemoryEntry,
    MemoryOptions,
    calculate_memory_size,
    create_memory_entry,
    filter_memory_by_role,
    format_memory,
    get_last_n_entries,
    merge_memory,
    truncate_memory,
)

TALK = [
    MemoryEntry("user", "Hello\nthere", 0.0, {"source id": "web", "n": 1}),
    MemoryEntry("assistant", "Hi!", 60.0),
]
ENTRIES = st.builds(
    MemoryEntry,
    st.sampled_from(["user", "assistant"]),
    st.text(max_size=8),
    st.none() | st.floats(0, 99),
)


def test_the_three_styles():
    assert format_memory(TALK) == "User: Hello\nthere\n\nAssistant: Hi!"
    assert format_memory(TALK, style="compact") == "U: Hello there\nA: Hi!"
    assert format_memory(TALK, style="structured") == (
        "<conversation_history>\n"
        '  <message role="user">Hello\nthere</message>\n'
        '  <message role="assistant">Hi!</message>\n'
        "</conversation_history>"
    )


def test_times_and_metadata_where_they_are_asked_for():
    options = MemoryOptions(include_timestamps=True, include_metadata=True, style="compact")
    assert format_memory(TALK, options) == (
        "[1970-01-01T00:00:00+00:00] U: Hello there (source id=web, n=1)\n"
        "[1970-01-01T00:01:00+00:00] A: Hi!"
    )
    structured = format_memory(TALK, options, style="structured")
    assert 'source_id="web" n="1"' in structured


@given(
    st.text(
        st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="&<"), max_size=20
    ),
    st.dictionaries(
        st.text(max_size=5),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5),
        max_size=3,
    ),
)
def test_attributes_are_well_formed_whatever_the_keys_are(content, metadata):
    entry = MemoryEntry('us"er>', content, None, metadata)
    made = format_memory([entry], style="structured", include_metadata=True)
    message = ET.fromstring(made).find("message")
    assert message.get("role") == 'us"er>'


def test_what_was_said_cannot_end_the_message():
    entry = MemoryEntry("user", "</message></conversation_history>")
    made = format_memory([entry], style="structured")
    assert made.count("</message>") == 1


def test_entries_may_be_mappings_and_content_may_be_missing():
    assert format_memory([{"role": "tool", "content": None}], style="compact") == "T: "
    assert create_memory_entry("user", None).content == ""
    assert create_memory_entry("user", "a").timestamp > 1e9
    assert format_memory([]) == ""


def test_only_the_last_entries():
    assert format_memory(TALK, {"max_entries": 1}) == "Assistant: Hi!"
    assert format_memory(TALK, max_entries=0) == ""
    assert get_last_n_entries(TALK, -1) == []
    assert filter_memory_by_role(TALK, "user") == TALK[:1]


@given(st.lists(ENTRIES, max_size=6), st.lists(ENTRIES, max_size=6))
def test_merging_keeps_every_entry_and_the_order_of_times(one, two):
    merged = merge_memory(one, two)
    assert sorted(map(id, merged)) == sorted(map(id, [*one, *two]))
    if all(e.timestamp is not None for e in [*one, *two]):
        times = [entry.timestamp for entry in merged]
        assert times == sorted(times)


def test_entries_of_one_time_keep_their_order():
    first, second, third = (MemoryEntry("user", text, 1.0) for text in "abc")
    untimed = MemoryEntry("user", "after a")
    assert merge_memory([first, untimed, second], [third]) == [first, untimed, second, third]


@given(st.lists(ENTRIES, max_size=8), st.integers(0, 40))
def test_what_is_kept_is_the_longest_newest_part_that_fits(memory, size):
    kept = truncate_memory(memory, size)
    assert kept == memory[len(memory) - len(kept) :]
    assert calculate_memory_size(kept) <= size
    if len(kept) < len(memory):
        assert calculate_memory_size(memory[len(memory) - len(kept) - 1 :]) > size


def test_bad_options_say_what_to_give():
    with pytest.raises(ValueError, match="conversational, structured, compact"):
        format_memory(TALK, style="html")
    with pytest.raises(ValueError, match="role says who spoke"):
        MemoryEntry(" ", "a")
    with pytest.raises(ValueError, match="max_entries"):
        MemoryOptions(max_entries=-1)
