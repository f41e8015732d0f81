"""What the fuzz tests share: how many cases, odd values, damage to values and bytes, a time limit.

HYPOTHESIS_PROFILE says how many cases: `ci` (the default, seconds for the whole folder), `long`
(twenty times as many) or `chaos` (a hundred times).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from types import SimpleNamespace

from hypothesis import strategies as st

_TIMES = {"long": 20, "chaos": 100}.get(os.environ.get("HYPOTHESIS_PROFILE", "ci"), 1)
LONG = _TIMES > 1
SIZE = 50_000
"""Characters of a pathological text: linear work is a tenth of a second, other work many."""
CPU_SECONDS = 5.0


def examples(count):
    """So many cases in the usual run."""
    return count * _TIMES


class TookTooLongError(AssertionError):
    """It cost more than in proportion to its length."""


@contextlib.contextmanager
def bounded(seconds=CPU_SECONDS):
    """A block that hangs fails: processor time is counted, so that neighbours don't matter."""
    assert threading.current_thread() is threading.main_thread()

    def stop(*_):
        raise TookTooLongError(f"more than {seconds} seconds of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def nested(depth, leaf=None):
    """Lists in each other."""
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def nested_objects(depth, key="a"):
    """Objects in each other."""
    value = {}
    for _ in range(depth):
        value = {key: value}
    return value


ODD = [
    *(None, True, False, 0, -1, 1, 429, 2**31, 2**63, 2**64, -(2**70), 10**400, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "0", "-1", "x", "null", "true", "[DONE]"),
    *(
        "\ud83d",
        "\udc00x",
        "\x00",
        "\ufeff",
        "\u2028",
        "é",
        "👩‍🚀",
        "a" * 5000,
        "1" * 5000,
        "{",
        "}",
    ),
    *(
        '{"a": 1}',
        "error",
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "text_delta",
        "tool_use",
    ),
    *(list, dict, lambda: [[]], lambda: [{}], lambda: [None], lambda: {"": None}),
    *(lambda: {"type": "error"}, lambda: {"message": None}, lambda: {"index": -1}),
    *(lambda: nested(40), lambda: nested_objects(40), lambda: nested_objects(250, "error")),
]
"""Values, and what makes those that could be changed; none deeper than a failure can print."""


def places(value):
    """Each container in a value with each of its keys or indexes."""
    pending, found = [value], []
    while pending:
        container = pending.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in list(keys)[:20]:
            found.append((container, key))
            if isinstance(container[key], dict | list) and len(found) < 200:
                pending.append(container[key])
    return found


@st.composite
def damaged(draw, seeds, most=4):
    """A value in which fields are missing, doubled, moved, renamed, or hold what they can't."""
    value = _copied(draw(seeds))
    for _ in range(draw(st.integers(1, most))):
        found = places(value) if isinstance(value, dict | list) else []
        if not found:
            return value
        container, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(
            st.sampled_from(["put", "put", "put", "drop", "wrap", "twice", "rename", "move"])
        ):
            case "put":
                made = draw(st.sampled_from(ODD))
                container[key] = made() if callable(made) else made
            case "drop":
                del container[key]
            case "wrap":
                container[key] = draw(st.sampled_from([list, dict]))([("value", container[key])])
            case "twice" if isinstance(container, list):
                container.append(container[key])
            case "rename" if isinstance(container, dict):
                container[draw(st.sampled_from(["", "type", "index", "\ud83d", "error", "x"]))] = (
                    container.pop(key)
                )
            case "move":
                other, place = found[draw(st.integers(0, len(found) - 1))]
                if isinstance(other, dict):
                    other[place] = _copied(container[key])
    return value


def _copied(value, depth=0):
    """A copy, down to where nothing is damaged any more."""
    if depth > 100:
        return None
    if isinstance(value, dict):
        return {key: _copied(item, depth + 1) for key, item in value.items()}
    return [_copied(item, depth + 1) for item in value] if isinstance(value, list) else value


BYTES = [
    *(
        b"",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\n\r\n",
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
    ),
    *(
        b"\xef\xbb\xbf",
        b":",
        b": c\n",
        b"data:",
        b"data: ",
        b"data: {}\n\n",
        b"event: ",
        b"event: x\n",
    ),
    *(
        b"id: 1\n",
        b"retry: 5\n",
        b"{",
        b"}",
        b"[",
        b'"',
        b"\\",
        b"\\ud83d",
        b"1" * 5000,
        b"NaN",
        b"-",
    ),
    *(b"1e999", b"null", b"data: [DONE]\n\n", b"[" * 3000, b"\xe2\x80\xa8", b"x" * 70_000, b","),
]


@st.composite
def damaged_bytes(draw, seeds, pieces=BYTES, most=5):
    """Bytes in which some were left out, put in, doubled, swapped or changed."""
    data = draw(seeds)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12) | st.integers(0, max(1, len(data)))))
        match draw(st.sampled_from(["put", "put", "drop", "twice", "flip", "cut"])):
            case "put":
                data = data[:at] + draw(st.sampled_from(pieces)) + data[at:]
            case "drop":
                data = data[:at] + data[end:]
            case "twice":
                data = data[:end] + data[at:end] + data[end:]
            case "flip" if at < len(data):
                data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
            case "cut":
                data = data[:at] if draw(st.booleans()) else data[at:]
    return data


def as_objects(value, depth=0):
    """Dicts as plain objects, as an SDK gives them."""
    if depth > 60:
        return value
    if isinstance(value, dict):
        made = SimpleNamespace()
        made.__dict__.update({str(k): as_objects(v, depth + 1) for k, v in value.items()})
        return made
    return [as_objects(item, depth + 1) for item in value] if isinstance(value, list) else value


def blocks_of(data, cuts):
    """The bytes in blocks that end at these places."""
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]
