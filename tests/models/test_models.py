"""From the name of a model to requests: providers, keys, clients, parameters."""

import asyncio
import gc
import weakref

import pytest

from l0.models import (
    Clients,
    ModelName,
    Request,
    _sim,
    check_key,
    is_model,
    known_models,
    opener,
    parse_model,
)
from l0.stream import Retry, run
from l0.testing import FaultServer, Reply

KEY = "sk-test-0123456789abcdefABCDEF"


@pytest.fixture
def env(monkeypatch):
    """No keys and no addresses but those of the test."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
async def clients():
    made = Clients()
    yield made
    made.close()
    await asyncio.gather(*made._closing)


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("openai:gpt-5", ModelName("openai", "gpt-5", "openai")),
        ("openai:org/any:thing", ModelName("openai", "org/any:thing", "openai")),
        ("gpt-4o-mini", ModelName("openai", "gpt-4o-mini", "openai")),
        ("o3", ModelName("openai", "o3", "openai")),
        ("o4-mini", ModelName("openai", "o4-mini", "openai")),
        ("claude-opus-4-5", ModelName("anthropic", "claude-opus-4-5", "anthropic")),
        ("anthropic:x", ModelName("anthropic", "x", "anthropic")),
        ("sim:story", ModelName("sim", "story", "openai")),
        ("sim:tools@anthropic", ModelName("sim", "tools", "anthropic")),
        ("fast", ModelName("openai", "gpt-5-nano", "openai")),
    ],
)
def test_a_name_means_a_model(text, model):
    assert parse_model(text, {"fast": "openai:gpt-5-nano"}) == model


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sim:stroy", "no model sim:stroy; did you mean sim:story?"),
        ("sim:", "there are sim:story, sim:json"),
        ("sim:story@azure", "behind the @ stands openai or anthropic"),
        ("stroy", "did you mean sim:story?"),
        ("fats", "did you mean fast?"),
        ("opneai:gpt-5", "did you mean openai:gpt-5? providers are openai, anthropic, sim"),
        ("llama3", "write provider:model, such as openai:llama3, or see %l0 models"),
        ("openai:", "name one, such as openai:…"),
        ("", "no model ''"),
    ],
)
def test_an_unknown_name_names_the_nearest_known_one(text, message):
    with pytest.raises(ValueError) as caught:
        parse_model(text, {"fast": "openai:gpt-5-nano"})
    assert message in str(caught.value)


@pytest.mark.parametrize("word", ["sim:story", "sim:nope", "opneai:x", "gpt-5", "o3", "fast"])
def test_these_words_begin_no_prompt(word):
    assert is_model(word, {"fast": "sim:story"})


@pytest.mark.parametrize(
    "word", ["What", "note:", "a:b", "https://x.org", "claude", "story", "10:30", "o", "Q:hi"]
)
def test_these_words_may_begin_a_prompt(word):
    assert not is_model(word, {"fast": "sim:story"})


def test_models_are_shown_as_they_are_written():
    for text in ("sim:story", "sim:story@anthropic", "openai:gpt-5"):
        assert str(parse_model(text)) == text


@pytest.mark.parametrize("provider", ["openai", "anthropic", "sim"])
def test_the_known_models_of_a_provider_are_models(provider):
    names = known_models(provider)
    assert len(names) > 3
    assert all(parse_model(name).provider == provider for name in names)


# --- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variable"), [("gpt-5", "OPENAI_API_KEY"), ("claude-x", "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_is_named(env, text, variable):
    with pytest.raises(ValueError, match=f"{text} needs a key: set {variable}"):
        check_key(parse_model(text))
    env.setenv(variable, "  ")
    with pytest.raises(ValueError, match="needs a key"):
        check_key(parse_model(text))
    env.setenv(variable, KEY)
    check_key(parse_model(text))


def test_an_address_makes_the_key_optional(env):
    env.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    check_key(parse_model("gpt-5"))


def test_a_sim_model_needs_none(env):
    check_key(parse_model("sim:story"))


# --- requests -------------------------------------------------------------------------------


def ask(model, clients, script=None, **request):
    asked = Request(**{"prompt": "Tell me.", **request})
    return opener(parse_model(model), asked, clients, script)


async def test_openai_gets_the_question_and_its_parameters(env, clients):
    async with FaultServer(Reply("Hello there.")) as server:
        env.setenv("OPENAI_BASE_URL", server.base_url)
        factory = ask(
            "openai:local",
            clients,
            system="Be kind.",
            temperature=0.5,
            max_tokens=99,
            params={"seed": 7, "top_k": 5, "extra_body": {"min_p": 0.1}},
        )
        stream = run(factory)
        assert await stream.read() == "Hello there."
        body = server.requests[0].body
    assert body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Tell me."},
    ]
    sent = ("model", "temperature", "max_tokens", "seed", "top_k", "min_p", "stream")
    assert [body[name] for name in sent] == ["local", 0.5, 99, 7, 5, 0.1, True]
    assert stream.usage.output_tokens > 0


async def test_anthropic_gets_the_question_and_its_parameters(env, clients):
    async with FaultServer(Reply("Hello there.")) as server:
        env.setenv("ANTHROPIC_BASE_URL", server.anthropic_base_url)
        env.setenv("ANTHROPIC_API_KEY", KEY)
        factory = ask("anthropic:local", clients, system="Be kind.", temperature=0.5)
        assert await run(factory).read() == "Hello there."
        body = server.requests[0].body
    assert body["system"] == "Be kind."
    assert body["messages"] == [{"role": "user", "content": "Tell me."}]
    assert (body["temperature"], body["max_tokens"]) == (0.5, 4096)


async def test_openai_itself_is_told_the_limit_in_its_present_word(env, clients):
    env.setenv("OPENAI_API_KEY", KEY)
    script = _sim.Script()
    try:
        stream = run(ask("gpt-5", clients, script, max_tokens=5))
        await stream.read()
        assert _sim.server().requests[-1].body["max_completion_tokens"] == 5
        assert stream.finish_reason == "length"
    finally:
        _sim.close()


@pytest.mark.parametrize("via", ["openai", "anthropic"])
async def test_a_broken_answer_is_taken_up_where_it_stopped(env, clients, via):
    script = _sim.Script("drop@40,reset@30", None)
    try:
        model = f"sim:story@{via}"
        whole = await run(ask(model, clients, _sim.Script())).read()
        before = len(_sim.server().requests)
        stream = run(
            ask(model, clients, script), continuation=True, retry=Retry(base_delay=0, max_delay=0)
        )
        text = await stream.read()
        requests = _sim.server().requests[before:]
    finally:
        _sim.close()
    assert text == whole
    assert len(requests) == 3  # the client itself never tries again
    assert [len(request.body["messages"]) for request in requests] == [1, 2, 2]
    assert all(request.continued_from > 0 for request in requests[1:])
    assert stream.state.resumed


async def test_each_run_meets_its_own_faults(env, clients):
    calm, stormy = _sim.Script(), _sim.Script("429")
    try:
        both = [run(ask("sim:story", clients, s), retry=False) for s in (stormy, calm)]
        results = await asyncio.gather(*(s.read() for s in both), return_exceptions=True)
    finally:
        _sim.close()
    assert type(results[0]).__name__ == "RateLimitError"
    assert isinstance(results[1], str)


# --- clients --------------------------------------------------------------------------------


async def test_a_client_is_built_once_and_again_for_another_key(env, clients):
    env.setenv("OPENAI_API_KEY", KEY)
    first = clients.get("openai", local=False)
    assert clients.get("openai", local=False) is first
    assert first.max_retries == 0
    env.setenv("OPENAI_API_KEY", KEY + "2")
    assert clients.get("openai", local=False) is not first


def test_clients_of_loops_that_are_closed_are_let_go(env):
    """A script that calls `asyncio.run` again and again keeps one client, not one each time."""
    env.setenv("OPENAI_API_KEY", KEY)
    clients, found = Clients(), []

    async def use():
        found.append(weakref.ref(clients.get("openai", local=False)))
        assert clients.get("openai", local=False) is found[-1]()

    for _ in range(5):
        asyncio.run(use())
    gc.collect()
    assert [client() is not None for client in found] == [False] * 4 + [True]


def test_a_client_belongs_to_its_loop(env):
    env.setenv("OPENAI_API_KEY", KEY)
    clients, found = Clients(), []

    async def use():
        found.append(clients.get("openai", local=False))
        clients.close()
        await asyncio.gather(*clients._closing)

    asyncio.run(use())
    asyncio.run(use())
    assert found[0] is not found[1]
    assert all(client.is_closed() for client in found)


async def test_no_key_is_told_by_what_a_person_can_look_at(env, clients):
    env.setenv("OPENAI_API_KEY", KEY)
    env.setenv("ANTHROPIC_API_KEY", KEY)
    factory = ask("gpt-5", clients)
    clients.get("openai", local=False)
    stream = run(factory)
    shown = [repr(x) for x in (clients, factory, stream, stream.options, parse_model("gpt-5"))]
    assert not any(KEY in text for text in shown)
