"""The sim models: deterministic, varied, and what each of them promises."""

from __future__ import annotations

import builtins
import collections
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.testing._reply import tokenize
from l0.testing._sim import SIM_MODELS, known_models, sim_answer


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no sim model 'sim:poem'; there are sim:story, sim:json"):
        sim_answer("sim:poem", "hi")


@pytest.mark.parametrize("name", SIM_MODELS)
def test_the_same_question_gets_the_same_answer(name: str) -> None:
    assert sim_answer(name, "hi", seed=3) == sim_answer(f"sim:{name}", "hi ", seed=3)
    assert len({sim_answer(name, str(prompt)).text for prompt in range(20)}) > 1


@pytest.mark.parametrize("name", sorted(SIM_MODELS.keys() - {"long"}))  # which takes its time
@given(prompt=st.text(), seed=st.integers())
def test_any_prompt_gets_an_answer(name: str, prompt: str, seed: int) -> None:
    assert sim_answer(name, prompt, seed).text


def test_answers_do_not_depend_on_the_process() -> None:
    program = (
        "import sys, zlib; from l0.testing._sim import sim_answer, SIM_MODELS;"
        "print(zlib.crc32(''.join(sim_answer(n, 'hi').text for n in SIM_MODELS).encode()))"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sums) == 1


def test_models_are_known_by_their_full_names() -> None:
    assert known_models() == [f"sim:{name}" for name in SIM_MODELS]


def test_a_story_is_of_the_promised_length_and_rarely_the_same() -> None:
    texts = [sim_answer("story", str(prompt)).text for prompt in range(200)]
    assert all(180 <= len(text.split()) <= 250 for text in texts)
    assert len(set(texts)) > 190
    assert not any("{" in text or "}" in text for text in texts)


def test_the_json_is_a_nested_document() -> None:
    text = sim_answer("json", "hi").text
    document = json.loads(text)
    assert document["readings"][0]["wind"]["knots"] > 0
    assert 35 <= len(text.splitlines()) <= 60


@pytest.mark.parametrize("prompt", [str(number) for number in range(6)])
def test_the_code_runs_and_prints_what_its_comments_say(prompt: str) -> None:
    answer = sim_answer("code", prompt)
    (program,) = re.findall(r"```python\n(.*?)```", answer.text, re.DOTALL)
    promised = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        builtins.exec(program, {})
    assert promised
    assert printed.getvalue().splitlines() == promised
    assert answer.reasoning


def test_the_page_has_every_common_block() -> None:
    text = sim_answer("markdown", "hi").text
    for block in (
        r"^# ", r"^## ", r"^1\. ", r"^   - ", r"^\| :--- \|", r"^> ", r"^```text$", r"^- \[x\] ",
        r"\*\*\w", r"\*\w", r"~~", r"`\d+`", r"\]\[lens\]", r"^---$",
    ):  # fmt: skip
        assert re.search(block, text, re.MULTILINE), block
    assert text.count("```") == 2


def test_tools_are_called_for_the_cities_of_the_prompt() -> None:
    answer = sim_answer("tools", "Is it colder in Tokyo or in Bergen?")
    assert [(call.name, call.arguments["city"]) for call in answer.tool_calls] == [
        ("get_weather", "Tokyo"),
        ("get_weather", "Bergen"),
    ]


def test_tools_are_called_for_two_different_cities_when_none_or_one_is_named() -> None:
    for prompt in ("hi", "and in Lisbon?", "", "Paris"):
        cities = [call.arguments["city"] for call in sim_answer("tools", prompt).tool_calls]
        assert len(set(cities)) == 2
        assert all(city in cities for city in ("Lisbon", "Paris") if city in prompt)


def test_tool_results_end_the_calling() -> None:
    answer = sim_answer("tools", "hi", 0, ["Oslo: 3 °C", "Lisbon: 21 °C"])
    assert answer.tool_calls == ()
    assert "- Oslo: 3 °C\n- Lisbon: 21 °C" in answer.text


def test_the_unicode_text_holds_what_breaks_things() -> None:
    text = sim_answer("unicode", "hi").text
    assert "\u200d" in text
    assert any(ord(mark) > 0xFFFF for mark in text)
    assert any(unicodedata.combining(mark) for mark in text)
    assert {unicodedata.bidirectional(mark) for mark in text} >= {"R", "AL", "L"}
    assert any("CJK UNIFIED" in unicodedata.name(mark, "") for mark in text)
    assert any("MATHEMATICAL" in unicodedata.name(mark, "") for mark in text)
    assert any("REGIONAL INDICATOR" in unicodedata.name(mark, "") for mark in text)
    assert text.encode()


def test_the_long_text_is_long_and_never_repeats_a_sentence() -> None:
    text = sim_answer("long", "hi").text
    assert 18_000 < len(tokenize(text)) < 23_000
    sentences = [part.casefold() for part in re.split(r"(?<=[.!?]\s)", text) if part.strip()]
    assert max(collections.Counter(sentences).values()) == 1


def test_the_long_text_does_not_look_like_a_loop() -> None:
    """No five words make up a visible part of any 500 characters; no run of 48 comes back soon."""
    text = sim_answer("long", "hi").text
    for start in range(0, len(text), 250):
        window = text[start : start + 500].split()
        phrases = collections.Counter(zip(*(window[offset:] for offset in range(5)), strict=False))
        assert sum(count for count in phrases.values() if count >= 3) == 0
    for end in range(2_000, len(text), 97):
        assert text.count(text[end - 48 : end], end - 2_000, end) == 1
