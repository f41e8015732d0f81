"""`--schema`: what the request says, what the handle has, what the view shows."""

import dataclasses
import json
from typing import Annotated, TypedDict

import pydantic  # noqa: TID253  schemas are what is tested
import pytest
from notebook_runs import Tags, told

import l0
from l0.models import Request, _sim
from l0.models._names import parse_model
from l0.models._request import _anthropic, _openai
from l0.notebook import _static, _structured, _structured_ask
from l0.notebook._bridge import Bridge
from l0.notebook._story import Story
from l0.notebook._structured import structured_of
from l0.schema import as_schema, structured_stream
from l0.testing import ScriptedModel

pytest_plugins = ["notebook_shell"]


@dataclasses.dataclass
class Log:
    station: str
    remarks: str
    grade: int = 3


class Keeper(TypedDict):
    name: str


@dataclasses.dataclass
class Never:
    nothing_like_it: Annotated[str, pydantic.Field(pattern=r"^\d{40}$")]  # nor can it be made up


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=18, le=90)


class Crew(pydantic.BaseModel):
    keepers: list[Person]
    relieved: bool


ANY = {"type": "object", "properties": {"station": {"type": "string"}}, "required": ["station"]}


async def story_of(*attempts, schema=Log, live=False, **options):
    """The story of a run that was asked for data."""
    options.setdefault("retry", l0.Retry(attempts=1, base_delay=0))
    asked = structured_stream(schema, ScriptedModel(*attempts), **options)
    story = Story(model="sim:demo", format="data")
    story.follow(asked.stream)
    try:
        async for _ in asked.stream:
            pass
    except l0.errors.Error as error:
        story.error = {"type": type(error).__name__, "message": str(error)}
    return story


# --- in a cell ------------------------------------------------------------------------------


def test_the_handle_has_the_validated_object(cells):
    cells.ns["Log"] = Log
    handle = cells("%%l0 sim:json --schema Log -o a\nThe log.")
    assert isinstance(handle.data, Log)
    assert handle.data.grade == 3
    assert handle.corrections == ()
    assert handle.partial["station"] == handle.data.station
    assert handle.result.raw == handle.text
    assert (handle.format, cells.view.format) == ("data", "data")


@pytest.mark.parametrize("schema", [ANY, Keeper, dict, dict[str, object]])
def test_any_form_of_a_schema_will_do(cells, schema):
    cells.ns["Wanted"] = schema
    name = "sim:json" if schema is not Keeper else "sim:story"
    result = cells.run(f"%%l0 {name} --schema Wanted --retry none -o a\nThe log.")
    if schema is Keeper:
        assert type(result.error_in_exec).__name__ == "SchemaValidationError"
        assert cells.ns["a"].data is None
    else:
        assert isinstance(cells.ns["a"].data, dict)


def test_a_type_that_json_has_needs_no_variable(cells):
    assert isinstance(cells("%%l0 --schema dict -o a\nThe log.").data, dict)
    for value in ({"a": 1}, [1], "a", 1, 1.5, True):
        kind = type(value)
        assert _structured_ask.find_schema(kind.__name__, {}).parse(value) == value
        cells.ns[kind.__name__] = Log  # what the notebook calls so is meant
        assert _structured_ask.find_schema(kind.__name__, cells.ns).name == "Log"


def test_the_request_asks_for_it(cells):
    cells.ns["Log"] = Log
    cells("%%l0 sim:json --schema Log -s 'You keep a light.'\nThe log.")
    body = _sim.server().requests[-1].body
    system = body["messages"][0]["content"]
    assert system.startswith("You keep a light.\n\n<output_format>\nAnswer with one valid JSON")
    assert '"station"' in system
    assert body["messages"][-1] == {"role": "user", "content": "The log."}
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["name"] == "Log"
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["station", "remarks"]


def test_a_form_of_ones_own_wins_and_arrays_have_none():
    model = parse_model("sim:json")
    own = {"type": "json_object"}
    asked = Request("Hi", schema=ANY, schema_name="Log of [it]", params={"response_format": own})
    assert _openai(model, asked, None)["response_format"] == own
    asked = dataclasses.replace(asked, params={})
    assert _openai(model, asked, None)["response_format"]["json_schema"]["name"] == "Log_of_it"
    assert "response_format" not in _anthropic(parse_model("anthropic:claude-x"), asked, None)
    asked = _structured_ask.request_for(Request("Hi"), as_schema(list[int]))
    assert "response_format" not in _openai(model, asked, None)
    assert asked.system is not None


def test_without_a_model_somebody_answers_who_speaks_json(cells):
    cells.ns["Log"] = Log
    handle = cells("%%l0 --schema Log\nThe log.")
    assert handle.model == "sim:json"
    assert cells.view.notes[0].startswith("no model named, so sim:json answers, offline")


def test_offline_data_has_the_form_that_was_asked_for(cells):
    cells.ns["Crew"] = Crew
    handle = cells("%%l0 --schema Crew -o a\nWho keeps the light?")
    assert isinstance(handle.data, Crew)
    assert handle.data.keepers
    assert all(18 <= keeper.age <= 90 for keeper in handle.data.keepers)
    again = cells("%%l0 --schema Crew --chaos drop@20 -o b\nWho keeps the light?")
    assert again.data == handle.data
    assert len(again.attempts()) == 2


def test_data_that_is_not_valid_is_asked_for_again_with_what_was_wrong(cells):
    cells.ns["Never"] = Never
    result = cells.run("%%l0 sim:json --schema Never --retry 1 -o a\nThe log.")
    assert type(result.error_in_exec).__name__ == "SchemaValidationError"
    assert "nothing_like_it: Field required" in cells.err + cells.out
    first, second = (request.body["messages"][-1] for request in _sim.server().requests[-2:])
    assert first["content"] == "The log."
    assert second["content"] == (
        "The log.\n\nAn earlier answer to this was not valid:\n- nothing_like_it: Field required"
    )
    handle = cells.ns["a"]
    assert (handle.outcome, handle.data, handle.corrections) == ("failed", None, ())
    assert handle.partial["station"]
    assert [fault.path for fault in handle.error.errors] == ["nothing_like_it"] * 2


def test_a_break_in_the_middle_costs_nothing(cells):
    cells.ns["Log"] = Log
    calm = cells("%%l0 sim:json --schema Log\nThe log.")
    rough = cells("%%l0 sim:json --schema Log --chaos drop@40,drop@20\nThe log.")
    assert rough.data == calm.data
    assert len(rough.errors) == 2


def test_another_format_shows_the_text_and_the_rules_of_ones_own_are_asked(cells):
    cells.ns["Log"] = Log
    handle = cells("%%l0 sim:json --schema Log -F json\nThe log.")
    assert (handle.format, isinstance(handle.data, Log)) == ("json", True)
    names = [rule.name for rule in handle.stream.options.guardrails]
    assert names == ["pattern"], "what the validation judges isn't judged twice"
    handle = cells("%%l0 sim:json --schema Log -g json\nThe log.")
    assert "json" in [rule.name for rule in handle.stream.options.guardrails]


def test_a_conversation_may_be_about_data(cells):
    cells.ns["Log"] = Log
    handle = cells("%%l0 sim:json --schema Log --chat talk -s 'Be brief.'\nThe log.")
    talk = cells.ns["talk"]
    assert talk.system == "Be brief.", "the form is said beside it"
    assert talk.messages == [
        {"role": "user", "content": "The log."},
        {"role": "assistant", "content": handle.text},
    ]


def test_a_run_without_a_schema_has_no_data(cells):
    handle = cells("%%l0 sim:story\nHello.")
    for name in ("data", "partial", "corrections"):
        with pytest.raises(AttributeError, match=f"no {name}: ask for data with --schema"):
            getattr(handle, name)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%l0 --schema Lug\nHi", "no schema 'Lug'; did you mean Log? or define one: a pydantic"),
        ("%%l0 --schema max\nHi", "no schema 'max'; define one: a pydantic"),
        ("%%l0 --schema mixed\nHi", "--schema mixed: Cannot generate a JsonSchema"),
        ("%%l0 --schema five\nHi", "--schema five: 5 is no schema"),
        ("%%l0 --schema plain\nHi", "--schema plain: the dict with the keys 'a' is no JSON Schema"),
        ("%%l0 --schema broken\nHi", "--schema broken:"),
        ("%%l0 --schema Log --race -f sim:json\nHi", "--schema is for one run"),
    ],
)
def test_a_schema_that_is_none_is_refused_in_one_line(cells, source, said):
    cells.ns.update(Log=Log, five=5, plain={"a": 1}, broken={"type": "nonsense"}, mixed=type)
    assert said in cells.usage_error(source)


def test_completion_offers_schemas_and_nothing_else(cells):
    from l0.notebook import _complete

    cells.ns.update(Log=Log, Keeper=Keeper, ANY=ANY, five=5, plain={"a": 1}, whole=int)
    found = _complete.complete(cells.magics, "%%l0 --schema ", 0, 14)[1]
    assert {"Log", "Keeper", "ANY"} <= set(found)
    assert not {"five", "plain", "whole"} & set(found)


# --- what the views show --------------------------------------------------------------------


async def test_a_log_tells_what_the_live_view_told():
    story = await story_of(
        ['{"station": "Farrow"}'], ['Sure:\n```json\n{"station": "A", "remarks": "",}\n```']
    )
    for seen in (story, Story.of_events(story.events)):
        found = structured_of(seen)
        assert (found.schema, found.verdict) == ("Log", "valid")
        assert found.value == {"station": "A", "remarks": ""}
        assert "remove_trailing_comma" in found.corrections
        text = _static.mimebundle(seen, timeless=True)["text/plain"]
        assert "attempt 1 · withdrawn after 1 token: not valid: remarks: Field required" in text
        assert "corrected: code fence removed, text before it removed" in text
        assert text.endswith('{\n  "station": "A",\n  "remarks": ""\n}')


async def test_what_is_wrong_is_listed_with_its_place():
    story = await story_of(['{"station": {"a": [1]}, "remarks": 5}'], ['{"station": ["x"]}'])
    found = structured_of(story)
    assert found.verdict == "invalid"
    assert [fault.path for fault in found.faults] == ["station", "remarks"]
    bundle = _static.mimebundle(story, timeless=True)
    assert "  Log · not valid\n  station: " in bundle["text/plain"]
    assert "✗ not valid" in Tags(bundle["text/html"]).text
    assert "What the model wrote · 18 characters" in bundle["text/html"]


async def test_what_is_wrong_is_said_once_beside_the_data():
    story = await story_of(["no data"], retry=l0.Retry(attempts=0))
    story.error["hint"] = "See `errors`."
    bundle = _static.mimebundle(story, timeless=True)
    page, _, _ = Tags(bundle["text/html"]).text.partition("What happened")
    for shown in (page, bundle["text/plain"]):
        assert shown.count("no JSON value is in the text") == 1
        assert "SchemaValidationError" in shown
    meta = Bridge(story, lambda _: None).meta()
    assert meta["error"] == {**story.error, "message": ""}
    assert story.error["message"], "the story itself knows it"


async def test_a_run_that_ended_early_shows_what_came():
    story, _ = await told(['{"station": "Farr'])
    story.format, story.facts["schema"] = "data", "Log"
    found = structured_of(story)
    assert (found.verdict, found.value) == ("arriving", {"station": "Farr"})
    assert "Log · incomplete" in _static.mimebundle(story, timeless=True)["text/plain"]


async def test_a_run_nobody_asked_for_data_is_shown_as_ever():
    story, _ = await told(['{"a": 1}'])
    assert structured_of(story) is None
    assert _static.mimebundle(story, timeless=True)["text/plain"].endswith('\n\n{"a": 1}')


async def test_the_same_run_is_the_same_bytes_without_a_person():
    answer = ['{"station": "Farrow", "remarks": "x"}']
    first, second = [await story_of(answer) for _ in range(2)]
    assert _static.mimebundle(first, timeless=True) == _static.mimebundle(second, timeless=True)


@pytest.mark.kernel
def test_a_notebook_executed_without_a_person_has_the_same_bytes_twice(tmp_path, monkeypatch):
    """Data and transcripts too, on two kernels."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("L0_STORE", str(tmp_path / "runs.db"))
    sources = (
        "%load_ext l0\nAny = {'type': 'object', 'required': ['station']}",
        "%%l0 sim:json --schema Any --chat talk -o a --chaos drop@20 -s 'Be brief.'\nThe log",
        "a.data['station'], a.corrections",
        "talk",
        "talk.to_frame()[['turn', 'role', 'tokens']]",
    )

    def executed():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        book = nbformat.v4.new_notebook(cells=cells)
        NotebookClient(book, timeout=60, allow_errors=False).execute()
        return [cell.outputs for cell in book.cells]

    first, second = executed(), executed()
    assert first == second
    assert len(first[1]) == 1
    assert "\n  Any · valid\n" in first[1][0].data["text/plain"]
    assert "text/html" in first[3][0].data


def test_everything_in_a_tree_is_text():
    value = {
        "<script>": "<img src=x onerror=alert(1)>",
        "a": [1, "<b>", None, True],
        "b": [{"c": {}}, [], [[1]]],
        "\ud800": "\udfff",
    }
    found = _structured.Structured("<i>", "valid", value, ["<u>"])
    page = Tags(_structured.html(found, "<raw>"))
    assert {tag for tag, _ in page.found} == {"div", "span", "b", "details", "summary"}
    assert {name for _, attributes in page.found[1:] for name in attributes} == {"style"}
    assert page.found[0][1]["class"] == "l0-said", "a page keeps it in its place"
    for text in ("<script>", "<img src=x onerror=alert(1)>", "<b>", "<i>", "<u>", "<raw>"):
        assert text in page.text


def test_a_tree_has_an_end():
    wide = _structured.Structured("x", "valid", {f"k{i}": i for i in range(5000)})
    assert "… and more, in data" in _structured.html(wide, "")
    deep = value = {}
    for _ in range(900):
        value["a"] = value = {}
    html = _structured.html(_structured.Structured("x", "valid", deep), "")
    assert html.count("<div") < 60
    many = _structured.Structured("x", "valid", list(range(3000)))
    assert "2,000 more" in _structured.html(many, "")
    for scalar in (5, "text", None, True, 1.5):
        Tags(_structured.html(_structured.Structured("x", "valid", scalar), ""))


async def test_data_as_deep_as_it_may_be_is_shown_too():
    story = await story_of(["[" * 400 + "]" * 400], schema={"type": "array"})
    bundle = _static.mimebundle(story, timeless=True)
    assert bundle["text/plain"].count("]") == 400
    assert "✓ valid" in bundle["text/html"]
    assert _structured_ask._is_flat([[1]], 2) is False
    assert _structured_ask._is_flat([[1]], 3) is True


def test_the_places_of_the_fields_are_known_before_they_come():
    assert _structured_ask.fields_of(as_schema(Log)) == ["station", "remarks", "grade"]
    assert _structured_ask.fields_of(as_schema(list[int])) == []
    nested = {"$ref": "#/$defs/Log", "$defs": {"Log": ANY}}
    assert _structured_ask.fields_of(as_schema(nested)) == ["station"]


def test_validated_data_is_shown_as_json_has_it():
    import datetime as dt

    from pydantic import BaseModel, Field

    class Sighting(BaseModel):
        day: dt.date
        seen: float = Field(alias="s")

    data = Sighting(day="2020-01-02", s=float("inf"))
    assert _structured_ask.plain(data) == {"day": "2020-01-02", "seen": "Infinity"}
    assert _structured_ask.plain(Log("a", "b")) == {"station": "a", "remarks": "b", "grade": 3}
    assert json.dumps(_structured_ask.plain({"x": b"\xff"}))
