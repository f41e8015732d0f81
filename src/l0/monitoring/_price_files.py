"""Price tables as people keep them: JSON, TOML and CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec

_COLUMNS = ("input", "output", "cached_input", "reasoning")


def rows_of(path: Path) -> dict[str, Any]:
    """Model name to price, as the file says; whether they make sense is not looked at.

    Raises:
        ValueError: the ending is unknown, or the text is not what the ending says.
    """
    read = {".json": _json, ".toml": _toml, ".csv": _csv}.get(path.suffix.lower())
    if read is None:
        raise ValueError("price tables are .json, .toml or .csv files")
    text = path.read_text(encoding="utf-8-sig")
    table = read(text)
    if not isinstance(table, dict):
        raise ValueError("the file holds one object: model names and their prices")
    return table


def _json(text: str) -> Any:
    return msgspec.json.decode(text)


def _toml(text: str) -> Any:
    import tomllib

    table = tomllib.loads(text)
    for model, price in table.items():
        if isinstance(price, dict) and any(isinstance(value, dict) for value in price.values()):
            raise ValueError(f'a name with dots is written in quotes, such as ["{model}.…"]')
    return table


def _csv(text: str) -> dict[str, Any]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = [name.strip() for name in rows.fieldnames or ()]
    missing = [name for name in ("model", "input", "output") if name not in header]
    unknown = [name for name in header if name not in ("model", *_COLUMNS)]
    if missing or unknown:
        raise ValueError(
            "the first line names the columns: model,input,output and perhaps cached_input and "
            f"reasoning, not {','.join(header)!r}"
        )
    rows.fieldnames = header
    table: dict[str, Any] = {}
    for row in rows:
        model = (row.pop("model") or "").strip()
        if model in table:
            raise ValueError(f"line {rows.line_num}: {model!r} has a price already")
        cells = {name: (cell or "").strip() for name, cell in row.items() if name is not None}
        if None in row or not model or not cells["input"] or not cells["output"]:
            raise ValueError(f"line {rows.line_num}: it has no model, input or output, or too much")
        try:
            table[model] = {name: float(cell) for name, cell in cells.items() if cell}
        except ValueError as error:
            raise ValueError(f"line {rows.line_num}: {error}") from error
    return table
