"""The loop of a run: pull, fold, check, emit, yield.

Retrying, falling back, resuming, checking and finishing stand around it, each in its own module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from l0.events import Event, EventType
from l0.stream._accept import accept, end_of_source
from l0.stream._checks import attend, stop_checks
from l0.stream._finish import complete, conclude, release
from l0.stream._interceptors import intercept
from l0.stream._open import begin, open_attempt
from l0.stream._recover import recover
from l0.stream._session import Run
from l0.stream._watchdog import Stopped, current_tasks


async def drive(run: Run) -> AsyncGenerator[Event, None]:
    """One turn of the outer loop an attempt, one turn of the inner loop a chunk."""
    state, watch, token, parts = run.state, run.watch, EventType.TOKEN, run.state._parts
    monotonic, loop, tasks = run.clock.monotonic, asyncio.get_running_loop(), current_tasks
    restart: Event | None = None
    try:
        while True:
            try:
                if not run.started:
                    await begin(run)
                if restart is not None:
                    run.handed(restart)
                    yield restart
                attempt = await open_attempt(run)
                feed, direct, gap = attempt.feed, attempt.direct, watch.gap
                inline = str if attempt.plain else None  # what takes the short way
                length, count = state.content_length, state.token_count
                async for chunk in attempt.source.items:  # type: ignore[union-attr]
                    watch.task = None
                    out = chunk if chunk.__class__ is direct else feed(chunk)
                    if out.__class__ is inline and out:  # the common case, in line
                        event = Event(token, out, length)
                        parts.append(out)
                        state.content_length = length = length + len(out)
                        count += 1
                        if count >= attempt.due:
                            attend(run, attempt, event)
                            feed, direct = attempt.feed, attempt.direct  # the first chunk chose
                            if run.recorder is not None and run.recorder.full:
                                await watch.limited(run.recorder.room(), "", None)
                        yield event
                        state._last_mono = now = monotonic()
                        watch.deadline = now + gap
                    else:
                        for event in accept(run, attempt, out):
                            run.handed(event)
                            yield event
                            if watch.why is not None:
                                raise watch.verdict()
                        if attempt.complete is not None:
                            break
                        if run.recorder is not None and run.recorder.full:
                            await watch.limited(run.recorder.room(), "", None)
                        if out is not None:
                            watch.deadline = (now := monotonic()) + gap
                            if state.token_count != count:
                                state._last_mono = now
                        count = state.token_count
                        feed, direct = attempt.feed, attempt.direct
                        inline = str if attempt.plain else None
                        length = state.content_length
                    if watch.why is not None:
                        raise watch.verdict()
                    watch.task = task = tasks[loop]
                    watch.baseline = task.cancelling()
                watch.task = None
                for event in end_of_source(run, attempt):
                    run.handed(event)
                    yield event
                    if watch.why is not None and not (attempt.calls_out and watch.why == "total"):
                        raise watch.verdict()
                rest = await complete(run, attempt)
                if rest is None:
                    for event in await intercept(run, attempt):
                        run.handed(event)
                        yield event
                        if watch.why is not None:
                            raise watch.verdict()
                    rest = await conclude(run, attempt)
                for event in rest:
                    yield event
                return
            except BaseException as raised:  # whatever it is, the upstream has to be closed
                chunk = out = None  # the error's own event would be a cycle nobody can collect
                restart = await recover(run, watch.translate(raised))
    except Stopped:
        return
    finally:
        stop_checks(run)
        await release(run)
