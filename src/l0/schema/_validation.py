"""One complete text becomes data, or fails its attempt: parse, heal, judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from l0.errors import SchemaValidationError, ZeroOutputError
from l0.events import Clock, Payload
from l0.schema._config import StructuredConfig
from l0.schema._faults import NOT_JSON, SchemaFault, error_of
from l0.schema._heal import AutoCorrectResult, auto_correct_json
from l0.schema._heal_strict import refuse
from l0.schema._payloads import (
    AutoCorrectEndPayload,
    AutoCorrectStartPayload,
    ParseEndPayload,
    ParseErrorPayload,
    ParseStartPayload,
    SchemaValidationEndPayload,
    SchemaValidationErrorPayload,
    SchemaValidationStartPayload,
    StructuredEndPayload,
    StructuredStartPayload,
)
from l0.schema._seams import Seams
from l0.schema._unified import UnifiedSchema
from l0.stream import Completion


@dataclass(slots=True)
class StructuredState:
    """What the validation of a run came to, over all its attempts; it grows while the run goes on.

    `validation_errors` has one error a failed validation, `correction_types` each kind of
    correction once, in the order they were first needed.
    """

    validation_failures: int = 0
    auto_corrections: int = 0
    validation_errors: list[SchemaValidationError] = field(default_factory=list)
    correction_types: list[str] = field(default_factory=list)
    validation_time_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class AutoCorrectInfo:
    """What `on_auto_correct` is told: the model's text, what was made of it, and by what steps."""

    original: str
    corrected: str
    corrections: tuple[str, ...]
    success: bool


@dataclass(frozen=True, slots=True)
class Valid:
    """A text that is the data asked for."""

    data: Any
    parsed: Any  # the JSON value, before the schema made something of it
    corrected: bool
    corrections: tuple[str, ...]


class Validation:
    """The interceptor that stands around the completion of one structured run."""

    name = "structured"

    def __init__(
        self,
        schema: UnifiedSchema[Any],
        config: StructuredConfig,
        clock: Clock,
        *,
        detect_zero_output: bool = False,
    ) -> None:
        self.schema, self.config = schema, config
        self._detect_zero_output = detect_zero_output
        self.state = StructuredState()
        self.valid: Valid | None = None
        self.healed: AutoCorrectInfo | None = None  # the last correction, for its callback
        self.seams = Seams()
        self._faults: list[SchemaFault] = []  # of all attempts so far
        self._clock = clock

    def after(self, done: Completion) -> Completion:
        """Judge the text of one attempt; raises what fails it."""
        began, attempt = self._clock.monotonic(), done.state.attempt
        self._forget()
        if self._detect_zero_output and not done.text.strip() and not done.state.tool_calls:
            raise ZeroOutputError("the model ended without any text, of which no data can be made")
        done.emit(
            StructuredStartPayload(
                self.schema.name, attempt, self.config.strict_mode, self.config.auto_correct
            )
        )
        try:
            self.valid = self._judged(done, attempt)
        finally:
            took = self._since(began)
            self.state.validation_time_ms += took
            corrected = self.healed is not None and self.healed.success
            done.emit(StructuredEndPayload(self.valid is not None, attempt, corrected, took))
        return done.replace(value=self.valid.data)

    def _forget(self) -> None:
        self.valid = self.healed = None

    def _since(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000

    def _judged(self, done: Completion, attempt: int) -> Valid:
        text, parsed, fault = self._parsed(done)
        if fault is None:
            fault = self.seams.fault(done.text, self.healed.corrections if self.healed else ())
        began, name = self._clock.monotonic(), self.schema.name
        data: Any = None
        faults: Sequence[SchemaFault] = ()
        count = 1  # a schema that raises has found something wrong, with itself
        done.emit(SchemaValidationStartPayload(name, attempt))
        try:
            if fault is None:
                data, faults = self.schema._check(parsed, text, self.config.strict_mode)
            else:
                faults = [fault]
            count = len(faults)
            if faults:
                raise self._failed(faults, attempt, done.emit)
        finally:
            took = self._since(began)
            done.emit(SchemaValidationEndPayload(not count, count, took))
        healed = self.healed
        return Valid(data, parsed, healed is not None, healed.corrections if healed else ())

    def _failed(
        self, faults: Sequence[SchemaFault], attempt: int, emit: Callable[[Payload], None]
    ) -> SchemaValidationError:
        found = [msgspec.structs.replace(each, attempt=attempt) for each in faults]
        error = error_of(found, self.schema.name, self._faults)
        self._faults += found
        self.state.validation_failures += 1
        self.state.validation_errors.append(error)
        emit(SchemaValidationErrorPayload([fault.to_dict() for fault in found], attempt))
        return error

    # --- from text to JSON ---

    def _parsed(self, done: Completion) -> tuple[str, Any, SchemaFault | None]:
        """The JSON text, its value, or what is wrong with it."""
        text, began = done.text.strip(), self._clock.monotonic()
        done.emit(ParseStartPayload(len(done.text)))
        try:
            value = strict_json(text)
        except (ValueError, RecursionError) as error:
            said, position = _told(error), getattr(error, "pos", None)
            if position is not None:
                position += len(done.text) - len(done.text.lstrip())
            done.emit(ParseErrorPayload(said, position))
            done.emit(ParseEndPayload(False, self._since(began)))
            return self._healed(done, said) if self.config.auto_correct else _not_json(text, said)
        done.emit(ParseEndPayload(True, self._since(began)))
        return text, value, None

    def _healed(self, done: Completion, said: str) -> tuple[str, Any, SchemaFault | None]:
        began = self._clock.monotonic()
        done.emit(AutoCorrectStartPayload(len(done.text)))
        made = auto_correct_json(done.text, track_corrections=True)
        value, success = None, made.success
        if success:
            try:
                value = strict_json(made.text)
            except (ValueError, RecursionError) as error:
                success, said = False, _told(error)
        took, steps = self._since(began), tuple(made.corrections)
        self.healed = AutoCorrectInfo(done.text, made.text, steps, success)
        if success:
            self._count(made)
        done.emit(AutoCorrectEndPayload(success, list(steps), len(steps), took))
        if not success:
            return _not_json(done.text, made.error or said)
        return made.text, value, None

    def _count(self, made: AutoCorrectResult) -> None:
        self.state.auto_corrections += 1
        known = self.state.correction_types
        known += [each for each in dict.fromkeys(made.corrections) if each not in known]


def strict_json(text: str) -> Any:
    """The value of JSON as the standard has it: without NaN and infinities.

    Raises:
        ValueError: the text is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=refuse)


def _told(error: BaseException) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _not_json(text: str, said: str) -> tuple[str, Any, SchemaFault]:
    return text, None, SchemaFault("", f"the text is no JSON: {said}", NOT_JSON)
