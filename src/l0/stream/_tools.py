"""Tool calls: judged when their arguments are complete, executed between their events."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from l0.errors import FeatureNotEnabledError, ToolArgumentsError
from l0.events import (
    Event,
    ToolArgumentError,
    ToolCall,
    ToolCompletedPayload,
    ToolErrorPayload,
    ToolRequestedPayload,
    ToolResultPayload,
    ToolStartPayload,
)
from l0.stream._session import Run


def tool_call(run: Run, event: Event) -> Event:
    """A call's arguments are complete: tell it, judge it, give the event to hand over."""
    call = event.tool_call or _from_data(event.data or {})
    validate = run.options.tool_validator
    if validate is not None and not call.errors:
        found = _errors(validate(call.name, call.arguments))
        call = msgspec.structs.replace(call, errors=found) if found else call
    run.tell(ToolRequestedPayload(call.name, call.id, call.arguments, call.index))
    if call.errors:
        message = "; ".join(f"{e.path}: {e.message}" if e.path else e.message for e in call.errors)
        run.tell(
            ToolErrorPayload(
                call.name, call.id, message, "ToolArgumentsError", errors=list(call.errors)
            )
        )
        if run.options.tool_errors == "retry":
            raise ToolArgumentsError(
                f"the arguments of {call.name} are invalid: {message}", errors=call.errors
            )
    data = {"id": call.id, "name": call.name, "arguments": call.arguments, "index": call.index}
    return Event(event.type, data=data, tool_call=call)


def _errors(found: Any) -> tuple[ToolArgumentError, ...]:
    """What the caller's validator found."""
    if found is None:
        return ()
    errors = tuple(found) if isinstance(found, Iterable) else (found,)
    if not all(isinstance(each, ToolArgumentError) for each in errors):
        raise TypeError(
            f"tool_validator gave {found!r}; it gives a list of ToolArgumentError, empty or None "
            "where nothing is wrong"
        )
    return errors


def _from_data(data: dict[str, Any]) -> ToolCall:
    arguments = data.get("arguments")
    return ToolCall(
        id=str(data.get("id") or ""),
        name=str(data.get("name") or ""),
        arguments=arguments if isinstance(arguments, dict) else {},
        index=int(data.get("index") or 0),
    )


def tool_result(run: Run, event: Event) -> None:
    """The source reported a tool's result."""
    data = event.data or {}
    name, ident = str(data.get("name") or ""), str(data.get("id") or "")
    error = data.get("error")
    if error is None:
        run.tell(ToolResultPayload(name, ident, data.get("result")))
    else:
        run.tell(ToolErrorPayload(name, ident, str(error), "ToolError"))
    run.tell(ToolCompletedPayload(name, ident, "success" if error is None else "error"))


async def call_tool(run: Run, call: ToolCall, fn: Callable[..., Any]) -> Any:
    """Execute a call between TOOL_START and TOOL_COMPLETED; gives what `fn(**arguments)` gives."""
    if run.ended or not run.started:
        raise FeatureNotEnabledError(
            "call_tool tells of the execution in the run's log, so the run has to be open; call "
            "it inside `async for event in stream`"
        )
    if call.errors:
        raise ToolArgumentsError(
            f"the arguments of {call.name} are invalid, so it is not executed", errors=call.errors
        )
    began = run.clock.monotonic()
    run.tell(ToolStartPayload(call.name, call.id))
    try:
        result = fn(**call.arguments)
        if inspect.isawaitable(result):
            result = await result
    except BaseException as error:
        took, kind = run.since(began), type(error).__name__
        run.tell(ToolErrorPayload(call.name, call.id, str(error), kind, duration_ms=took))
        run.tell(ToolCompletedPayload(call.name, call.id, "error", took))
        raise
    took = run.since(began)
    run.tell(ToolResultPayload(call.name, call.id, _plain(result), took))
    run.tell(ToolCompletedPayload(call.name, call.id, "success", took))
    return result


def _plain(value: Any) -> Any:
    """The value as JSON can carry it, else its text."""
    try:
        return msgspec.to_builtins(value)
    except (TypeError, RecursionError):  # no JSON has it, or it contains itself
        return str(value)
