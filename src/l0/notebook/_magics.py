"""`%%l0` and `%l0`: read the line, start the run, and everything `%load_ext l0` adds."""

from __future__ import annotations

import inspect
import sys
from collections import ChainMap
from collections.abc import Mapping
from typing import Any, get_args

# This module is imported by `%load_ext l0` alone, where IPython and traitlets are at home.
from IPython.core.error import UsageError  # noqa: TID253
from IPython.core.magic import (  # noqa: TID253
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Bool, Dict, Enum, TraitError, Unicode, observe, validate

from l0.models import Clients, parse_model
from l0.monitoring import Prices
from l0.notebook import _arguments, _board_ask, _cell, _commands, _structured_ask, _values
from l0.notebook._ask import GUARDRAIL_PRESETS, Asked, Setting, hint, prepare
from l0.notebook._board_handle import BoardHandle
from l0.notebook._failure import without_keys
from l0.notebook._handle import Handle
from l0.notebook._transform import AWAITED
from l0.notebook._usage import set_prices
from l0.stream._fast import Transport


@magics_class
class L0Magics(Magics):
    """Reliable model calls in a cell; `%config L0Magics` lists what can be set for all of them."""

    model = Unicode("", help="The model where a cell names none; empty: sim:story.").tag(
        config=True
    )
    guardrails = Unicode("recommended", help=f"One of {', '.join(GUARDRAIL_PRESETS)}.").tag(
        config=True
    )
    retry = Unicode("recommended", help="A number of retries, or the name of a preset.").tag(
        config=True
    )
    timeout = Unicode("30,30", help="Seconds: initial,inter[,total]; `none` for no limit.").tag(
        config=True
    )
    resume = Bool(True, help="Go on from the last good token after a broken connection.").tag(
        config=True
    )
    format = Enum(_arguments.FORMATS, "markdown", help="How answers are drawn.").tag(config=True)
    speed = Unicode("60", help="Tokens a second of sim models; `max` for full speed.").tag(
        config=True
    )
    transport = Enum(
        get_args(Transport), "sdk", help="fast: L0 decodes what the provider's package receives."
    ).tag(config=True)
    prices = Dict(
        help="What a million tokens cost, by model: (input, output), as by set_prices."
    ).tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.aliases: dict[str, str] = {}
        self.clients = Clients(self.transport)
        self.running: dict[str, Handle] = {}
        """Runs that have not ended, by stream id, oldest first."""
        self.last: Handle | None = None
        """The latest run of this session."""
        self.hinted = False
        """Whether it was said how to name a model."""
        self.store_note = ""
        """Where runs are recorded, or why not."""

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @_arguments.with_options
    def l0(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Any:
        """Ask a model, reliably: retries, timeouts, fallbacks and guardrails around one stream.

        The prompt is the cell's body, or the rest of the line; {expr} becomes its value.

            %%l0 openai:gpt-5-mini -o answer -f anthropic:claude-haiku-4-5
            Explain {topic} in three sentences.

            %l0 sim:story Tell me something
            %l0 runs | show RUN | stop [NAME|all] | models | alias [NAME MODEL]
            %l0 chaos | doctor | log [PATH]
        """
        assert self.shell is not None
        awaited = line.startswith(AWAITED)
        line = line.removeprefix(AWAITED).strip()
        names = ChainMap(dict(local_ns or {}), self.shell.user_ns)
        try:
            command = None if cell is not None else _commands.find(line)
            if command is not None:
                return _later(command(self), awaited=awaited)
            asked, parsed = self._read(line, cell, names)
        except ValueError as error:
            raise UsageError(without_keys(str(error))) from None
        if asked is None:
            return _later(None, awaited=awaited)
        return self._start(asked, parsed, awaited=awaited)

    def _read(self, line: str, cell: str | None, names: Mapping[str, Any]) -> Any:
        """The run that is asked for and the options; None for the run where help was."""
        if cell is None:
            argv, prompt = _arguments.split_line(line, self.aliases)
        else:
            argv, prompt = _arguments.split_options(line), cell
        magic: Any = self.l0
        parsed = _arguments.parse(magic.parser, argv)
        if parsed.help or (not argv and not prompt):
            print(magic.__doc__)  # noqa: T201  the answer to a person who asked for it
            return None, parsed
        self.clients.transport = self.transport
        setting = Setting(
            aliases=self.aliases,
            clients=self.clients,
            model=self.model,
            guardrails=self.guardrails,
            retry=self.retry,
            timeout=self.timeout,
            resume=self.resume,
            format=self.format,
        )
        several = _board_ask.asks_several(parsed)
        if several and (parsed.chat or parsed.schema):
            one = "--chat" if parsed.chat else "--schema"
            raise ValueError(f"{one} is for one run; -n, --race and --consensus ask for several")
        ready = _board_ask.prepare_board if several else prepare
        asked = ready(parsed, prompt, names, setting)
        if not (parsed.model or self.model or self.hinted):
            self.hinted = True
            asked.notes.insert(0, hint(parsed))
        return asked, parsed

    def _start(self, asked: Asked, parsed: Any, *, awaited: bool) -> Any:
        """Show the view, bind the name, run; gives what the cell is to await or show."""
        from l0.notebook._display import LiveDisplay

        assert self.shell is not None
        handle = asked.handle
        shown: dict[str, Any] = {
            "format": handle.format,
            "notes": asked.notes,
            "quiet": parsed.quiet,
            "on_stop": lambda: handle.abort_by("stop"),
            "background": parsed.bg,
            "shell": self.shell,
        }
        if isinstance(handle, BoardHandle):
            handle.show_in(shown)
        else:
            shown |= {"model": handle.model, "fallbacks": handle.fallbacks}
            handle.display = LiveDisplay(handle.stream, **shown)
        display = handle.display
        if asked.script is not None:
            asked.script.speed = self._speed(parsed.speed, headless=display.headless)
        if handle.name:
            self.shell.user_ns[handle.name] = handle
        if parsed.chat:
            self.shell.user_ns[parsed.chat] = handle.conversation
        if parsed.schema:
            _structured_ask.expect(handle)
        self.last = handle
        self.running[handle.stream_id] = handle
        handle.over.add_done_callback(lambda _: self.running.pop(handle.stream_id, None))
        display.show()
        handle.shown_here()
        if parsed.bg:
            # A kernel's loop goes on when the cell is done; that of a terminal stops.
            stays = hasattr(self.shell, "kernel")
            return _later(_cell.in_background(handle, loop_stays=stays), awaited=awaited)
        return _cell.in_cell(handle) if awaited else _cell.blocking(handle)

    def _speed(self, asked: float | None, *, headless: bool) -> float | None:
        if asked is None and headless:
            return None
        return (_values.speed(self.speed) if asked is None else asked) or None

    # --- what %config may say ---

    @observe("prices")
    def _priced(self, change: Any) -> None:
        set_prices(change["new"] or None)

    @validate("model", "retry", "timeout", "speed", "prices")
    def _usable(self, proposal: Any) -> Any:
        value, name = proposal["value"], proposal["trait"].name
        try:
            match name:
                case "model" if value:
                    parse_model(value, self.aliases)
                case "retry":
                    _values.retry(value)
                case "timeout":
                    _values.timeout(value)
                case "speed":
                    _values.speed(value)
                case "prices":
                    Prices(value)
        except ValueError as error:
            raise TraitError(f"L0Magics.{name}: {error}") from None
        return value


def _later(value: Any, *, awaited: bool) -> Any:
    """A value, as a cell that awaits it wants it."""
    if inspect.iscoroutine(value):  # what waits for an end, which a cell may do without
        if awaited:
            return value
        value.close()
        return None
    if not awaited:
        return value

    async def given() -> Any:
        return value

    return given()


def warn(message: str) -> None:
    """One line that the notebook shows, once."""
    print(f"l0: {message}", file=sys.stderr)  # noqa: T201
