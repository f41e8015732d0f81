"""What the pages say of the code is what the code is: tables, names, and where to read on."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields
from pathlib import Path

import pytest

from l0 import adapters, errors, events, guardrails, stream, testing
from l0.stream import Callbacks, ContinuationConfig, DeduplicationOptions, Options, Retry, Timeout

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def load_generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = load_generator()


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def names(text):
    """Every word that stands in a code span or a code block."""
    spans = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    return {word for span in spans for word in re.findall(r"\w+", span)}


def test_the_tables_of_the_pages_are_what_the_code_says():
    """A page that is out of date is written anew by `python docs/generate.py`."""
    assert [stale.name for stale in generator.out_of_date()] == []


def test_every_table_stands_on_a_page():
    """A table nobody shows would be kept for nothing."""
    marked = {name for each in PAGES for name in generator.MARKED.findall(each.read_text())}
    assert marked == set(generator.TABLES)


def test_a_table_that_is_out_of_date_is_noticed_and_written(tmp_path, monkeypatch):
    """`--check` only tells; without it the page is put right, and the rest of it is left alone."""
    stale = tmp_path / "stale.md"
    stale.write_text("Before\n<!-- generated: faults -->\nold\n<!-- end: faults -->\nAfter\n")
    monkeypatch.setattr(generator, "PAGES", tmp_path)
    assert generator.main(["--check"]) == 1
    assert "old" in stale.read_text()
    assert generator.main([]) == 0
    assert "`drop@40`" in stale.read_text()
    assert "old" not in stale.read_text()
    assert stale.read_text().startswith("Before\n")
    assert stale.read_text().endswith("After\n")
    assert generator.main(["--check"]) == 0


def test_a_table_nobody_knows_is_named(tmp_path, monkeypatch):
    """A typing error in a marker is told with the tables that there are."""
    (tmp_path / "odd.md").write_text("<!-- generated: nope -->\n<!-- end: nope -->\n")
    monkeypatch.setattr(generator, "PAGES", tmp_path)
    with pytest.raises(ValueError, match="no table 'nope'; there are events"):
        generator.main(["--check"])


def test_a_bar_in_a_cell_does_not_end_it():
    """Cells with `|` stay one cell."""
    assert generator.table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |\n"


ELSEWHERE: set[str] = set()


@pytest.mark.parametrize(
    ("name", "options", "elsewhere"),
    [
        ("streams.md", Options, ELSEWHERE),
        ("streams.md", Retry, set()),
        ("streams.md", Timeout, set()),
        ("continuation.md", ContinuationConfig, {"enabled", "provider"}),
        ("continuation.md", DeduplicationOptions, set()),
        ("providers.md", adapters.OpenAIAdapterOptions, set()),
        ("providers.md", adapters.OpenAIResponsesAdapterOptions, set()),
        ("providers.md", adapters.AnthropicAdapterOptions, set()),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_option_is_told(name, options, elsewhere):
    """Nobody has to read the code to learn what can be set."""
    wanted = {field.name for field in fields(options)} - elsewhere
    assert wanted - names(page(name)) == set()


def test_every_callback_is_told():
    """By the keyword that `run` knows it by."""
    known = {field.name for field in fields(Callbacks)} | {"on_stream_event"}
    assert known - names(page("streams.md")) == set()


@pytest.mark.parametrize(
    ("name", "room", "pattern"),
    [
        ("guardrails.md", guardrails, r"\w+_rule"),
        ("event-log.md", events, r"(?!EventStore)\w+EventStore"),
        ("errors.md", errors, r"\w+Error"),
        ("testing.md", testing, r"check_\w+|\w+_(chunks|events)|ScriptedModel|VirtualClock"),
        ("testing.md", testing, r"stall|hang|fail|http_error|tool|progress|end"),
        ("interceptors.md", stream, r"\w+_interceptor"),
    ],
    ids=["rules", "stores", "errors", "doubles", "steps", "interceptors"],
)
def test_every_public_name_of_a_kind_is_told(name, room, pattern):
    """What a room exports of a kind stands on its page."""
    wanted = {each for each in room.__all__ if re.fullmatch(pattern, each)} - {"L0Error"}
    assert wanted
    told = names(page(name))
    assert {each for each in wanted if each not in told} - {"RestoredError", "SerializedError"} == (
        set()
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_begins_with_its_name_and_ends_with_where_next(path):
    """A reader always knows where they are and where to go."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    last = text.split("\n## ")[-1]
    assert last.startswith("Where next\n")
    assert "](" in last


def test_the_index_leads_to_every_page():
    """No page is an island."""
    linked = set(re.findall(r"\]\(([\w-]+\.md)", page("index.md")))
    assert {path.name for path in PAGES} - {"index.md"} <= linked
