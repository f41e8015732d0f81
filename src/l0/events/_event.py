"""What the consumer of a stream sees: the event, and the values it carries."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec


class EventType(StrEnum):
    """The nine kinds of events a stream yields."""

    TOKEN = "token"
    MESSAGE = "message"
    DATA = "data"
    PROGRESS = "progress"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    RESTART = "restart"
    ERROR = "error"
    COMPLETE = "complete"


class Usage(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Tokens a request cost, as the provider counted them; adds with `+` and reads like a mapping.

    An unreported total is input + output. `requests` counts the calls that reported.

    Example:
        >>> Usage(input_tokens=3, output_tokens=4) + Usage(output_tokens=1)
        Usage(input_tokens=3, output_tokens=5, total_tokens=8)
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        if not self.total_tokens:
            msgspec.structs.force_setattr(
                self, "total_tokens", self.input_tokens + self.output_tokens
            )

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*(self[name] + other[name] for name in self.__struct_fields__))

    def __getitem__(self, name: str) -> int:
        if name not in self.__struct_fields__:
            raise KeyError(name)
        value: int = getattr(self, name)
        return value

    def get(self, name: str, default: int | None = None) -> int | None:
        """The field's value, or the default where there is no such field."""
        return self[name] if name in self.__struct_fields__ else default

    def keys(self) -> tuple[str, ...]:
        """The field names, so that `dict(usage)` works."""
        return self.__struct_fields__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def __len__(self) -> int:
        return len(self.__struct_fields__)


class ToolArgumentError(msgspec.Struct, frozen=True):
    """One thing wrong with a tool call's arguments: a code, where, and why."""

    code: str
    path: str
    message: str


class ToolCall(msgspec.Struct, frozen=True):
    """A call the model asks for, complete; `raw` is the argument text exactly as it came."""

    id: str
    name: str
    arguments: dict[str, Any]
    raw: str = ""
    index: int = 0
    errors: tuple[ToolArgumentError, ...] = ()


class ContentType(StrEnum):
    """What kind of content a data payload holds."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"
    JSON = "json"
    BINARY = "binary"


class DataPayload(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Content other than text: an image, audio, a file, JSON."""

    content_type: ContentType
    mime_type: str | None = None
    base64: str | None = None
    url: str | None = None
    data: bytes | None = None
    json: Any = None
    metadata: dict[str, Any] | None = None

    def _meta(self, name: str) -> Any:
        return (self.metadata or {}).get(name)

    @property
    def width(self) -> int | None:
        """Pixels, where the source said so."""
        return self._meta("width")  # type: ignore[no-any-return]

    @property
    def height(self) -> int | None:
        """Pixels, where the source said so."""
        return self._meta("height")  # type: ignore[no-any-return]

    @property
    def duration(self) -> float | None:
        """Seconds, where the source said so."""
        return self._meta("duration")  # type: ignore[no-any-return]

    @property
    def size(self) -> int | None:
        """Bytes, where the source said so."""
        return self._meta("size")  # type: ignore[no-any-return]

    @property
    def filename(self) -> str | None:
        """The file's name, where the source said so."""
        return self._meta("filename")  # type: ignore[no-any-return]

    @property
    def seed(self) -> int | None:
        """The seed it was generated from, where the source said so."""
        return self._meta("seed")  # type: ignore[no-any-return]

    @property
    def model(self) -> str | None:
        """The model that made it, where the source said so."""
        return self._meta("model")  # type: ignore[no-any-return]


class Progress(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """How far a long generation has come; `eta` in seconds."""

    percent: float | None = None
    step: int | None = None
    total_steps: int | None = None
    message: str | None = None
    eta: float | None = None


class Severity(StrEnum):
    """How bad a finding is: recorded, fails the attempt, stops the run."""

    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


class GuardrailViolation(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One finding of one rule; `position` is the offset in the text, in code points."""

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    recoverable: bool = True
    position: int | None = None
    timestamp: float | None = None
    context: dict[str, Any] | None = None
    suggestion: str | None = None


class NetworkErrorInfo(msgspec.Struct, frozen=True):
    """One network failure of a run: its kind, its message, which attempt, when (Unix seconds)."""

    type: str
    message: str
    attempt: int
    ts: float


class TokenNote(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """What came with one token beside its text: a flag such as a refusal, the source's own time.

    `index` is the token's; `timestamp` Unix seconds, as in `Event`.
    """

    index: int
    data: dict[str, Any] | None = None
    timestamp: float | None = None


class Event(msgspec.Struct, frozen=True, repr_omit_defaults=True, gc=False):
    """One thing a stream yields.

    Only token text makes the answer. A token's `start` is the offset of its text in the answer, so
    `shown = shown[:event.start] + event.text` is always right; a restart says that only the first
    `kept_chars` characters of what was shown still stand.

    Example:
        >>> Event(EventType.TOKEN, "Hello", 0).value
        'Hello'
    """

    type: EventType
    text: str | None = None
    start: int | None = None
    data: dict[str, Any] | None = None
    payload: DataPayload | None = None
    progress: Progress | None = None
    tool_call: ToolCall | None = None
    kept_chars: int | None = None
    kept_tokens: int | None = None
    reason: str | None = None
    error: Any = None
    usage: Usage | None = None
    finish_reason: str | None = None
    timestamp: float | None = None

    @property
    def value(self) -> str | None:
        """An alias of `text`."""
        return self.text

    @property
    def is_token(self) -> bool:
        """Text of the answer."""
        return self.type is EventType.TOKEN

    @property
    def is_message(self) -> bool:
        """Text beside the answer, such as reasoning."""
        return self.type is EventType.MESSAGE

    @property
    def is_data(self) -> bool:
        """Content other than text."""
        return self.type is EventType.DATA

    @property
    def is_progress(self) -> bool:
        """How far a long generation has come."""
        return self.type is EventType.PROGRESS

    @property
    def is_tool_call(self) -> bool:
        """A call the model asks for."""
        return self.type is EventType.TOOL_CALL

    @property
    def is_tool_result(self) -> bool:
        """A tool's result that the source reported."""
        return self.type is EventType.TOOL_RESULT

    @property
    def is_restart(self) -> bool:
        """Part of what was shown was withdrawn."""
        return self.type is EventType.RESTART

    @property
    def is_error(self) -> bool:
        """A failure on its way from an adapter to the runtime; a consumer never gets one."""
        return self.type is EventType.ERROR

    @property
    def is_complete(self) -> bool:
        """The end of a successful run."""
        return self.type is EventType.COMPLETE
