"""Rows from whatever holds them, and the prompt that each of them makes."""

from __future__ import annotations

import itertools
import string
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from l0.errors._nearest import nearest

TEXT = "text"  # the column of items that are plain texts
_SOME = 12  # columns that an error names


class Rows:
    """The rows of a DataFrame, a Series, a list, or anything else that can be iterated.

    A row is a mapping of column to value. Nothing is copied beforehand, nothing is changed; an
    iterable is read as rows are needed.

    Attributes:
        total: how many rows there are, None where that is not known beforehand.
        columns: their columns, None where they are not known beforehand.

    Raises:
        TypeError: the items are nothing with rows.
    """

    def __init__(self, items: Any, max_rows: int | None = None) -> None:
        if isinstance(items, str | bytes | Mapping):
            raise TypeError(
                f"map needs rows: a DataFrame, a list of dicts or of texts; write [{items!r:.60}]"
            )
        self._items, self._max = items, max_rows
        self.columns: list[Any] | None = None
        self.total: int | None = None
        kind = type(items).__module__.partition(".")[0]
        self._frame = kind == "pandas" and hasattr(items, "columns")
        self._series = kind == "pandas" and not self._frame and hasattr(items, "index")
        if not any(hasattr(items, name) for name in ("__iter__", "__aiter__", "iter_rows")):
            raise TypeError(f"map needs rows: a DataFrame, or an iterable; not {items!r}")
        self._by_row = hasattr(items, "iter_rows")  # as polars calls it
        if self._frame or self._by_row:
            self.columns = list(items.columns)
        elif isinstance(items, list | tuple):
            first = next((row for row in map(as_row, items) if isinstance(row, Mapping)), None)
            self.columns = None if first is None else list(first)
        elif self._series:
            self.columns = [TEXT]
        if isinstance(items, Sized):
            self.total = len(items) if max_rows is None else min(len(items), max_rows)

    @property
    def index(self) -> Any:
        """The index of a DataFrame or Series, as far as its rows are taken; None of others."""
        if self._frame or self._series:
            return self._items.index[: self.total]
        return None

    async def each(self) -> AsyncGenerator[Any, None]:
        """The rows, one after the other; what is no row is given as it is, to fail in its place."""
        if self._max == 0:
            return
        taken = itertools.count(1)
        if hasattr(self._items, "__aiter__"):
            async for item in self._items:
                yield as_row(item)
                if next(taken) == self._max:
                    return
            return
        for item in self._plain():
            yield as_row(item)
            if next(taken) == self._max:
                return

    def _plain(self) -> Iterator[Any]:
        if not self._frame:
            yield from self._items.iter_rows(named=True) if self._by_row else self._items
            return
        columns = self.columns or []
        # By column, so that each value keeps its own type; by position, as names may be doubled.
        values = [self._items.iloc[:, at] for at in range(len(columns))]
        for row in zip(*values, strict=True) if values else ({} for _ in self._items.index):
            yield dict(zip(columns, row, strict=True)) if values else row


def as_row(item: Any) -> Any:
    """An item as a mapping of column to value: a text has one column, "text"."""
    if isinstance(item, str):
        return {TEXT: item}
    return item


Prompter = Callable[[Any], Any]


def prompter(prompt: Any, rows: Rows) -> Prompter:
    """What makes a prompt of a row: a column's name, a template, or a function of the row.

    Raises:
        TypeError: it is none of these.
        ValueError: the template can't be read, or asks for a column that is not there.
    """
    if callable(prompt):
        return _Called(prompt)
    if not isinstance(prompt, str):
        raise TypeError(
            "a prompt is a column's name, a template such as 'Summarise {text}', or a function "
            f"of the row; not {prompt!r}"
        )
    if rows.columns is not None and prompt in rows.columns:
        fields, made = [prompt], _Column(prompt)
        check_columns(fields, rows.columns, prompt)
        return made
    template = _Template(prompt)
    if not template.fields:
        known = f"; the columns are {_named(rows.columns)}" if rows.columns is not None else ""
        raise ValueError(
            f"the prompt {prompt!r} is the same for every row: it is no column and has no "
            f"{{column}} in it{known}"
        )
    if rows.columns is not None:
        check_columns(template.fields, rows.columns, prompt)
    return template


def check_columns(wanted: Iterable[str], columns: list[Any], prompt: str) -> None:
    """Raise a ValueError unless each wanted column is there, once."""
    for name in wanted:
        if columns.count(name) == 1:
            continue
        if name in columns:
            raise ValueError(f"there are {columns.count(name)} columns {name!r}; rename one")
        near = nearest(name, columns)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise ValueError(
            f"the prompt {prompt!r:.120} asks for the column {name!r}{hint}, which is not there; "
            f"the columns are {_named(columns)}, and a brace is written {{{{ or }}}}"
        )


def _named(columns: list[Any] | None) -> str:
    names = [repr(each) for each in columns or []]
    return ", ".join(names[:_SOME]) + (", …" if len(names) > _SOME else "") or "none"


class _Called:
    """A prompt by a function of the row."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, row: Any) -> Any:
        return check_prompt(self._function(row))


class _Column:
    """A prompt that stands in a column as it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, row: Any) -> Any:
        return check_prompt(value_of(row, self._name))


class _Template:
    """A prompt by a `str.format` template; the values that go in are never read as templates."""

    def __init__(self, template: str) -> None:
        self._template = template
        self.fields = _fields(template)

    def __call__(self, row: Any) -> str:
        # Only what is asked for is looked at: other columns may hold what they like.
        values = {name: value_of(row, name) for name in self.fields}
        return _FORMATTER.vformat(self._template, (), values)


class _Formatter(string.Formatter):
    """`str.format` where `{}` is the text of an item that is one, and `{0}` the column "0"."""

    def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:  # noqa: ARG002  as declared
        return kwargs[str(key)] if str(key) in kwargs else kwargs[TEXT]


_FORMATTER = _Formatter()


def _fields(template: str) -> list[str]:
    """The columns a template asks for, in order."""
    found: dict[str, None] = {}
    pending = [template]
    while pending:
        text = pending.pop()
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise ValueError(
                f"the prompt {template!r:.120} can't be read as a template ({error}); "
                "a brace is written {{ or }}"
            ) from None
        for _, field, spec, _ in parts:
            if field is not None:
                found[_name(field)] = None
            if spec:
                pending.append(spec)
    return list(found)


def _name(field: str) -> str:
    """The column of a field such as `text`, `text!r`, `text.size` or `tags[0]`."""
    return field.partition(".")[0].partition("[")[0] or TEXT


def value_of(row: Any, name: str) -> Any:
    """The value of a row's column.

    Raises:
        ValueError: there is none, or it is missing (None, NaN, NaT).
    """
    if not isinstance(row, Mapping):
        raise ValueError(
            f"a row is a mapping of column to value, or a text; this one is {row!r:.80}"
        )
    if name not in row:
        raise ValueError(f"the row has no column {name!r}; it has {_named(list(row))}")
    value = row[name]
    if missing(value):
        raise ValueError(f"the column {name!r} is missing in this row ({value!r})")
    return value


def missing(value: Any) -> bool:
    """Whether it stands for a value that is not there, as None, NaN, NaT and pandas' NA do."""
    if value is None or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)  # noqa: PLR0124  NaN and NaT are the values unlike themselves
    except Exception:  # an array, whose comparison is no truth value: it is there
        return False


def check_prompt(prompt: Any) -> Any:
    """The prompt itself.

    Raises:
        TypeError: it is neither a text nor a list of messages.
    """
    if isinstance(prompt, str) or (
        isinstance(prompt, list | tuple) and all(isinstance(each, Mapping) for each in prompt)
    ):
        return prompt
    raise TypeError(f"a prompt is a text or a list of messages, not {prompt!r:.80}")
