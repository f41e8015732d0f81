"""A model by its name, opened by hand, by `run`, and by whatever calls it with a prompt."""

import asyncio

import pytest

import l0
from l0.compose._map_key import identity
from l0.models import _sim
from l0.testing import SIM_MODELS


@pytest.fixture(autouse=True)
def no_server_left():
    yield
    _sim.close()


async def test_a_run_reads_a_model_by_its_name():
    async with l0.model("sim:json") as ask:
        text = await l0.run(lambda: ask("A person as JSON")).read()
    assert text.startswith("{")


async def test_a_broken_answer_is_continued_from_where_it_broke():
    async with l0.model("sim:story") as calm, l0.model("sim:story", chaos="drop@20") as stormy:
        whole = await l0.run(calm.factory("Tell me a story")).read()
        stream = l0.run(stormy.factory("Tell me a story"), continuation=True)
        assert await stream.read() == whole
    assert stream.state.network_retry_count == 1
    said = _sim.server().requests[-1].body["messages"]
    assert len(said) > 1, "the second request shows the text so far"


async def test_each_prompt_of_a_shared_model_meets_its_own_faults():
    async with l0.model("sim:json", chaos="429") as ask:
        streams = [l0.run(ask.factory("A person"), retry=l0.Retry(base_delay=0)) for _ in range(5)]
        texts = await asyncio.gather(*(stream.read() for stream in streams))
    assert len(set(texts)) == 1
    assert [stream.state.network_retry_count for stream in streams] == [1] * 5


async def test_options_become_parameters_of_the_request():
    async with l0.model("sim:json", system="Be terse.", max_tokens=7, seed=3) as ask:
        await l0.run(ask.factory("A person")).read()
    body = _sim.server().requests[-1].body
    assert body["messages"][0] == {"role": "system", "content": "Be terse."}
    assert (body["max_completion_tokens"], body["seed"]) == (7, 3)


async def test_a_map_asks_again_where_the_model_is_told_something_else(tmp_path):
    """Stored answers are those of the same model: its name, and all that it was told."""

    async def is_stored(name="sim:json", **options):
        async with l0.model(name, **options) as ask:
            store, rows = tmp_path / "map.db", ["A person"]
            direct = await l0.map(rows, "{}", ask, store=store)
            within = await l0.map(rows, "{}", lambda prompt: ask(prompt), store=store)
        assert direct.reused == within.reused
        return direct.reused == 1

    for options in ({}, {"system": "Be brief."}, {"temperature": 0}, {"seed": 7, "top_p": 1}):
        assert not await is_stored(**options)
        assert await is_stored(**options)
    assert await is_stored(top_p=1, seed=7)
    assert await is_stored(speed=1e6)  # as fast as it likes: it says the same
    assert not await is_stored("sim:story")


def test_answers_of_the_local_server_are_not_taken_for_the_providers(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    real, local = l0.model("openai:gpt-x"), l0.model("openai:gpt-x", chaos="429")
    assert identity(real) != identity(local)


async def test_a_model_closed_is_opened_again_by_its_next_use():
    ask = l0.model("sim:json")
    seen = []
    first = await l0.run(ask.factory("A person"), on_event=seen.append).read()
    assert next(e.payload for e in seen if e.type == "STREAM_INIT").model == ask.name
    await ask.aclose()
    assert await l0.run(ask.factory("A person")).read() == first
    await ask.aclose()


def test_an_unknown_name_is_refused_at_once_with_a_near_one():
    with pytest.raises(ValueError, match="did you mean sim:story"):
        l0.model("sim:storry")


def test_a_missing_key_is_named_before_anything_is_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        l0.model("gpt-5-mini")


def test_an_unknown_fault_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="drop"):
        l0.model("sim:json", chaos="explode")


def test_speed_belongs_to_sim_models(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefABCDEF")
    with pytest.raises(ValueError, match="speed is for sim models"):
        l0.model("gpt-5-mini", speed=10)


async def test_an_empty_prompt_is_refused_before_a_request():
    ask = l0.model("sim:json")
    with pytest.raises(ValueError, match="give a model some text"):
        await ask("  ")


@pytest.mark.parametrize("name", sorted(SIM_MODELS))
async def test_every_sim_model_answers(name):
    async with l0.model(f"sim:{name}") as ask:
        stream = l0.run(ask.factory("Hello"))
        await stream.read()
    assert stream.state.completed


@pytest.mark.sdk
@pytest.mark.parametrize("transport", ["sdk", "fast"])
async def test_the_transport_says_who_decodes_what_is_streamed(transport):
    async with l0.model("sim:json", chaos="drop@8", transport=transport) as ask:
        stream = l0.run(ask.factory("A person"), keep_raw=True, retry=l0.Retry(base_delay=0))
        text = await stream.read()
    assert text.endswith("}")
    assert stream.state.network_retry_count == 1
    assert {type(chunk) is dict for chunk in await stream.raw()} == {transport == "fast"}


def test_an_unknown_transport_is_refused_before_anything_is_asked():
    with pytest.raises(ValueError, match="transport must be 'sdk' or 'fast', got 'quick'"):
        l0.model("sim:json", transport="quick")
