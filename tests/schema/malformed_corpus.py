"""Broken JSON with its one right answer each: documents written with a known value, then damaged.

`CASES` are (category, text, right answer); the answer is a value or `ERROR`, where nothing can be
said without inventing something. `DOCUMENTS` are sound, to be cut off at every character.

A value is written by a small writer of our own with one habit that JSON does not allow, or the
sound text of a value is damaged by a rule that leaves one reading. Nothing here is the output of a
healing library, ours included.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple


class _Error:
    def __repr__(self) -> str:
        return "ERROR"


ERROR = _Error()
"""The right answer is to say that there is none."""


class Case(NamedTuple):
    """A broken text and what it means."""

    category: str
    text: str
    right: Any


VALUES: list[Any] = [
    {"name": "Ada", "born": 1815},
    {"tags": ["x", "y"], "n": 3},
    {"a": {"b": {"c": [1, 2, {"d": "e"}]}}},
    [1, 2, 3],
    [{"id": 1, "ok": True}, {"id": 2, "ok": False}],
    {"url": "https://example.org/a//b?x=1#y", "note": "/* keep */ ,} ,] // keep"},
    {"quote": 'She said "yes", and left.', "path": "C:\\new\\table"},
    {"text": "line one\nline two\ttabbed", "none": None},
    {"emoji": "naïve 😀 東京", "e": 1.5e-7, "neg": -12.25},
    {"empty": {}, "list": [], "blank": "", "zero": 0},
    ["a, b", "c: d", "{e}", "[f]", "it's"],
    {"rows": [["a", 1], ["b", 2]], "total": 2, "done": True},
]
"""What the damaged texts mean."""

LONG = "a key that is a sentence, " * 10


def write(
    value: Any,
    *,
    quote: str = '"',
    end_quote: str = "",
    keys: str = "",
    comma: str = ",",
    trailing: str = "",
    names: tuple[str, str, str] = ("true", "false", "null"),
    after_open: str = "",
    raw: bool = False,
) -> str:
    """Write a value with the habits given; without any it is JSON.

    Args:
        value: The value.
        quote: What opens a string, and closes it unless `end_quote` does.
        end_quote: What closes a string.
        keys: "bare" leaves away the quotes of keys, else as other strings.
        comma: What separates.
        trailing: What stands before a closer that follows something.
        names: How true, false and null are written.
        after_open: What stands after an opening bracket that holds something.
        raw: Newlines and tabs in strings stand as they are.
    """

    def text(item: str) -> str:
        inner = json.dumps(item, ensure_ascii=False)[1:-1]
        if raw:
            inner = item.replace("\\", "\\\\").replace('"', '\\"')
        if quote != '"':
            inner = inner.replace('\\"', '"').replace("'", "\\'" if quote == "'" else "'")
        return quote + inner + (end_quote or quote)

    def some(item: Any) -> str:
        if isinstance(item, bool) or item is None:
            return names[0 if item is True else 1 if item is False else 2]
        if isinstance(item, str):
            return text(item)
        if isinstance(item, dict):
            pairs = [
                f"{key if keys == 'bare' else text(key)}: {some(inner)}"
                for key, inner in item.items()
            ]
            return "{" + (after_open + comma.join(pairs) + trailing if pairs else "") + "}"
        if isinstance(item, list):
            inner = comma.join(some(one) for one in item)
            return "[" + (after_open + inner + trailing if item else "") + "]"
        return json.dumps(item)

    return some(value)


def _each(category: str, **habits: Any) -> list[Case]:
    return [
        Case(category, text, value)
        for value in VALUES
        if (text := write(value, **habits)) != write(value)
    ]


def _around(category: str, before: str, after: str) -> list[Case]:
    """Sound text within other text."""
    return [Case(category, before + write(value) + after, value) for value in VALUES]


def _without_closers() -> list[Case]:
    """The closing brackets at the end left away, from the last one to all of them."""
    cases = []
    for value in VALUES:
        text = write(value)
        closers = len(text) - len(text.rstrip("]}"))
        if text[-closers - 1] == "[" or text[-closers - 1] == "{":
            continue  # that would be an empty bracket
        cases += [Case("missing closers", text[:-n], value) for n in range(1, closers + 1)]
    return cases


FENCES = [
    *_around("fences", "```json\n", "\n```"),
    *_around("fences", "Here you are:\n\n```json\n", "\n```\n\nTell me if {more} is needed [1]."),
    *_around("fences", "```\n", "\n```"),
    Case("fences", '```JSON\n{"a": 1}\n```', {"a": 1}),
    Case("fences", '~~~json\n{"a": 1}\n~~~', {"a": 1}),
    Case("fences", '````json\n{"a": 1}\n````', {"a": 1}),
    Case("fences", '```json {"a": 1} ```', {"a": 1}),
    Case("fences", '```json\r\n{"a": 1}\r\n```\r\n', {"a": 1}),
    Case("fences", '```json\n{"a": [1, 2', {"a": [1, 2]}),
    Case("fences", '```json\n{"a": [1, 2\n```', {"a": [1, 2]}),
    Case("fences", '```json\n{"a": 1,}\n```\nbye', {"a": 1}),
    Case("fences", '```json\n{"md": "```py\\nx = 1\\n```"}\n```', {"md": "```py\nx = 1\n```"}),
    Case("fences", 'The keys are {a} and {b}.\n```json\n{"a": 1, "b": 2}\n```', {"a": 1, "b": 2}),
    Case("fences", '```python\nx = {"no": 1}\n```\nprints\n```json\n{"yes": 1}\n```', {"yes": 1}),
    Case("fences", '  ```json\n  {"a": 1}\n  ```', {"a": 1}),
]

PROSE = [
    *_around("prose", "Sure! Here is the JSON you asked for: ", ""),
    *_around("prose", "", "\n\nI hope this helps!"),
    *_around("prose", "The answer (as asked) is:\n", "\nLet me know if you need more."),
    Case("prose", 'json\n{"a": 1}', {"a": 1}),
    Case("prose", 'JSON: {"a": 1}', {"a": 1}),
    Case("prose", '\ufeff{"a": 1}', {"a": 1}),
    Case("prose", 'See [1] for the format. {"a": 1}', {"a": 1}),
    Case("prose", 'For {name} I give {"name": "Ada"}', {"name": "Ada"}),
    Case("prose", '{"a": 1}\n{"a": 2}', {"a": 1}),
    Case("prose", '{"a": 1} {"b": "}"}', {"a": 1}),
    Case("prose", '{"a": 1}}', {"a": 1}),
    Case("prose", '[{"a": 1}, {"a": 2}\n\nHope this helps!', [{"a": 1}, {"a": 2}]),
    Case("prose", '```{"a": 1}``` is the answer', {"a": 1}),
    Case("prose", 'It\'s ["x", "y"], isn\'t it?', ["x", "y"]),
    Case("prose", 'result = {"a": 1};', {"a": 1}),
    Case("prose", '<answer>{"a": "</b>"}</answer>', {"a": "</b>"}),
    Case("prose", '`{"a": 1}`', {"a": 1}),
    Case("prose", '**Result:** {"a": 1}.', {"a": 1}),
]

COMMAS = [
    *_each("trailing commas", trailing=","),
    *_each("trailing commas", trailing=" ,\n"),
    Case("trailing commas", '{"a": 1},', {"a": 1}),
    Case("trailing commas", '{"a": [1, 2,', {"a": [1, 2]}),
    Case("double commas", "[1,,2]", [1, 2]),
    Case("double commas", '{"a": 1,, "b": 2}', {"a": 1, "b": 2}),
    Case("double commas", "[,1]", [1]),
    Case("double commas", '{,"a": 1}', {"a": 1}),
    Case("double commas", "[1, 2,,]", [1, 2]),
    Case("double commas", '{"a": "x",\n,\n"b": [1,,,2]}', {"a": "x", "b": [1, 2]}),
    *list(_each("double commas", comma=", ,")),
    Case("missing commas", '{"a": 1 "b": 2}', {"a": 1, "b": 2}),
    Case("missing commas", '{"a": "x"\n "b": "y"\n "c": [1]}', {"a": "x", "b": "y", "c": [1]}),
    Case("missing commas", "[1 2 3]", [1, 2, 3]),
    Case("missing commas", '["a" "b"]', ["a", "b"]),
    Case("missing commas", '[{"a": 1} {"a": 2}]', [{"a": 1}, {"a": 2}]),
    Case("missing commas", '{"a": {"b": 1} "c": null}', {"a": {"b": 1}, "c": None}),
    Case("missing commas", '{"a": true "b": false}', {"a": True, "b": False}),
    Case("missing commas", "[[1]\n[2]]", [[1], [2]]),
]

CLOSERS = [
    *_without_closers(),
    Case("missing closers", '{"a": [1, 2}', {"a": [1, 2]}),
    Case("missing closers", '[{"a": 1]', [{"a": 1}]),
    Case("missing closers", '{"a": [{"b": 1, "c": [1, 2}]}', {"a": [{"b": 1, "c": [1, 2]}]}),
    Case("missing closers", '{"a": [1, 2, "b": 3}', {"a": [1, 2], "b": 3}),
    Case("missing closers", '[{"a": 1, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    Case("missing closers", '{"a": {"b": [1, {"c": 2}}', {"a": {"b": [1, {"c": 2}]}}),
    Case("missing closers", "[[1, 2], [3, 4", [[1, 2], [3, 4]]),
    Case("stray closers", '{"a": [1, 2]]}', {"a": [1, 2]}),
    Case("stray closers", '{"a": 1], "b": 2}', {"a": 1, "b": 2}),
    Case("stray closers", "[1, 2}", [1, 2]),
    Case("stray closers", "[1, 2}, 3]", [1, 2, 3]),
]

STRINGS = [
    Case("open strings", '{"a": "hello', {"a": "hello"}),
    Case("open strings", '["x", "y', ["x", "y"]),
    Case("open strings", '{"a": {"b": ["c", "d e', {"a": {"b": ["c", "d e"]}}),
    Case("open strings", '{"a": "', {"a": ""}),
    Case("open strings", '{"a": "tail \\', {"a": "tail "}),
    Case("open strings", '{"a": "tail \\u00', {"a": "tail "}),
    Case("open strings", '{"a": "tail \\\\', {"a": "tail \\"}),
    Case("open strings", '{"a": "tail \\"', {"a": 'tail "'}),
    Case("open strings", '{"a": "smile \\ud83d', {"a": "smile "}),
    Case("open strings", '{"a": "smile \\ud83d\\ude', {"a": "smile "}),
    Case("open strings", '{"a": "{[,:', {"a": "{[,:"}),
    Case("open strings", '"hello', "hello"),
    Case("open strings", '{"a": "x, "b": 1}', {"a": "x", "b": 1}),
    Case("open strings", '{"a": "x,\n "b": "y"}', {"a": "x", "b": "y"}),
    Case("open strings", '{"a": "x\n, "b": "y"}', {"a": "x", "b": "y"}),
    Case("open strings", '{\n  "a": "x\n}', {"a": "x"}),
    Case("open strings", '[\n  {\n    "a": "x\n  }\n]', [{"a": "x"}]),
    *_each("control characters", raw=True),
    Case("control characters", '{"a": "x\ny"}', {"a": "x\ny"}),
    Case("control characters", '{"a": "x\r\ny"}', {"a": "x\r\ny"}),
    Case("control characters", '{"a": "x\ty", "b\tc": 1}', {"a": "x\ty", "b\tc": 1}),
    Case("control characters", '{"a": "\x00\x1b[1m\x07"}', {"a": "\x00\x1b[1m\x07"}),
    Case("control characters", f'{{"a": "x\ny", "{LONG}": 1}}', {"a": "x\ny", LONG: 1}),
    Case("control characters", '["\n\n\n"]', ["\n\n\n"]),
    Case("control characters", '{"a":\xa01,\u200b"b": 2}', {"a": 1, "b": 2}),
    Case("control characters", '{"a": "x\ny', {"a": "x\ny"}),
    Case("bad escapes", r'{"re": "\d+\s*"}', {"re": r"\d+\s*"}),
    Case("bad escapes", r'{"p": "C:\Users\ada"}', {"p": r"C:\Users\ada"}),
    Case("bad escapes", r'{"a": "it\'s"}', {"a": "it's"}),
    Case("bad escapes", r'{"a": "100\%"}', {"a": r"100\%"}),
    Case("bad escapes", r'{"a": "\uZZZZ"}', {"a": r"\uZZZZ"}),
    Case("bad escapes", r'{"a": "x\ud83d\ude00\(y\)"}', {"a": r"x😀\(y\)"}),
    Case("bad escapes", r'{\n "a": 1,\n "b": "x\ny"\n}', {"a": 1, "b": "x\ny"}),
    Case("bad escapes", r"{\"a\": \"b\"}", {"a": "b"}),
    Case("bad escapes", r"{\"a\": [1, {\"b\": \"c\"}]}", {"a": [1, {"b": "c"}]}),
]

QUOTES = [
    *_each("single quotes", quote="'"),
    Case("single quotes", "{'a': 'it's'}", {"a": "it's"}),
    Case("single quotes", "{'a': 'it's so, isn't it', 'b': 1}", {"a": "it's so, isn't it", "b": 1}),
    Case("single quotes", "{'a': 'say \"hi\"'}", {"a": 'say "hi"'}),
    Case("single quotes", "{'a': \"it's\"}", {"a": "it's"}),
    Case("single quotes", "['a', \"b\", 'c']", ["a", "b", "c"]),
    Case("single quotes", "{'a': 'x\\ny'}", {"a": "x\ny"}),
    Case("single quotes", "{'a': ''}", {"a": ""}),
    Case("single quotes", "{'a': 'hel", {"a": "hel"}),
    Case("typographic quotes", "{“a”: “b”}", {"a": "b"}),
    Case("typographic quotes", "{“a”: [“b”, ‘c’]}", {"a": ["b", "c"]}),
    Case("typographic quotes", '{"a": “b”, “c”: "d"}', {"a": "b", "c": "d"}),
    *[
        case
        for case in _each("typographic quotes", quote="“", end_quote="”")
        if "quote" not in case.right
    ][:4],
    Case("inner quotes", '{"a": "say "hi" now"}', {"a": 'say "hi" now'}),
    Case("inner quotes", '{"a": "say "hi"", "b": 1}', {"a": 'say "hi"', "b": 1}),
    Case("inner quotes", '{"a": ""hi" she said", "b": 1}', {"a": '"hi" she said', "b": 1}),
    Case("inner quotes", '["a "b" c", "d"]', ['a "b" c', "d"]),
    Case(
        "inner quotes",
        '{"a": "He said "yes", then left", "b": 1}',
        {"a": 'He said "yes", then left', "b": 1},
    ),
    Case(
        "inner quotes", '{"q": "Is it "A" or "B"?", "a": "A"}', {"q": 'Is it "A" or "B"?', "a": "A"}
    ),
    Case("inner quotes", '["He said "a, b", ok", "c"]', ['He said "a, b", ok', "c"]),
    Case("inner quotes", '{"a": "<p class="x">y</p>"}', {"a": '<p class="x">y</p>'}),
    Case("inner quotes", '{"size": "5" wide", "n": 1}', {"size": '5" wide', "n": 1}),
    Case("triple quotes", '{"a": """x"""}', {"a": "x"}),
    Case("triple quotes", '{"a": """one\n"two"\n""", "b": 1}', {"a": 'one\n"two"\n', "b": 1}),
    Case("triple quotes", "{'a': '''it's'''}", {"a": "it's"}),
]

COMMENTS = [
    *_each("comments", after_open=' /* a, {b}: "c */ '),
    *_each("comments", comma=', // it\'s "one"\n '),
    Case("comments", '{"a": 1} // done', {"a": 1}),
    Case("comments", '// the answer\n{"a": 1}', {"a": 1}),
    Case("comments", '{"a": 1, # python\n "b": 2}', {"a": 1, "b": 2}),
    Case("comments", '{"a": 1 /* open', {"a": 1}),
    Case(
        "comments", '{"a": "http://x", /* c */ "b": "/* d */"}', {"a": "http://x", "b": "/* d */"}
    ),
    Case("comments", '{/**/"a"/**/:/**/1/**/}', {"a": 1}),
    Case("comments", "[1, // one\n 2, // two\n]", [1, 2]),
    Case("comments", "[1, 2, ...]", [1, 2]),
    Case("comments", '{"a": 1, ...}', {"a": 1}),
]

LITERALS = [
    *_each("Python literals", names=("True", "False", "None")),
    *[
        case
        for case in _each("Python literals", quote="'", names=("True", "False", "None"))
        if any(name in case.text for name in ("True", "False", "None"))
    ],
    Case("Python literals", "[True, False, None]", [True, False, None]),
    Case("Python literals", '{"a": nan, "b": inf, "c": -inf}', {"a": None, "b": None, "c": None}),
    Case("Python literals", "[1_000, .5, 5., +1, 0x1F]", [1000, 0.5, 5.0, 1, 31]),
    Case("Python literals", '{"None": "True", "x": None}', {"None": "True", "x": None}),
    Case("Python literals", "True", True),
    Case("Python literals", '{"a": True', {"a": True}),
    Case("JavaScript literals", '{"a": undefined}', {"a": None}),
    Case(
        "JavaScript literals",
        '{"a": NaN, "b": [Infinity, -Infinity]}',
        {"a": None, "b": [None, None]},
    ),
    Case("JavaScript literals", "[undefined, undefined]", [None, None]),
    Case(
        "JavaScript literals",
        '{"NaN": "NaN undefined", "a": NaN}',
        {"NaN": "NaN undefined", "a": None},
    ),
    Case("JavaScript literals", "{a: undefined, b: 'c',}", {"a": None, "b": "c"}),
    Case("JavaScript literals", "[0xff, 10n]", [255, 10]),
]

KEYS = [
    *_each("unquoted keys", keys="bare"),
    *_each("unquoted keys", keys="bare", quote="'")[:3],
    Case("unquoted keys", "{a:1}", {"a": 1}),
    Case(
        "unquoted keys",
        '{first_name: "Ada", $id: 1, data-x: 2}',
        {"first_name": "Ada", "$id": 1, "data-x": 2},
    ),
    Case("unquoted keys", '{1: "one", 2: "two"}', {"1": "one", "2": "two"}),
    Case("unquoted keys", "{true: 1, null: 2}", {"true": 1, "null": 2}),
    Case("unquoted keys", '{first name: "Ada"}', {"first name": "Ada"}),
    Case("unquoted keys", '{name": "Ada"}', {"name": "Ada"}),
    Case("unquoted keys", '{"name: "Ada", "n": 1}', {"name": "Ada", "n": 1}),
    Case(
        "unquoted values",
        "{name: Ada Lovelace, born: 1815}",
        {"name": "Ada Lovelace", "born": 1815},
    ),
    Case("unquoted values", '{"day": 2024-01-31}', {"day": "2024-01-31"}),
    Case("unquoted values", '{"status": active, "n": 1}', {"status": "active", "n": 1}),
    Case("unquoted values", '{"share": 50%}', {"share": "50%"}),
    Case("unquoted values", '{"a": hello", "b": 1}', {"a": "hello", "b": 1}),
]

CUT = [
    Case("cut off", '{"a": 1, "b', {"a": 1}),
    Case("cut off", '{"a": 1, "b"', {"a": 1}),
    Case("cut off", '{"a": 1, "b":', {"a": 1}),
    Case("cut off", '{"a": 1, "b": ', {"a": 1}),
    Case("cut off", '{"a": 1,', {"a": 1}),
    Case("cut off", '{"a": 1, "b": tr', {"a": 1}),
    Case("cut off", '{"a": 1, "b": nul', {"a": 1}),
    Case("cut off", '{"a": 1, "b": -', {"a": 1}),
    Case("cut off", '{"a": 1, "b": 1e', {"a": 1}),
    Case("cut off", '{"a": 1, "b": 1.', {"a": 1}),
    Case("cut off", '{"a": 1, "b": 2.5e-', {"a": 1}),
    Case("cut off", '{"a": tru', {}),
    Case("cut off", '{"a', {}),
    Case("cut off", "{", {}),
    Case("cut off", "[", []),
    Case("cut off", "[1, fal", [1]),
    Case("cut off", "[1, -", [1]),
    Case("cut off", '[{"a": 1}, {', [{"a": 1}, {}]),
    Case("cut off", '{"a": [1, {"b', {"a": [1, {}]}),
    Case("cut off", '{"a": , "b": 2}', {"b": 2}),
    Case("cut off", '{"x": 1, "a": }', {"x": 1}),
    Case("cut off", "{'a': 1, 'b'", {"a": 1}),
    Case("cut off", '{"a": 1, "b"}', {"a": 1}),
    Case("cut off", "{a: 1, b", {"a": 1}),
    Case("cut off", "{a: Tru", {}),
]

MIXED = [
    Case(
        "mixed",
        "Sure!\n```json\n{\n  name: 'Ada', // who\n  'tags': ['x', 'y',],\n"
        '  "ok": True,\n}\n```\nBye',
        {"name": "Ada", "tags": ["x", "y"], "ok": True},
    ),
    Case("mixed", "{'a': [1, 2, {'b': None, 'c': 'd", {"a": [1, 2, {"b": None, "c": "d"}]}),
    Case(
        "mixed",
        'Answer: {"a": "x\ny", b: [1 2,], /* c */ "d": undefined',
        {"a": "x\ny", "b": [1, 2], "d": None},
    ),
    Case("mixed", '[{"a": 1,}, {"a": 2,,}, {"a": 3]', [{"a": 1}, {"a": 2}, {"a": 3}]),
    Case(
        "mixed",
        '```json\n{"code": "if (a) {\n  return \\"b\\";\n}", "ok": true,\n',
        {"code": 'if (a) {\n  return "b";\n}', "ok": True},
    ),
    Case("mixed", "{“a”: 'b', c: True // d\n", {"a": "b", "c": True}),
    Case("mixed", '{"a": 12345678901234567890123, }', {"a": 12345678901234567890123}),
    Case("mixed", '{"a": 1, "a": 2,}', {"a": 2}),
    Case("mixed", '{"a": "\\ud800",}', {"a": "\ud800"}),
]

HOPELESS = [
    Case("nothing to say", text, ERROR)
    for text in (
        "",
        "   \n",
        "hello world",
        "I can't help with that.",
        "The set {x, y} is empty.",
        '{"a" 1}',
        '{"a", "b"}',
        '["a": 1]',
        '{"a": foo(1)}',
        '{"n": 1,000, "b": 2}',
        '{"a":: 1}',
        '{"a": 1 + (2)}',
        "{:}",
        "}",
        "-",
        "tru",
        "```json\n```",
        '{"a": <b>}',
    )
]

CASES: list[Case] = [
    *FENCES, *PROSE, *COMMAS, *CLOSERS, *STRINGS, *QUOTES, *COMMENTS, *LITERALS, *KEYS, *CUT,
    *MIXED, *HOPELESS,
]  # fmt: skip

DOCUMENTS: list[str] = [
    *[json.dumps(value) for value in VALUES],
    *[json.dumps(value, indent=2, ensure_ascii=False) for value in VALUES[2:5]],
    r'{"a": "\ud83d\ude00\u00e9\n\\\"\/", "\u006b\"ey": [true, false, null, -0.5e+10]}',
    '[[[[["deep"]]]], {"a": {"b": {"c": {}}}}, -1, 0.25, 1E5, "end"]',
    '{"u": "http://a//b /* c */", "v": "x,}y,]z{[", "w": "\'\\"`", "x": "# no // no"}',
    ' {\r\n\t"a" : 1 ,\r\n\t"b" : [ 2 , 3 ] }\r\n',
    '{"": "", "null": null, "true": true, "1": [{}, [], [[]], ""], "z": "tru"}',
]
"""Sound documents, to be cut off at every character."""


class Number(str):
    """A number as it stands in a document."""

    __slots__ = ()


def is_prefix(part: Any, whole: Any) -> bool:
    """Whether a value holds nothing that the document has not: `whole`'s numbers are `Number`s.

    Everything before the last thing is equal, the last thing is a prefix in turn.
    """
    if isinstance(whole, dict):
        return (
            isinstance(part, dict)
            and list(part) == list(whole)[: len(part)]
            and all(_same(part[key], whole[key]) for key in list(part)[:-1])
            and all(is_prefix(part[key], whole[key]) for key in list(part)[-1:])
        )
    if isinstance(whole, list):
        return (
            isinstance(part, list)
            and len(part) <= len(whole)
            and all(map(_same, part[:-1], whole))
            and all(is_prefix(one, whole[len(part) - 1]) for one in part[-1:])
        )
    if isinstance(whole, Number):
        return type(part) in {int, float} and part in _beginnings(whole)
    if isinstance(whole, str):
        return isinstance(part, str) and whole.startswith(part)
    return part is whole


def _same(part: Any, whole: Any) -> bool:
    if isinstance(whole, dict):
        return (
            isinstance(part, dict)
            and list(part) == list(whole)
            and all(_same(part[key], whole[key]) for key in whole)
        )
    if isinstance(whole, list):
        return isinstance(part, list) and len(part) == len(whole) and all(map(_same, part, whole))
    if isinstance(whole, Number):
        return type(part) in {int, float} and math.isclose(part, float(whole), rel_tol=1e-15)
    return type(part) is type(whole) and part == whole


def _beginnings(number: str) -> list[float]:
    found = []
    for end in range(1, len(number) + 1):
        try:
            found.append(float(number[:end]))
        except ValueError:
            continue
    return found


def whole(document: str) -> Any:
    """A sound document with its numbers as they stand there."""
    return json.loads(document, parse_int=Number, parse_float=Number)


def same(left: Any, right: Any) -> bool:
    """Equal, in the order of keys and in type too; True is not 1."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
