"""The beginning of a run, and of each of its attempts."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from typing import Any

from l0.adapters import PassthroughAdapter, bind, select_adapter, select_by_chunk
from l0.events import (
    AdapterDetectedPayload,
    AdapterWrapEndPayload,
    AdapterWrapStartPayload,
    StreamInitPayload,
    StreamReadyPayload,
    TimeoutStartPayload,
)
from l0.stream._attempt import Attempt, AttemptInfo
from l0.stream._checks import start_checks
from l0.stream._interceptors import ask_before
from l0.stream._overlap import OverlapMatcher
from l0.stream._recording import start_monitoring, start_recording
from l0.stream._session import Run
from l0.stream._source import Source, open_source, positional
from l0.stream._watchdog import INF


async def begin(run: Run) -> None:
    """First use of the stream: SESSION_START, the total timer, recording."""
    run.started, run.began = True, run.clock.monotonic()
    try:
        start_recording(run)
        if run.options.monitoring is not None:
            start_monitoring(run)
    except Exception as error:  # no store, no story: nothing has been told, nothing is opened
        run.ended, run.outcome, run.error = True, "failed", error
        raise
    run.tell(run.start_payload())
    run.call(run.callbacks.on_start, 1, False, False)
    timeout = run.options.timeout
    if timeout is not None and timeout.total is not None:
        _tell_timeout(run, "total", timeout.total)
        run.watch.arm_total(timeout.total)


async def open_attempt(run: Run) -> Attempt:
    """Call the factory, open what it returns, choose the adapter; ends ready to wait for it."""
    if run.asked < len(run.options.interceptors) and run.cached is None and run.watch.why is None:
        await ask_before(run)
    if (ambient := sys.exc_info()[1]) is not run.ambient:
        run.ambient = ambient
    watch, state, options = run.watch, run.state, run.options
    started = run.clock.monotonic()
    attempt = Attempt(state.attempt, state.fallback_index, started, feed=_not_bound)
    attempt.tokens_before = attempt.tokens_from = state.token_count
    attempt.chars_before = attempt.chars_from = state.content_length
    run.attempt = attempt
    start_checks(run, attempt)
    resume = run.resuming
    if resume is not None:
        run.resuming = None
        attempt.resumed_from = state.content_length
        attempt.continuation_open = attempt.resume_open = True
        attempt.position = position = resume.position
        if position is not None:
            attempt.tokens_from, attempt.chars_from = position.tokens_from, position.chars_from
            attempt.tool_calls = list(position.tool_calls)
            attempt.delivered_data = position.delivered_data
            attempt.delivered_messages = position.delivered_messages
        elif options.continuation.deduplicate:
            attempt.matcher = OverlapMatcher(state.content, options.continuation)
    else:
        attempt.plain = not run.validated
    attempt.raw = [] if options.keep_raw else None
    if attempt.raw is not None and attempt.position is not None:
        attempt.raw += attempt.position.raw or ()
    watch.enter()  # an abort or the total deadline that came meanwhile ends it here
    run.attempts += 1
    model = model_of(run.factory) if run.bus.active else None
    run.tell(StreamInitPayload(attempt.number, attempt.fallback_index, model))
    _arm_timers(run, started)
    attempt.source = Source(None)
    cached, run.cached = run.cached, None
    made = cached.events() if cached is not None else _call(run, attempt, resume)
    await open_source(made, attempt.source)
    watch.task = None
    hint = options.adapter if cached is None else PassthroughAdapter()
    _bind(run, attempt, hint, (run.clock.monotonic() - started) * 1000)
    timeout = options.timeout
    watch.enter()
    assert timeout is not None
    if watch.kind != "initial_token":
        watch.arm("initial_token", timeout.initial_token, started)
    watch.gap = timeout.inter_token or INF
    return attempt


def model_of(factory: Any) -> str | None:
    """The model that a factory asks: its attribute `model`, or that argument of a partial.

    >>> import functools
    >>> model_of(functools.partial(print, model="gpt-x")), model_of(lambda: ["Hi"])
    ('gpt-x', None)
    """
    if isinstance(factory, functools.partial):
        told = factory.keywords.get("model")
    else:  # looked up without running anybody's code: it is for the record alone
        told = inspect.getattr_static(factory, "model", None)
    return told if isinstance(told, str) else None


def _not_bound(chunk: Any) -> Any:
    raise AssertionError(f"a chunk came before its adapter was chosen: {chunk!r}")


def _arm_timers(run: Run, started: float) -> None:
    timeout = run.options.timeout
    assert timeout is not None
    connect, initial = timeout.connect, timeout.initial_token
    _tell_timeout(run, "connect", connect)
    _tell_timeout(run, "initial_token", initial)
    if connect is not None and (initial is None or connect <= initial):
        run.watch.arm("connect", connect, started)
    else:
        run.watch.arm("initial_token", initial, started)


def _tell_timeout(run: Run, kind: str, limit: float | None) -> None:
    if limit is not None and run.bus.active:  # it says nothing about the state
        run.tell(TimeoutStartPayload(kind, limit * 1000))


def _call(run: Run, attempt: Attempt, resume: Any) -> Any:
    factory = run.factory
    info = AttemptInfo(
        attempt=run.state.attempt,
        fallback_index=run.state.fallback_index,
        is_retry=run.state.attempt > 1,
        is_fallback=run.is_fallback,
        checkpoint=run.state.content if resume is not None else "",
        prompt=resume.prompt if resume is not None else None,
        state=run.state,
        errors=tuple(run.errors),
        clock=run.clock,
        stream_id=run.bus.stream_id,
    )
    attempt.enter_scope(info)
    position = attempt.position
    if position is not None:
        return factory.resume(position.response_id, position.starting_after)
    if not callable(factory):
        return factory  # a single-use source
    return factory(info) if positional(factory) else factory()


def _bind(run: Run, attempt: Attempt, hint: Any, connect_ms: float) -> None:
    """Choose the adapter by the stream, or leave it to the first chunk."""
    source, position = attempt.source, attempt.position
    assert source is not None
    began = run.clock.monotonic()
    stream = source.items if isinstance(source.stream, list | tuple) else source.stream
    if run.bus.active:
        kind = type(stream)
        run.tell(AdapterWrapStartPayload(f"{kind.__module__}.{kind.__qualname__}"))

    def ready(adapter: Any, how: str) -> None:
        if position is None:
            given = run.options.adapter_options if hint is run.options.adapter else None
            items, attempt.decoder = bind(adapter, stream, given, fallback=run.is_fallback)
        else:
            items, attempt.decoder = stream, position.decoder_again()
        attempt.adapter = adapter
        if items is not stream:
            source.read(items)  # the adapter wraps the stream in a generator of its own
        feed = attempt.decoder.feed if position is None else position.feed
        attempt.feed = feed if attempt.raw is None else _keeping(attempt.raw, feed)
        if type(adapter) is PassthroughAdapter and attempt.raw is None:
            attempt.direct = str
        if not run.bus.active:
            return
        run.tell(AdapterDetectedPayload(adapter.name, how))
        run.tell(AdapterWrapEndPayload(adapter.name, run.since(began)))
        run.tell(StreamReadyPayload(attempt.number, attempt.fallback_index, connect_ms))

    def first(chunk: Any) -> Any:
        if chunk is None:
            return None
        ready(*select_by_chunk(chunk))
        return attempt.feed(chunk)

    if position is None:
        chosen = select_adapter(stream, hint, fallback=run.is_fallback)
    else:
        chosen = position.adapter, "hint"
    if chosen is None:
        attempt.feed = first
    else:
        ready(*chosen)


def _keeping(raw: list[Any], feed: Any) -> Any:
    def keep(chunk: Any) -> Any:
        raw.append(chunk)
        return feed(chunk)

    return keep


async def awaited(value: Any) -> Any:
    """The value itself, or what it gives when awaited."""
    return await value if inspect.isawaitable(value) else value


def running_in(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller is on this loop's thread, inside the loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
