"""No secret of the corpus is in anything that a run leaves behind, wherever it had them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import traceback

import pytest
from secret_places import SAMPLES, Told, batches, failure, leaks, meta_of, play

import l0
from l0.cli import main
from l0.errors import ErrorContext, analyze_network_error
from l0.events import (
    CompositeEventStore,
    InMemoryEventStore,
    Redactor,
    catalog,
    open_store,
    to_json,
    verify,
)
from l0.monitoring import (
    Monitor,
    MonitoringConfig,
    TelemetryExporter,
    combine_events,
    create_opentelemetry_handler,
    create_prometheus_handler,
    create_sentry_handler,
)
from l0.notebook._bridge import Bridge
from l0.notebook._display import LiveDisplay
from l0.notebook._failure import shown
from l0.notebook._static import mimebundle
from l0.notebook._story import Story
from l0.testing import ScriptedModel, fail, tool

SOME = batches(60)[::3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the runs through the whole corpus were recorded in, and what else they told."""
    place = tmp_path_factory.mktemp("secrets")
    told: dict[str, str] = {}

    async def record() -> None:
        memory = InMemoryEventStore()
        store = CompositeEventStore(
            [memory, open_store(f"sqlite:///{place}/runs.db"), open_store(f"jsonl:///{place}/runs")]
        )
        for number, made in enumerate(batches()):
            stream = await play(made, event_store=store, stream_id=f"run-{number}")
            assert (await verify(memory, stream.stream_id)).ok
            rows = await memory.stored_rows(stream.stream_id)
            told[f"memory {number}"] = repr(rows)
        await store.close()

    asyncio.run(record())
    return place, told


def test_no_secret_is_in_the_bytes_of_any_store(folder):
    place, told = folder
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".jsonl"}
    for path in files:
        assert leaks(path.read_bytes()) == [], path
    for name, text in told.items():
        assert "[redacted]" in text
        assert leaks(text) == [], name


def test_no_secret_is_in_what_the_command_line_prints(folder, capsys):
    place, _ = folder
    db = str(place / "runs.db")
    for words in (["runs", db], ["verify", db], ["export", db]):
        main(words)
        assert leaks(capsys.readouterr().out) == [], words
    for number in range(len(batches())):
        for command in ("show", "replay"):
            main([command, db, f"run-{number}"])
            printed = capsys.readouterr().out
            assert printed
            assert leaks(printed) == [], (command, number)


def test_no_secret_is_in_the_frames_of_a_log(folder):
    place, _ = folder
    db = str(place / "runs.db")
    for make in (l0.frames.runs, l0.frames.attempts, l0.frames.events, l0.frames.tokens):
        assert leaks(make(db).to_csv()) == [], make.__name__


# Pieces of the text, and checks of it, of which there are thousands.
_OF_TEXT = ("TOKEN", "GUARDRAIL_PHASE", "GUARDRAIL_RULE_", "CHECKPOINT", "DRIFT")


async def test_no_secret_is_in_events_that_are_handed_on():
    """Listeners are the caller's own; what they hand on goes through a `Redactor`."""
    redactor = Redactor()
    for made in SOME:
        seen: list[str] = []

        def export(event, seen=seen):
            seen.append(to_json(redactor.event(event)))

        export.types = [each for each in catalog() if not each.startswith(_OF_TEXT)]
        await play(made, on_event=export)
        assert leaks("\n".join(seen)) == []


class Sentry:
    """What the module is asked to do, without its own scrubbing."""

    def __init__(self):
        self.sent = []

    def __getattr__(self, name):
        def told(*args, **named):
            self.sent.append((name, args, named))
            return self

        return told

    def get_current_span(self):
        return None


async def test_no_secret_reaches_an_exporter(caplog):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from prometheus_client import CollectorRegistry, generate_latest

    caplog.set_level(logging.DEBUG, logger="l0")
    for made in SOME:
        spans, sentry, registry = InMemorySpanExporter(), Sentry(), CollectorRegistry()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(spans))
        monitor = Monitor(MonitoringConfig.development())
        handler = combine_events(
            create_opentelemetry_handler(provider.get_tracer("test")),
            create_sentry_handler(sentry),
            create_prometheus_handler(registry),
            monitor,
        )
        stream = await play(made, on_event=handler, monitoring=True)
        exported = "\n".join(span.to_json() for span in spans.get_finished_spans())
        for told in (
            exported,
            repr(sentry.sent),
            generate_latest(registry).decode(),
            *(TelemetryExporter.to_json(each) for each in (*monitor.all(), stream.telemetry)),
        ):
            assert told
            assert leaks(told) == []
    assert leaks(caplog.text) == []


async def test_no_secret_of_a_real_clients_error_is_recorded(tmp_path):
    """Bodies, URLs and headers of the SDKs' own exceptions, made by the SDKs themselves."""
    anthropic, openai = pytest.importorskip("anthropic"), pytest.importorskip("openai")
    httpx = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
    for number, made in enumerate(SOME[:1]):
        text = "\n".join(each.text for each in made)
        bodies = iter(
            [
                httpx.Response(401, json={"error": {"message": text, "type": "x", "code": text}}),
                httpx.Response(400, text=text, headers={"x-request-id": "r"}),
                httpx.ConnectError(f"{text} refused", request=httpx.Request("GET", "https://x")),
            ]
            * 2
        )

        def answer(request, bodies=bodies):
            found = next(bodies)
            if isinstance(found, Exception):
                raise found
            return found

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            key = f"sk-{'a1B2' * 8}"
            clients = (
                openai.AsyncOpenAI(api_key=key, max_retries=0, http_client=http).chat.completions,
                anthropic.AsyncAnthropic(api_key=key, max_retries=0, http_client=http).messages,
            )
            store = open_store(f"sqlite:///{tmp_path}/{number}.db")
            for client in clients:
                for _ in range(3):
                    stream = l0.run(
                        lambda client=client: client.create(
                            model="m", messages=[], max_tokens=5, stream=True
                        ),
                        retry=False,
                        event_store=store,
                    )
                    with pytest.raises(Exception, match=r"(?s)."):
                        await stream.read()
                    wrapped = l0.Error(str(stream.error), ErrorContext(errors=(stream.error,)))
                    assert leaks(json.dumps(wrapped.to_json())) == []
                    assert leaks(repr(analyze_network_error(stream.error))) == []
            await store.close()
    for path in tmp_path.rglob("*"):
        assert leaks(path.read_bytes()) == [], path


async def test_no_secret_is_in_a_view_live_or_static():
    """But for the answer itself, which is shown as it came."""
    for made in SOME:
        stream, text = prepared(made)
        sent, shell = [], Shell()
        display = LiveDisplay(stream, model="m", shell=shell)
        bridge = Bridge(display.story, sent.append)
        display.show()
        with pytest.raises(Told) as raised:
            await stream.read()
        await display.finish(raised.value)
        bridge.refresh()
        told = [*sent, bridge.snapshot(), *shell.outputs]
        assert len(told) > 3
        assert (
            leaks("\n".join(json.dumps(each, default=str, ensure_ascii=False) for each in told))
            == []
        )
        assert leaks(str(shown(raised.value, Handled(stream)))) == []
        assert text in str(raised.value)


async def test_no_secret_is_in_a_view_of_a_run_that_is_over():
    for made in SOME:
        stream, _ = prepared(made)
        with pytest.raises(Told):
            await stream.read()
        story = Story.of_stream(stream)
        assert leaks(json.dumps(Bridge(story, print).snapshot(), ensure_ascii=False)) == []
        assert leaks(repr(mimebundle(story))) == []


def prepared(made):
    """A run that fails, after an answer without a secret, with an error that has them all."""
    text = "\n".join(each.text for each in made)
    call = tool("1", "look", {"note": text, "list": [{"password": made[0].secret}]})
    model = ScriptedModel(
        [fail(failure(text)), "never"],
        ["An answer. ", call, fail(failure(f"again: {text}"))],
        [fail(failure(f"at last: {text}"))],
    )
    retry = l0.Retry(attempts=3, max_retries=2, base_delay=0)
    return l0.run(model, retry=retry, meta=meta_of(made), continuation=True), text


class Shell:
    """What a cell of a headless notebook shows."""

    kernel = None
    execution_count = 1

    def __init__(self):
        self.outputs = []
        self.display_pub = self

    def publish(self, **output):
        self.outputs.append(output)


class Handled:
    """What a cell's handle knows."""

    name = "answer"
    display = None  # so that the failure says what to do, too

    def __init__(self, stream):
        self.stream, self.errors, self.state = stream, stream.errors, stream.state
        self.stream_id = stream.stream_id


def test_no_secret_is_in_what_an_error_of_the_library_tells():
    for made in batches():
        text = "\n".join(each.text for each in made)
        context = ErrorContext(
            partial_text=text, checkpoint=text, meta=meta_of(made), errors=(failure(text),)
        )
        error = l0.Error(text, context)
        error.__cause__ = failure(text)
        error.add_note(text)
        assert leaks(json.dumps(error.to_json(), ensure_ascii=False)) == []
        assert leaks(error.to_detailed_string()) == []


def test_what_the_library_logs_holds_no_secret():
    """In its messages and tracebacks, whatever handlers the application has."""
    log = logging.getLogger("l0")
    for made in batches():
        text = "\n".join(each.text for each in made)
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        log.addHandler(handler)
        try:
            log.warning("it failed: %s, %r", text, {"said": text})
            log.warning("it failed", exc_info=failure(text))
        finally:
            log.removeHandler(handler)
        assert "Told" in out.getvalue()
        assert leaks(out.getvalue()) == []


def test_a_log_record_without_a_secret_keeps_its_arguments_and_exception():
    kept = []

    class Keep(logging.Handler):
        def emit(self, record):
            kept.append(record)

    log, handler, error = logging.getLogger("l0"), Keep(), ValueError("plain")
    log.addHandler(handler)
    try:
        log.warning("%s of %s", 1, 2, exc_info=error)
    finally:
        log.removeHandler(handler)
    assert kept[0].args == (1, 2)
    assert kept[0].exc_info[1] is error


def test_the_bait_is_there():
    """Without redaction all of it is to be seen: the tests above would notice."""
    for made in batches():
        text = "".join(traceback.format_exception(failure("\n".join(each.text for each in made))))
        names = [name for name, each in SAMPLES.items() if each in made]
        found = leaks(text)
        assert [name for name in names if name not in found] == []
