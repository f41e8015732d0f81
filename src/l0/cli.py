"""The `l0` command: see a stream saved, and look into what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l0._version import __version__

if TYPE_CHECKING:
    from l0.events import EventStore

_STORE = (
    "a store: a .db file, a directory of JSONL files, a .jsonl file such as `l0 export` writes, or "
    "a URL such as sqlite:///runs.db"
)
_RUN = "a run's id, or the beginning of one (default: the latest run)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0 well, 1 failed, 2 called wrongly."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    _print_anything()
    try:
        status: int = asyncio.run(arguments.act(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `l0 runs | head`
        _leave_the_output()
        return 0
    except _reported() as error:
        print(f"l0 {arguments.command}: {_line(error)}", file=sys.stderr)
        return 1
    return status


def _reported() -> tuple[type[Exception], ...]:
    from l0.errors import Error

    return (Error, ValueError, OSError)


def _line(error: Exception) -> str:
    """What an error says, in one line that fits a screen or two."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= 500 else f"{told[:250]} … {told[-240:]}"


def _print_anything() -> None:
    """A terminal that lacks a character gets its number, and no error instead of the rest."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave_the_output() -> None:
    """Nobody reads it any more; Python would say so once again when it flushes at the end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    """The type of an argument that is a whole number within bounds."""

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {bounds}, not {text}")
        return value

    return number


def _speed(text: str) -> float:
    """The type of an argument that is a speed."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="l0",
        description="Reliable LLM streams. Begin with `l0 demo`: it needs no key and no network.",
        epilog="Runs are recorded with run(event_store=...), by %load_ext l0, and by the demo.",
    )
    parser.add_argument("--version", action="version", version=f"l0 {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    demo = commands.add_parser(
        "demo",
        help="watch a stream stall, break and be saved, in this terminal",
        description="A local server plays a model whose connection stalls, then breaks, then "
        "holds. The real OpenAI client talks to it; l0 saves the answer. No key, no network.",
    )
    demo.add_argument(
        "--record",
        metavar="PATH",
        type=Path,
        default=Path("l0-demo.db"),
        help="where the run is recorded (default: %(default)s)",
    )
    demo.add_argument("--fast", action="store_true", help="don't wait for a reader's eyes")
    demo.set_defaults(act=_demo)
    _add_looks(commands)

    serve = commands.add_parser(
        "serve",
        help="run the fault server: a model that breaks on request",
        description="Speaks OpenAI's and Anthropic's protocols on this machine. Each fault breaks "
        "one request, in order; then the server is well. Faults: see `l0 serve --list`.",
    )
    serve.add_argument("faults", nargs="?", default="", help="such as drop@40,stall@80,429")
    serve.add_argument("--port", type=_number(0, 65535), default=0, help="default: a free one")
    serve.add_argument("--speed", type=_speed, default=60.0, help="tokens a second; 0: no limit")
    serve.add_argument("--list", action="store_true", help="list the faults and end")
    serve.set_defaults(act=_serve)
    _add_chaos(commands)
    return parser


def _add_chaos(commands: Any) -> None:
    chaos = commands.add_parser(
        "chaos",
        help="break every answer in every way, and count what is lost",
        description="Plays every fault on every way to a provider, at every position and under "
        "every policy, through the real clients against a server on this machine. Prints a line a "
        "fault, and the cells that are not as they should be; status 1 if there is one.",
    )
    chaos.add_argument("only", nargs="?", default="", help="cells of this name, such as drop@")
    chaos.add_argument("--reduced", action="store_true", help="in the middle only; under a minute")
    chaos.add_argument(
        "--transport",
        choices=("sdk", "fast"),
        help="who decodes the answers: the provider's package, or l0 (default: both in turn)",
    )
    chaos.add_argument("--cells", action="store_true", help="a line for every cell")
    chaos.add_argument("--json", action="store_true", help="all cells as JSON")
    chaos.set_defaults(act=_chaos)


def _add_looks(commands: Any) -> None:
    """The commands that look into a store."""
    runs = commands.add_parser(
        "runs", help="list the runs of a store", description="One line a run, the latest first."
    )
    runs.add_argument("store", help=_STORE)
    runs.add_argument(
        "-n", "--limit", type=_number(0), default=20, help="how many (default: %(default)s)"
    )
    runs.set_defaults(act=_runs)

    show = commands.add_parser(
        "show",
        help="one run: its text and what happened",
        description="The text that stands, and the story of the run, an event a line.",
    )
    _with_run(show)
    show.add_argument("--all", action="store_true", help="every event with its payload")
    show.set_defaults(act=_show)

    replay = commands.add_parser(
        "replay",
        help="live through a recorded run again",
        description="Prints the text as its consumer saw it, with the pauses it had.",
    )
    _with_run(replay)
    replay.add_argument(
        "--speed", type=_speed, default=1.0, help="1 keeps the pauses, 2 halves them, 0 has none"
    )
    replay.set_defaults(act=_replay)

    verify = commands.add_parser(
        "verify",
        help="find changed, missing or moved records",
        description="Checks the hash chain of a run, or of every run. Status 1 if one is broken.",
    )
    _with_run(verify)
    verify.add_argument("--head", help="the hash of its last record, kept elsewhere: no tail cut")
    verify.set_defaults(act=_verify)

    export = commands.add_parser(
        "export",
        help="a run's records as JSON lines",
        description="Writes one JSON object a record, as stored, hashes included.",
    )
    _with_run(export)
    export.add_argument("-o", "--out", type=Path, help="a file (default: standard output)")
    export.set_defaults(act=_export)


def _with_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", help=_STORE)
    parser.add_argument("run", nargs="?", help=_RUN)


# --- stores ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _opened(place: str) -> AsyncIterator[EventStore]:
    """The store of a place, for as long as it is read."""
    from l0.events import open_store

    store = open_store(_url(place), read_only=True)
    try:
        yield store
    finally:
        await store.close()


def _url(place: str) -> str:
    if "://" in place:
        return place
    path = Path(place).resolve()
    if not path.exists():
        raise ValueError(f"there is no {place}; give {_STORE}")
    is_jsonl = path.is_dir() or path.suffix.lower() == ".jsonl"
    return f"jsonl:///{path}" if is_jsonl else f"sqlite:///{path}"


async def _find(store: EventStore, wanted: str | None) -> str:
    """The run meant: the latest to begin, or the only one whose id begins so."""
    known = await _ids(store)
    if not known:
        raise ValueError("the store holds no runs")
    if wanted is None:
        return known[0]
    fits = [name for name in known if name.startswith(wanted)]
    if len(fits) != 1:
        raise ValueError(
            f"{len(fits)} runs begin with {wanted!r}; `l0 runs` lists the ids of this store"
        )
    return fits[0]


async def _ids(store: EventStore) -> list[str]:
    """The runs of a store, the latest first; of a file also those whose lines are damaged."""
    try:
        return [found.stream_id for found in await store.list_streams()]
    except _reported():
        if not hasattr(store, "stream_ids"):
            raise
        return list(store.stream_ids())


# --- commands -------------------------------------------------------------------------------


async def _demo(arguments: argparse.Namespace) -> int:
    from l0._demo import demo

    return await demo(arguments.record, fast=arguments.fast)


async def _runs(arguments: argparse.Namespace) -> int:
    async with _opened(arguments.store) as store:
        found = await store.list_streams(arguments.limit)
    print(f"{'run':<38}{'begun':<21}{'seconds':>8}{'tokens':>8}{'events':>8}  outcome")
    for run in found:
        begun = _date(run.start_ts)
        took = (run.end_ts - run.start_ts) / 1000
        print(
            f"{run.stream_id:<38}{begun:<19}  {took:>8.2f}{run.token_count:>8}"
            f"{run.event_count:>8}  {run.outcome}"
        )
    return 0


def _date(ts: float) -> str:
    """Unix milliseconds as a date on this machine's clock; `?` for what no calendar has."""
    try:
        return f"{dt.datetime.fromtimestamp(ts / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # the record was tampered with
        return "?"


_QUIET = {"TOKENS", "STREAM_EVENT", "ADAPTER_WRAP_START", "ADAPTER_WRAP_END", "TIMEOUT_START"}


async def _show(arguments: argparse.Namespace) -> int:
    import l0

    async with _opened(arguments.store) as store:
        run = await _find(store, arguments.run)
        replayed = await l0.replay(store, run)
        records = await store.get_events(run)
    state = replayed.state
    print(f"run {run}: {replayed.outcome}, {state.token_count} tokens, {state.duration or 0:.2f} s")
    print(f"\n{state.content}\n")
    began = records[0].ts
    for record in records:
        if arguments.all or record.type not in _QUIET:
            print(f"{(record.ts - began) / 1000:8.3f} s  {record.type:<24} {_short(record.data)}")
    return 0


def _short(data: dict[str, Any]) -> str:
    told = (f"{name}={value!r}" for name, value in data.items() if value not in (None, [], {}, ""))
    text = ", ".join(told)
    return text if len(text) <= 160 else f"{text[:157]}..."


async def _replay(arguments: argparse.Namespace) -> int:
    import l0

    shown = ""
    async with _opened(arguments.store) as store:
        run = await _find(store, arguments.run)
        async for event in l0.replay(store, run, speed=arguments.speed):
            if event.is_token:
                shown = shown[: event.start] + (event.text or "")
                print(event.text, end="", flush=True)
            elif event.is_restart:
                withdrawn, shown = shown[event.kept_chars :], shown[: event.kept_chars]
                said = f"{len(withdrawn)} characters, {event.reason}"
                print(f"\n[withdrawn: {said}]\n{shown}", end="")
    print()
    return 0


async def _verify(arguments: argparse.Namespace) -> int:
    import l0

    broken = 0
    async with _opened(arguments.store) as store:
        if arguments.run is None and arguments.head is None:
            names = sorted(await _ids(store))
        else:
            names = [await _find(store, arguments.run)]
        for name in names:
            found = await l0.verify(store, name, head=arguments.head)
            broken += not found.ok
            if not found.ok:
                print(f"{name}  BROKEN at record {found.first_bad_seq}: {found.reason}")
            elif len(names) == 1:
                print(f"{name}  ok, {found.records} records, head {found.head}")
    print(f"{len(names)} runs, {broken} broken")
    return 1 if broken else 0


async def _export(arguments: argparse.Namespace) -> int:
    from l0.events._sources import get_lines

    async with _opened(arguments.store) as store:
        run = await _find(store, arguments.run)
        lines = await get_lines(store, run)
    if arguments.out is None:
        for line in lines:
            print(line.decode(errors="replace"))
    else:
        arguments.out.write_bytes(b"".join(line + b"\n" for line in lines))
        print(f"{len(lines)} records are in {arguments.out}", file=sys.stderr)
    return 0


async def _serve(arguments: argparse.Namespace) -> int:
    from l0.testing import FaultServer, Reply, chaos_replies, list_faults

    if arguments.list:
        for spelling, meaning in list_faults():
            print(f"{spelling:<28} {meaning}")
        return 0
    reply = Reply(tokens_per_second=arguments.speed or None)
    replies = chaos_replies(arguments.faults, reply=reply) if arguments.faults else []
    server = FaultServer(*replies, port=arguments.port)
    server.default = reply
    async with server:
        print(f"OPENAI_BASE_URL={server.base_url}")
        print(f"ANTHROPIC_BASE_URL={server.anthropic_base_url}")
        print(
            "any key will do; models: sim:story, sim:json, sim:code, …  Ctrl-C ends it", flush=True
        )
        await asyncio.Event().wait()
    return 0


async def _chaos(arguments: argparse.Namespace) -> int:
    from l0.testing._matrix_command import chaos

    return await chaos(
        reduced=arguments.reduced,
        only=arguments.only,
        **({"transports": (arguments.transport,)} if arguments.transport else {}),
        cells=arguments.cells,
        json=arguments.json,
    )


if __name__ == "__main__":
    sys.exit(main())
