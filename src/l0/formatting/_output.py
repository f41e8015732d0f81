"""What an answer should look like, said to a model; and answers without what surrounds them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from l0.formatting._delimiters import block

OutputFormat = Literal["json", "yaml", "xml", "markdown", "plain"]


@dataclass(frozen=True, slots=True)
class OutputConstraints:
    """Bounds of an answer; lengths are characters.

    Raises:
        ValueError: a length is negative, or the shortest is above the longest.
    """

    max_length: int | None = None
    min_length: int | None = None
    no_code_blocks: bool = False
    no_markdown: bool = False
    language: str | None = None
    tone: str | None = None

    def __post_init__(self) -> None:
        for name in ("max_length", "min_length"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is 0 or more characters, not {value}")
        if None not in (self.max_length, self.min_length) and self.min_length > self.max_length:  # type: ignore[operator]
            raise ValueError(f"min_length {self.min_length} is above max_length {self.max_length}")


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What an output instruction says beside the format.

    `schema` is a JSON Schema or a text, `example` a text or data that is written in the format;
    `strict` forbids everything around the answer; `wrap` puts the instruction into a block.
    """

    strict: bool = False
    schema: Any = None
    example: Any = None
    constraints: OutputConstraints | Mapping[str, Any] | None = None
    wrap: bool = True


def format_json_output(
    options: OutputOptions | Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """The instruction to answer in JSON.

    Example:
        >>> print(format_json_output(wrap=False, strict=True))
        Answer with one valid JSON value.
        Write nothing before or after it, and no code fence.
    """
    return format_structured_output("json", options, **changes)


def format_structured_output(
    format: OutputFormat, options: OutputOptions | Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """The instruction to answer in a format: one sentence for each thing that is asked for.

    Args:
        format: `"json"`, `"yaml"`, `"xml"`, `"markdown"` or `"plain"`.
        options: `OutputOptions`, or a mapping of its fields; single ones also as keywords.
        changes: fields of the options.

    Raises:
        ValueError: the format is unknown.
        TypeError: an option is unknown.

    Example:
        >>> print(format_structured_output("yaml", example={"name": "Ada"}, wrap=False))
        Answer with one valid YAML document.
        An example of the form:
        name: Ada
    """
    if format not in _ASK:
        raise ValueError(f"no format {format!r}; there are {', '.join(_ASK)}")
    given = options if isinstance(options, OutputOptions) else OutputOptions(**(options or {}))
    chosen = dataclasses.replace(given, **changes)
    said = [_ASK[format]]
    if chosen.strict:
        said.append(_STRICT[format])
    if chosen.schema is not None:
        said.append(f"It must match this schema:\n{_written('json', chosen.schema)}")
    if chosen.example is not None:
        said.append(f"An example of the form:\n{_written(format, chosen.example)}")
    if chosen.constraints:
        said.append(format_output_constraints(chosen.constraints))
    text = "\n".join(part for part in said if part)
    return wrap_output_instruction(text) if chosen.wrap else text


def format_output_constraints(constraints: OutputConstraints | Mapping[str, Any]) -> str:
    """A sentence for each constraint that is set, in the order of the fields.

    Example:
        >>> print(format_output_constraints({"max_length": 80, "tone": "friendly"}))
        Write at most 80 characters.
        Keep a friendly tone.
    """
    if not isinstance(constraints, OutputConstraints):
        constraints = OutputConstraints(**constraints)
    said = []
    if constraints.max_length is not None:
        said.append(f"Write at most {constraints.max_length} characters.")
    if constraints.min_length is not None:
        said.append(f"Write at least {constraints.min_length} characters.")
    if constraints.no_code_blocks:
        said.append("Use no code blocks.")
    if constraints.no_markdown:
        said.append("Use no Markdown.")
    if constraints.language:
        said.append(f"Write in {constraints.language}.")
    if constraints.tone:
        said.append(f"Keep a {constraints.tone} tone.")
    return "\n".join(said)


def wrap_output_instruction(instruction: str) -> str:
    """An instruction in a block of its own.

    Example:
        >>> print(wrap_output_instruction("Be brief."))
        <output_format>
        Be brief.
        </output_format>
    """
    return block("Output format", instruction, "xml")


def create_output_format_section(
    format: OutputFormat, options: OutputOptions | Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """The same instruction as a section of a Markdown prompt.

    Example:
        >>> print(create_output_format_section("plain"))
        ## Output format
        <BLANKLINE>
        Answer in plain text.
    """
    return "## Output format\n\n" + format_structured_output(
        format, options, **{**changes, "wrap": False}
    )


_FENCED: Final = re.compile(  # one fence, from the first line to the last
    r"\A(`{3,}+|~{3,}+)[^\n`]*\n((?:(?![ ]{0,3}\1).*\n)*)[ ]{0,3}\1[`~]*\s*\Z"
)
_LEAD_IN: Final = re.compile(
    r"\A(?:(?:sure|certainly|of course|absolutely)\b[^\n]{0,40}\n+)?"
    r"(?:(?:sure|certainly|of course|absolutely)[,!.:]?\s+)?"
    r"here(?:'|\u2019)?s?(?:\s+(?:is|are))?\s[^\n]{0,80}:[ \t]*\n+",
    re.IGNORECASE,
)


def clean_output(text: str) -> str:
    r"""An answer without the sentence that announces it and the fence around it.

    Text is only taken away where nothing but blanks is left around the answer itself.

    Example:
        >>> clean_output("Here is the JSON:\n```json\n{}\n```")
        '{}'
    """
    rest = text.strip()
    rest = rest[found.end() :] if (found := _LEAD_IN.match(rest)) else rest
    fenced = _FENCED.match(rest.strip())
    return fenced[2].removesuffix("\n") if fenced else rest.strip()


def extract_json_from_output(text: str) -> str:
    """The first JSON object or array that an answer holds, as it stands there.

    An answer without one comes back as `clean_output` leaves it. Broken JSON is not mended here;
    `l0.schema.auto_correct_json` does that.

    Example:
        >>> extract_json_from_output('The result is {"a": [1]}, as you asked.')
        '{"a": [1]}'
    """
    cleaned = clean_output(text)
    left = max(_LEAST_STEPS, _STEPS_A_CHAR * len(cleaned))  # brackets that open nothing cost time
    for found in re.finditer(r"[{\[]", cleaned):
        try:
            _, end = _DECODER.raw_decode(cleaned, found.start())
        except json.JSONDecodeError as error:
            left -= error.pos - found.start() + 1
        except RecursionError:
            left -= len(cleaned)
        else:
            return cleaned[found.start() : end]
        if left < 0:
            break
    return cleaned


def validate_json_output(text: str) -> tuple[bool, str | None]:
    """Whether an answer, cleaned, is JSON; and what is wrong where.

    Example:
        >>> validate_json_output('{"a": 1')[0]
        False
    """
    try:
        json.loads(clean_output(text))
    except (ValueError, RecursionError) as error:
        return False, str(error) or "nested too deeply"
    return True, None


_DECODER: Final = json.JSONDecoder()
_LEAST_STEPS: Final = 10_000
_STEPS_A_CHAR: Final = 20
_ASK: Final = {
    "json": "Answer with one valid JSON value.",
    "yaml": "Answer with one valid YAML document.",
    "xml": "Answer with one well-formed XML document.",
    "markdown": "Answer in Markdown.",
    "plain": "Answer in plain text.",
}
_STRICT: Final = {
    "json": "Write nothing before or after it, and no code fence.",
    "yaml": "Write nothing before or after it, and no code fence.",
    "xml": "Write nothing before or after it, and no code fence.",
    "markdown": "Write nothing but the answer itself.",
    "plain": "Write nothing but the answer itself.",
}


def _written(format: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if format == "yaml":
        import yaml

        dumped: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
        return dumped.removesuffix("...\n").rstrip("\n")
    return json.dumps(value, ensure_ascii=False, indent=2)
