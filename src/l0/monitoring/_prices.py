"""What tokens cost: a table of prices that the user supplies, and the cost of what was used."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from l0.monitoring._price_files import rows_of

_DATED = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8})", re.ASCII)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost, per million tokens, in whatever currency the table is kept.

    Args:
        input: price of a million input tokens.
        output: price of a million output tokens.
        cached_input: … of input tokens that the provider read from its cache; None: as `input`.
        reasoning: … of output tokens that the model thought with; None: as `output`.

    Raises:
        ValueError: a price is no number, negative or not finite; it is named.

    Example:
        >>> from l0.events import Usage
        >>> Price(input=2.0, output=8.0).cost(Usage(input_tokens=1000, output_tokens=500))
        0.006
    """

    input: float
    output: float
    cached_input: float | None = None
    reasoning: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"Price.{field.name} is a number, not {value!r}")
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(
                    f"Price.{field.name} is a price per million tokens, 0 or more, not {value!r}"
                )

    def replace(self, **changes: Any) -> Self:
        """The same price with some fields changed."""
        return dataclasses.replace(self, **changes)

    def cost(self, usage: Any) -> float:
        """The cost of a `Usage`, or of a mapping or object with its fields.

        Cached tokens are a part of the input, reasoning tokens a part of the output.

        Raises:
            ValueError: a count is no whole number, or negative.
        """
        entered, cached = _count(usage, "input_tokens"), _count(usage, "cached_input_tokens")
        written, thought = _count(usage, "output_tokens"), _count(usage, "reasoning_tokens")
        cached, thought = min(cached, entered), min(thought, written)
        cost = (entered - cached) * self.input + (written - thought) * self.output
        cost += cached * (self.input if self.cached_input is None else self.cached_input)
        cost += thought * (self.output if self.reasoning is None else self.reasoning)
        return cost / _MILLION


class Prices(Mapping[str, Price]):
    """A table of prices by model name.

    A name is looked up as it is; a name with a date at its end (`-2026-01-01`, `-20260101` or
    `@20260101`) that is not in the table has the price of the name before the date. Nothing else
    matches: a model that is not in the table has no cost, rather than a guess.

    Args:
        table: model name to `Price`, to a mapping of its fields, or to a tuple in their order.

    Raises:
        TypeError: the table is no mapping.
        ValueError: a price makes no sense; its model is named.

    Example:
        >>> from l0.events import Usage
        >>> prices = Prices({"gpt-x": (2, 8), "tiny": {"input": 0.1, "output": 0.4}})
        >>> prices.cost("gpt-x-2026-01-01", Usage(input_tokens=1_000_000))
        2.0
        >>> prices.cost("gpt-x-mini", Usage(input_tokens=1_000_000)) is None
        True
    """

    __slots__ = ("_table",)

    def __init__(self, table: Mapping[str, Any]) -> None:
        if not isinstance(table, Mapping):
            raise TypeError(
                f"prices are a mapping of model name to Price, not {table!r}; "
                "a file is read by Prices.load(path)"
            )
        self._table = {_name(model): _price(model, value) for model, value in table.items()}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        r"""Prices from a file: JSON, TOML or CSV, by its ending.

        JSON and TOML hold one object (table) a model, with the fields of `Price`; CSV has a header
        line `model,input,output` and, if needed, `cached_input` and `reasoning`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file can't be read as prices; the message says where.

        Example:
            >>> import pathlib, tempfile
            >>> file = pathlib.Path(tempfile.mkdtemp()) / "prices.csv"
            >>> _ = file.write_text("model,input,output\ngpt-x,2,8\n")
            >>> Prices.load(file)["gpt-x"]
            Price(input=2.0, output=8.0, cached_input=None, reasoning=None)
        """
        path = Path(path)
        try:
            return cls(rows_of(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def find(self, model: str | None) -> Price | None:
        """The price of a model, dated or not; None if the table does not know it."""
        if not isinstance(model, str):
            return None
        known = self._table.get(model)
        if known is None:
            dated = _DATED.search(model)
            while dated is not None and dated.end() != len(model):
                dated = _DATED.search(model, dated.start() + 1)
            known = None if dated is None else self._table.get(model[: dated.start()])
        return known

    def cost(self, model: str | None, usage: Any) -> float | None:
        """The cost of a usage; None if the table does not know the model."""
        price = self.find(model)
        return None if price is None else price.cost(usage)

    def __getitem__(self, model: str) -> Price:
        return self._table[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return f"Prices({self._table!r})"


def _name(model: Any) -> str:
    if not isinstance(model, str) or not model.strip():
        raise ValueError(f"a price belongs to a model name, not to {model!r}")
    return model


def _price(model: str, value: Any) -> Price:
    if isinstance(value, Price):
        return value
    try:
        if isinstance(value, Mapping):
            unknown = sorted(map(str, value.keys() - {f.name for f in dataclasses.fields(Price)}))
            if unknown:
                raise ValueError(
                    f"{', '.join(unknown)} is unknown; a price has input, output, cached_input "
                    "and reasoning"
                )
            return Price(**value)
        if isinstance(value, tuple | list):
            return Price(*value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the price of {model!r}: {_plainly(error)}") from error
    raise ValueError(
        f"the price of {model!r} is {value!r}; give Price(input, output), a mapping of its fields, "
        "or (input, output)"
    )


def _plainly(error: Exception) -> str:
    if isinstance(error, TypeError):
        return "it has input and output, and perhaps cached_input and reasoning, nothing else"
    return str(error)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"usage: {name} counts tokens, not {value!r}")
    return value
