"""Made-up data: of the form that was asked for, the same each time, and nothing where it can't."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

import pydantic  # noqa: TID253  schemas are what is tested
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.schema import as_schema, validate_json_schema
from l0.testing import FaultServer
from l0.testing._fill import answering, fill


class Grade(StrEnum):
    LOW = "low"
    HIGH = "high"


class Part(pydantic.BaseModel):
    label: Annotated[str, pydantic.Field(min_length=3, max_length=5)]
    inside: list[Part] = []


class Order(pydantic.BaseModel):
    id: Annotated[int, pydantic.Field(gt=10, lt=13)]
    share: Annotated[float, pydantic.Field(ge=0, le=0.05)]
    grade: Grade
    kind: Literal["a", "b"]
    on: date
    at: datetime | None
    email: str
    part: Part | None = None
    counts: dict[str, int]
    pair: tuple[int, str]
    tags: Annotated[set[Literal["x", "y", "z"]], pydantic.Field(min_length=2)]


@dataclasses.dataclass
class Plain:
    name: str
    score: float


SCHEMAS = {
    "model": as_schema(Order).json_schema,
    "recursive": as_schema(Part).json_schema,
    "dataclass": as_schema(Plain).json_schema,
    "array": as_schema(list[Plain]).json_schema,
    "anything": True,
    "nothing said": {"type": "object", "required": ["a"]},
    "const": {"const": [1, None]},
    "examples": {"type": "string", "examples": ["so"]},
    "steps": {"type": "integer", "minimum": 5, "multipleOf": 7},
    "joined": {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ]
    },
    "one of": {"oneOf": [{"type": "null"}, {"type": "boolean"}]},
    "types": {"type": ["null", "number"], "exclusiveMaximum": -3},
    "unique": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@given(seed=st.text(max_size=5))
def test_what_is_made_up_is_valid(schema, seed):
    made = fill(schema, seed)
    ok, _, error = validate_json_schema(schema if isinstance(schema, dict) else {}, made)
    assert ok, error
    assert made == fill(schema, seed)


def test_other_seeds_give_other_data():
    made = {json.dumps(fill(SCHEMAS["dataclass"], str(seed))) for seed in range(10)}
    assert len(made) > 3


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"pattern": "^\\d{9}$"}}, "required": ["a"]},
        {"$ref": "https://example.com/elsewhere"},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "no such type", "properties": {"b": 1}},
        {"allOf": 3, "required": ["b"]},
    ],
    ids=["pattern", "elsewhere", "itself", "without end", "unknown type", "no schema"],
)
def test_what_can_t_be_made_up_leaves_the_usual_answer(schema):
    assert answering(schema, '{"usual": 1}', "") == '{"usual": 1}'


def test_a_usual_answer_that_fits_stays():
    usual = '{"name": "Ada",   "score": 1}'
    assert answering(SCHEMAS["dataclass"], usual, "") == usual
    assert json.loads(answering(SCHEMAS["dataclass"], '{"other": 1}', "")).keys() == {
        "name",
        "score",
    }


async def test_the_server_keeps_to_the_schema_of_a_request():
    import httpx

    asked = {
        "model": "sim:json",
        "messages": [{"role": "user", "content": "Who?"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "plain", "schema": SCHEMAS["dataclass"]},
        },
    }
    async with FaultServer() as server, httpx.AsyncClient() as client:
        replies = [
            (await client.post(f"{server.base_url}/chat/completions", json=asked)).json()
            for _ in range(2)
        ]
        asked["response_format"] = {"type": "json_object"}
        usual = (await client.post(f"{server.base_url}/chat/completions", json=asked)).json()
    texts = [each["choices"][0]["message"]["content"] for each in (*replies, usual)]
    assert texts[0] == texts[1]
    assert json.loads(texts[0]).keys() == {"name", "score"}
    assert "station" in json.loads(texts[2])
