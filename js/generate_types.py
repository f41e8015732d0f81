# ruff: noqa: INP001  a script beside the sources, no package
"""Write the TypeScript types of the event catalog: `python js/generate_types.py [--check]`.

The catalog is declared once, in Python. Its JSON Schema comes from msgspec, and each payload class
becomes one interface in `src/lib/events.gen.ts`; `--check` writes nothing and fails when stale.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from l0.events._catalog import Payload, catalog

TARGET = Path(__file__).resolve().parent / "src" / "lib" / "events.gen.ts"
ROOMS = ("l0.events", "l0.schema", "l0.compose")  # the rooms whose event families the views draw
HEAD = "// Generated from the event catalog by js/generate_types.py; do not edit.\n"
PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def generate() -> str:
    """The text of `events.gen.ts` for the catalog as it is declared now."""
    for room in ROOMS:
        importlib.import_module(room)
    events = {name: cls for name, cls in catalog().items() if cls.__module__.startswith(ROOMS)}
    _, shapes = msgspec.json.schema_components(list(events.values()))
    parts = [HEAD]
    parts += [_declaration(name, shape) for name, shape in shapes.items()]
    parts.append(_union(events))
    return "\n".join(parts)


def _declaration(name: str, shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return f"export type {name} = {_literals(shape['enum'])};\n"
    required = set(shape.get("required", ()))
    fields = [
        f"  {field}{'' if field in required else '?'}: {_type(schema)};"
        for field, schema in shape["properties"].items()
        if field != "type" or "enum" not in schema  # the tag travels beside the payload
    ]
    summary = shape.get("description", "").split("\n\n", 1)[0].replace("\n", " ").strip()
    note = f"/** {' '.join(summary.split())} */\n" if summary else ""
    return "\n".join([f"{note}export interface {name} {{", *fields, "}"]) + "\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in schema:
        options = map(_type, schema["anyOf"])  # null last, wherever msgspec puts it
        return " | ".join(sorted(options, key=lambda option: option == "null"))
    if "enum" in schema:
        return _literals(schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"Array<{_type(schema.get('items') or {})}>"
    if kind == "object":
        return "Record<string, unknown>"
    return PLAIN.get(str(kind), "unknown")


def _literals(values: list[Any]) -> str:
    return " | ".join(f'"{value}"' for value in sorted(map(str, values)))


def _union(events: dict[str, type[Payload]]) -> str:
    rows = [f"  {name}: {cls.__name__};" for name, cls in events.items()]
    return "\n".join(
        [
            "/** The payload of every event type. */",
            "export interface Payloads {",
            *rows,
            "}\n",
            "export type EventName = keyof Payloads;\n",
        ]
    )


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` say whether it is current; returns the exit code."""
    text = generate()
    if "--check" in arguments:
        current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        if current != text:
            sys.stderr.write(f"{TARGET} is stale; run `python js/generate_types.py`\n")
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
