"""The `l0` command: see a stream saved, and look into what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from l0._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status: 0 well, 1 failed, 2 called wrongly."""
    arguments = _parser().parse_args(argv)
    if arguments.command is None:
        _parser().print_help()
        return 2
    try:
        status: int = asyncio.run(arguments.act(arguments))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except _reported() as error:
        print(f"l0 {arguments.command}: {error}", file=sys.stderr)
        return 1
    return status


def _reported() -> tuple[type[Exception], ...]:
    from l0.errors import Error

    return (Error, ValueError, OSError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="l0",
        description="Reliable LLM streams. Begin with `l0 demo`: it needs no key and no network.",
    )
    parser.add_argument("--version", action="version", version=f"l0 {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
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
    return parser


async def _demo(arguments: argparse.Namespace) -> int:
    from l0._demo import demo

    return await demo(arguments.record, fast=arguments.fast)
