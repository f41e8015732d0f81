"""`l0 demo`: one answer, three requests, two of them broken; the terminal shows all of it."""

# ruff: noqa: T201  a demonstration prints

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import l0
from l0.events import EventType, ObservabilityEvent
from l0.stream import Stream
from l0.testing import FaultServer, Reply, parse_faults

STORY = (
    "The lamp of Grey Point had burned for a hundred years when the telegraph fell silent. "
    "Ines climbed the stairs, listened to the storm, and began to send by light what the wire "
    "would not carry: three short, three long, three short. Far out, a ship answered."
)
FAULTS = ("stall@14", "drop@33")


async def demo(record: Path, *, fast: bool) -> int:
    """Play it, live; gives the exit status."""
    import openai

    record.parent.mkdir(parents=True, exist_ok=True)
    speed = 2000.0 if fast else 30.0
    replies = [Reply(STORY, faults=parse_faults(f), tokens_per_second=speed) for f in FAULTS]
    replies.append(Reply(STORY, tokens_per_second=speed))
    store = l0.open_store(f"sqlite:///{record.resolve()}")  # noqa: ASYNC240  once, before it runs
    async with FaultServer(*replies) as server:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0)

        def ask() -> Any:
            return client.chat.completions.create(
                model="sim:story",
                messages=[{"role": "user", "content": "Tell me of the lighthouse."}],
                stream=True,
            )

        print(_bold("A model answers over a bad line."), end=" ")
        print("Request 1 will stall, request 2 will be cut off, request 3 holds.\n")
        happened: list[ObservabilityEvent] = []
        stream = l0.run(
            ask,
            retry=l0.Retry(base_delay=0.2 if fast else 0.5),
            timeout=l0.Timeout(initial_token=5, inter_token=0.4 if fast else 1.2),
            event_store=store,
            on_event=happened.append,
        )
        text = await _show(stream)
        await client.close()
    await store.close()
    whole = text == STORY
    _tell(stream, happened, record, whole=whole)
    return 0 if whole else 1


# --- the live answer ------------------------------------------------------------------------


async def _show(stream: Stream) -> str:
    shown = ""
    async for event in stream:
        if event.type is EventType.TOKEN:
            shown += event.text or ""
            print(event.text, end="", flush=True)
        elif event.type is EventType.RESTART:
            withdrawn, shown = shown[event.kept_chars :], shown[: event.kept_chars]
            _withdraw(withdrawn, event.reason or "")
    print("\n")
    return shown


def _withdraw(text: str, reason: str) -> None:
    """Strike out what was shown, where the terminal can; say so everywhere."""
    if _terminal():
        lines = len(text) // shutil.get_terminal_size().columns
        print(f"\r\x1b[{lines}A" if lines else "\r", end="")
        print(f"\x1b[J\x1b[2;9m{text}\x1b[0m")
    else:
        print()
    print(_dim(f"  ↑ withdrawn: {len(text)} characters ({reason.replace('_', ' ')}). Again:"))


# --- what happened --------------------------------------------------------------------------

_TOLD = {
    "STREAM_INIT": lambda e: f"request {e['attempt']} goes out",
    "TIMEOUT_TRIGGERED": lambda e: (
        f"{e['timeout_type'].replace('_', ' ')}: nothing for {e['elapsed_ms'] / 1000:.1f} s"
    ),
    "NETWORK_ERROR": lambda e: f"{e['network_type'].replace('_', ' ')}: {e['error']}",
    "RETRY_ATTEMPT": lambda e: f"retry {e['attempt']} in {e['delay_ms'] / 1000:.2f} s",
    "RESTART": lambda e: f"{e['discarded_chars']} characters withdrawn, {e['kept_chars']} stand",
    "NETWORK_RECOVERY": lambda e: f"the line is back after {e['outage_ms'] / 1000:.1f} s",
    "COMPLETE": lambda e: f"{e['token_count']} tokens, {e['content_length']} characters stand",
}


def _tell(stream: Stream, happened: list[ObservabilityEvent], record: Path, *, whole: bool) -> None:
    print(_bold("What happened"))
    began = happened[0].ts
    for event in happened:
        told = _TOLD.get(event.type)
        if told is not None:
            print(f"  {(event.ts - began) / 1000:6.2f} s  {event.type:<18} {told(event)}")
    summary = stream.summary()
    print()
    print(
        f"{'The text is complete' if whole else 'THE TEXT IS NOT WHAT THE MODEL SAID'}: "
        f"{summary.attempts} requests, {summary.network_retries} retries, "
        f"{summary.lost_tokens} tokens lost on the way."
    )
    print(f"Recorded in {os.path.relpath(record)} as run {stream.stream_id}.")


def _terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if _terminal() else text


def _dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m" if _terminal() else text
