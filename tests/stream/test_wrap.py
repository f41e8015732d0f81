"""S94: a client stays the client, and its streams become reliable."""

from __future__ import annotations

import pytest

import l0
from l0.errors import FeatureNotEnabledError, InvalidStreamError
from l0.stream import CachedResult, Retry, Stream, Timeout, WrappedClient, transform_interceptor
from l0.testing import ScriptedModel, fail, http_error, openai_chunks, stall

NET = ConnectionResetError("gone")


class Completions:
    """`client.chat.completions` as it is needed here: each call is answered from a list."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    async def create(self, *args, **kwargs):
        """Answer."""
        self.asked.append((args, kwargs))
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def parse(self, text):
        return text


class Client:
    """As much of a client as is needed."""

    def __init__(self, *answers, retries=2):
        self.max_retries = retries
        self.completions = Completions(iter(answers))
        self.chat = type("Chat", (), {"completions": self.completions, "other": "thing"})()
        self.base_url = "http://127.0.0.1:1"
        self.entered = False

    def with_options(self, **options):
        client = Client(retries=options["max_retries"])
        client.__dict__.update(self.__dict__, max_retries=options["max_retries"])
        return client

    async def __aenter__(self):
        self.entered = True
        return self

    async def __aexit__(self, *exc):
        self.entered = False


async def chunks(text, error=None):
    for chunk in openai_chunks(text, finish_reason=None if error else "stop"):
        yield chunk
    if error is not None:
        raise error


async def test_s94_attributes_delegate_and_the_clients_retries_are_off():
    """Everything but `create` is the client's own."""
    client = Client()
    wrapped = l0.wrap(client)
    assert isinstance(wrapped, WrappedClient)
    assert (wrapped.base_url, wrapped.chat.other) == (client.base_url, "thing")
    assert (wrapped.max_retries, client.max_retries, wrapped.unwrapped) == (0, 2, client)
    assert await wrapped.chat.completions.parse("x") == "x"
    with pytest.raises(AttributeError):
        _ = wrapped.nothing
    async with wrapped as entered:
        assert entered is wrapped
        assert wrapped._client.entered
    assert repr(wrapped) == "<l0.wrap(Client)>"


async def test_s94_a_stream_repeats_the_call(clock):
    """Positional and keyword arguments alike; continuation adds a turn."""
    client = Client(chunks("The quick brown ", NET), chunks("brown fox"))
    wrapped = l0.wrap(client, clock=clock, continuation=True, retry=Retry(base_delay=0))
    messages = [{"role": "user", "content": "Go."}]
    stream = wrapped.chat.completions.create("m", messages=messages, stream=True)
    assert isinstance(stream, Stream)
    assert await stream.read() == "The quick brown fox"
    (first, again) = client.completions.asked
    assert first == (("m",), {"messages": messages, "stream": True})
    assert again[0] == ("m",)
    assert again[1]["messages"][:1] == messages
    assert "The quick brown " in again[1]["messages"][1]["content"]


async def test_s94_a_call_without_streaming_is_retried(clock):
    """Its result is the client's own object."""
    answer = object()
    client = Client(http_error(503), NET, answer)
    wrapped = l0.wrap(client, clock=clock, retry=Retry(base_delay=1))
    assert await wrapped.chat.completions.create(model="m") is answer
    assert len(client.completions.asked) == 3
    assert clock.now > 0


async def test_s94_a_call_without_streaming_times_out_and_falls_back(clock):
    """Under the same timeout and fallbacks as a stream."""

    class Slow(Completions):
        async def create(self, **kwargs):
            await clock.sleep(60)

    client, answer = Client(), object()
    client.chat.completions = Slow(iter(()))

    async def other():
        return answer

    wrapped = l0.wrap(
        client, clock=clock, timeout=Timeout(initial_token=5), retry=False, fallbacks=[other]
    )
    assert await wrapped.chat.completions.create(model="m") is answer
    assert clock.now == 5
    alone = wrapped.with_options(fallbacks=[])
    with pytest.raises(l0.errors.InitialTokenTimeoutError):
        await alone.chat.completions.create(model="m")


async def test_s94_the_clients_own_error_is_raised(clock):
    """After the retries that make sense."""
    error = http_error(401)
    client = Client(error)
    with pytest.raises(type(error)) as raised:
        await l0.wrap(client, clock=clock).chat.completions.create(model="m")
    assert raised.value is error


async def test_what_judges_text_leaves_whole_answers_alone(clock):
    """There is no text to judge; only what asks before the call has its turn."""
    answer, seen = object(), []

    class Before:
        name = "before"

        def before(self, options):
            seen.append(options)

        def after(self, done):
            seen.append(done)

    wrapped = l0.wrap(
        Client(answer),
        clock=clock,
        guardrails=l0.Guardrails.strict(),
        drift=True,
        continuation=True,
        deliver="validated",
        interceptors=[Before(), transform_interceptor(lambda text: "other")],
    )
    assert await wrapped.chat.completions.create(model="m") is answer
    assert len(seen) == 1


async def test_a_cached_text_is_no_answer_of_the_client(clock):
    """It is said rather than given in the place of the provider's object."""

    class Cache:
        name = "cache"

        def before(self, options):
            return CachedResult("known")

    client = Client(object(), chunks("a"))
    wrapped = l0.wrap(client, clock=clock, interceptors=[Cache()])
    with pytest.raises(FeatureNotEnabledError, match="stream=True"):
        await wrapped.chat.completions.create(model="m")
    assert await wrapped.chat.completions.create(model="m", stream=True).read() == "known"
    assert client.completions.asked == []


def test_s94_bad_options_are_told_at_once():
    """Not at the first call."""
    with pytest.raises(TypeError, match="did you mean retry"):
        l0.wrap(Client(), retires=3)
    with pytest.raises(TypeError, match="did you mean timeout"):
        l0.wrap(Client()).with_options(timout=3)


async def test_s94_with_options_merges(clock):
    """Into a new object; the old one is as it was."""
    wrapped = l0.wrap(Client(), clock=clock, retry=False)
    other = wrapped.with_options(continuation=True)
    assert (other._options["retry"], other._options["continuation"]) == (False, True)
    assert "continuation" not in wrapped._options


async def test_an_option_is_changed_by_either_of_its_names(clock):
    """`context=` is `meta=`: what is said last counts."""
    wrapped = l0.wrap(Client(chunks("hi")), clock=clock, meta={"job": 1}).with_options(
        context={"job": 2}
    )
    stream = wrapped.chat.completions.create(messages=[], stream=True)
    assert stream.options.meta == {"job": 2}
    await stream.aclose()
    with pytest.raises(TypeError, match="context is another name of meta"):
        wrapped.with_options(meta={}, context={})


async def test_s94_a_single_use_source_is_never_iterated_twice(clock):
    """Its real error is raised, whatever the policy says."""
    opened = []

    async def source():
        opened.append(True)
        yield "a"
        raise NET

    for given in (source(), _later(source)):
        stream = l0.wrap(given, clock=clock, retry=Retry(attempts=9))
        with pytest.raises(ConnectionResetError) as raised:
            await stream.read()
        assert raised.value is NET
    assert len(opened) == 2


async def _later(source):
    return source()


async def test_what_wrap_takes(clock):
    """A function, a stream, an awaitable; anything else is refused with a word on what to give."""
    assert await l0.wrap(lambda: ["a"], clock=clock).read() == "a"
    assert await l0.wrap(l0.run(ScriptedModel(["a"]), clock=clock), clock=clock).read() == "a"
    for given in (7, ["a"], None):
        with pytest.raises(TypeError, match="AsyncOpenAI"):
            l0.wrap(given)


async def test_a_forgotten_stream_argument_is_explained(clock):
    """A whole answer where a stream was meant."""

    class Whole:
        choices = ()

    with pytest.raises(InvalidStreamError, match="stream=True"):
        await l0.run(lambda: Whole(), clock=clock).read()


async def test_a_wrapped_stream_obeys_timeouts(clock):
    """The options of the client are those of its streams."""

    async def slow():
        await clock.sleep(60)
        yield "late"

    client = Client(slow(), chunks("fine"))
    wrapped = l0.wrap(client, clock=clock, timeout=Timeout(), retry=Retry(base_delay=0))
    assert await wrapped.chat.completions.create(stream=True).read() == "fine"


@pytest.mark.parametrize("error", ["gone", None, dict], ids=repr)
def test_a_script_fails_with_errors_only(error):
    """Told where it is written, rather than as an odd failure of the model."""
    with pytest.raises(TypeError, match="fail takes an error to raise, or an HTTP status"):
        fail(error)


async def test_script_helpers_wait_on_the_runs_clock(clock):
    """A stall costs a test no time, also behind a wrapped client."""
    model = ScriptedModel([stall(3600), "a", fail(NET)], ["b"])
    assert await l0.wrap(model, clock=clock, retry=Retry(base_delay=0)).read() == "b"
    assert clock.now >= 3600


@pytest.mark.parametrize(
    ("options", "meta"),
    [
        ({}, {"model": "gpt-5-mini"}),
        ({"meta": {"job": 7}}, {"job": 7, "model": "gpt-5-mini"}),
        ({"context": {"job": 7}}, {"job": 7, "model": "gpt-5-mini"}),
        ({"meta": {"model": "mine"}}, {"model": "mine"}),
    ],
)
async def test_a_run_says_which_model_was_asked_for(clock, options, meta):
    """So logs, frames and prices know it, also of a run that never got an answer."""
    seen = []
    wrapped = l0.wrap(Client(chunks("hi")), clock=clock, on_event=seen.append, **options)
    await wrapped.chat.completions.create(model="gpt-5-mini", messages=[], stream=True).read()
    assert dict(seen[0].meta) == meta
    assert next(e.payload for e in seen if e.type == "STREAM_INIT").model == "gpt-5-mini"
