"""Tool calls put together from fragments, and delivered only when nothing of them can be missing.

Arguments are never healed. A call goes out after a strict parse *and* the provider's word that it,
or the whole answer, is finished; what a cut stream or the length limit left open is dropped,
because a truncated call must not become an executable one. A call that is finished and still no
JSON object is delivered with `arguments={"_raw": text}` and an error in `errors`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from l0.adapters._values import field, plain, text
from l0.events import Event, EventType, ToolArgumentError, ToolCall


def parse_arguments(raw: str) -> tuple[dict[str, Any], tuple[ToolArgumentError, ...]]:
    """The arguments a text stands for, and what is wrong with it; no text is no arguments.

    Example:
        >>> parse_arguments('{"a": 1}')
        ({'a': 1}, ())
        >>> parse_arguments('{"a": ')[0]
        {'_raw': '{"a": '}
    """
    if not raw or raw.isspace():
        return {}, ()
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        fault = f"not valid JSON: {error}"
    else:
        if isinstance(value, dict):
            return value, ()
        fault = f"expected a JSON object, got {type(value).__name__}"
    return {"_raw": raw}, (ToolArgumentError("invalid_json", "", fault),)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def tool_call_event(call: ToolCall) -> Event:
    """The event that hands a call on."""
    data = {"id": call.id, "name": call.name, "arguments": call.arguments, "index": call.index}
    return Event(EventType.TOOL_CALL, data=data, tool_call=call)


class OpenCall:
    """A call whose fragments are still coming; `free` marks free text instead of JSON."""

    __slots__ = ("_balance", "_weighed", "free", "id", "index", "name", "parts", "place")

    def __init__(
        self,
        id: str = "",
        name: str = "",
        *,
        index: int | None = None,
        place: int = 0,
        free: bool = False,
    ) -> None:
        self.id = id
        self.name = name
        self.index = index
        self.place = place  # among the calls that are open
        self.free = free
        self.parts: list[str] = []
        self._balance = _Balance()
        self._weighed = 0  # so many parts

    @property
    def raw(self) -> str:
        """The argument text so far."""
        if len(self.parts) > 1:
            if self._weighed:
                self._weigh()
                self._weighed = 1
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def add(self, fragment: str) -> None:
        """Take the next piece of the argument text."""
        if fragment:
            self.parts.append(fragment)

    def set(self, raw: str) -> None:
        """Take the whole argument text at once."""
        self.parts = [raw]
        self._balance, self._weighed = _Balance(), 0

    def set_object(self, value: Any) -> None:
        """Take arguments that came as an object; an empty one says nothing."""
        told = plain(value)
        if isinstance(told, dict):
            if told:
                self.set(_written(told))
        elif isinstance(told, str) and told is not value:
            self.set(told)  # an object that can't be read is no call without arguments

    @property
    def is_whole(self) -> bool:
        """Whether the text is a complete JSON object, so that nothing can be missing.

        No text is not: it may be a call without arguments, or one cut before its first.
        """
        if self.free or not self.parts:
            return False
        tail = self.parts[-1].rstrip()  # so that a long text isn't joined for every fragment
        if tail[-1:] not in {"}", ""}:
            return False
        self._weigh()
        return self._balance.is_even and not parse_arguments(self.raw)[1]

    def _weigh(self) -> None:
        """Read the parts that came since the last time."""
        for part in self.parts[self._weighed :]:
            self._balance.add(part)
        self._weighed = len(self.parts)

    def close(self, index: int) -> Event:
        """The call as an event; `index` is its place among the calls of the answer."""
        raw = self.raw
        arguments, errors = ({"input": raw}, ()) if self.free else parse_arguments(raw)
        if not self.name:
            errors = (*errors, ToolArgumentError("unknown_tool", "", "the call names no tool"))
        return tool_call_event(ToolCall(self.id, self.name, arguments, raw, index, errors))


class _Balance:
    """Whether a text that comes in pieces may be one whole object; each piece is read once."""

    __slots__ = ("_closed", "_depth", "_escape", "_in_string", "_spoilt")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escape = -1  # where the character stands that a backslash has escaped
        self._closed = False
        self._spoilt = False  # something else began behind it

    @property
    def is_even(self) -> bool:
        """Whether every bracket is closed, and nothing was opened behind."""
        return self._closed and not self._spoilt

    def add(self, piece: str) -> None:
        """Read one more piece."""
        for found in _MARK.finditer(piece):
            mark, at = found[0], found.start()
            if at == self._escape:
                continue
            if self._in_string:
                if mark == "\\":
                    self._escape = at + 1
                elif mark == '"':
                    self._in_string = False
            else:
                self._spoilt = self._spoilt or self._closed
                self._in_string = mark == '"'
                self._depth += (mark in "{[") - (mark in "}]")
                self._closed = self._depth == 0 and mark in "}]"
        self._escape -= len(piece)


_MARK = re.compile(r'["\\{}\[\]]')


class ChatCalls:
    """The calls of a Chat Completions answer, from fragments that keep to the protocol or don't.

    The protocol: `index` says which call a fragment belongs to, the first one carries id and name.
    Compatible servers leave out the index, repeat the id or invent one for every fragment, give
    every call index 0, repeat the name, or send the arguments as an object.
    """

    __slots__ = ("_delivered", "_last", "_open")

    def __init__(self) -> None:
        self._open: list[OpenCall] = []
        self._last: dict[Any, OpenCall] = {}  # call with an index, an id, both
        self._delivered = 0

    def add(self, fragments: list[Any] | tuple[Any, ...]) -> str:
        """Take one delta's fragments; gives their argument text."""
        return "".join(
            self._add(fragment, position, alone=len(fragments) == 1)
            for position, fragment in enumerate(fragments)
        )

    def _add(self, fragment: Any, position: int, *, alone: bool) -> str:
        function, custom = field(fragment, "function"), field(fragment, "custom")
        free = function is None and custom is not None
        body = custom if free else function
        name, raw = text(body, "name"), raw_arguments(body, "input" if free else "arguments")
        id, index = text(fragment, "id"), field(fragment, "index")
        if not (id or name or raw):
            return ""
        if not isinstance(index, int) or isinstance(index, bool):
            index = None
        place = -1 if alone else position
        call = self._find(id, index, name, raw, place)
        if call is None:
            call = OpenCall(index=index, place=len(self._open), free=free)
            self._open.append(call)
            self._note(call, index)
        if id and not call.id:
            call.id = id
            self._note(call, id, (id, call.index))
        call.name = call.name or name
        call.add(raw)
        return raw

    def _note(self, call: OpenCall, *keys: Any) -> None:
        """It is the last call that is known so, unless one that was opened later is."""
        for key in keys:
            self._last[key] = max(call, self._last.get(key, call), key=_place)

    def _find(self, id: str, index: int | None, name: str, raw: str, place: int) -> OpenCall | None:
        """The open call a fragment belongs to, None if it begins a new one."""
        calls, last = self._open, self._last
        call: OpenCall | None = None
        if id:
            keys = (id,) if index is None else ((id, index), (id, None))
            if found := [last[key] for key in keys if key in last]:
                return max(found, key=_place)
            if name and index is None:
                return None
        at_place = calls[place] if -len(calls) <= place < len(calls) else None
        if index is not None:
            call = last.get(index)
            if call is None and not id and not name and at_place and at_place.index is None:
                return at_place
        elif id or name:  # an id without a name is invented for the fragment
            call = calls[-1] if calls else None
        else:
            call = at_place
        if call and name and call.name:
            # With other ids or names, or after a whole object, the same index is a new call's.
            is_new = (id and call.id) or name != call.name or (raw.strip() and call.is_whole)
            return None if is_new else call
        return call

    def close(self) -> list[Event]:
        """The answer is finished: every open call, in index order."""
        last = len(self._open)
        self._open.sort(key=lambda call: last if call.index is None else call.index)
        events = [call.close(self._delivered + place) for place, call in enumerate(self._open)]
        self._delivered += len(events)
        self.drop()
        return events

    def drop(self) -> None:
        """The answer was cut: nothing of it may be executed."""
        self._open.clear()
        self._last.clear()


def _place(call: OpenCall) -> int:
    return call.place


def raw_arguments(body: Any, name: str) -> str:
    """The argument text under a name; what came as an object instead is written as JSON."""
    value = field(body, name)
    if isinstance(value, str):
        return value
    return "" if value is None else _written(value)


def _written(value: Any) -> str:
    """A value as JSON; what can't be is no JSON, so that nobody takes it for arguments."""
    try:
        return json.dumps(plain(value), ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:  # it holds itself, or nests too deep
        return f"({type(value).__name__}: {error})"
