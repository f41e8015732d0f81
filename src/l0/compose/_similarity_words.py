"""How many words two long texts share in the same order, in time close to linear."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

_SMALL = 250_000  # pairs of words up to which the longest common subsequence is found exactly
_ENOUGH = 0.01  # of the words have to be anchors, or they are no guide

Stretch = tuple[int, int, int, int]  # a[i:j] beside b[k:l]


def shared_words(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of a common subsequence of two lists of words: of the longest, if they are short.

    Long ones are aligned at the words that each has once, or else in proportion, and what lies
    between is compared; so it may be a little less. The same in both directions.
    """
    if (len(b), b) < (len(a), a):
        a, b = b, a
    # As numbers: the library compares hashes, which for text change with the hash seed.
    known: dict[str, int] = {}
    one = [known.setdefault(word, len(known)) for word in a]
    other = [known.setdefault(word, len(known)) for word in b]
    return _shared(one, other)


def _shared(a: list[int], b: list[int]) -> int:
    from rapidfuzz.distance import LCSseq

    total = 0
    rest: list[Stretch] = [(0, len(a), 0, len(b))]
    while rest:
        i, j, k, l = rest.pop()
        while i < j and k < l and a[i] == b[k]:
            i, k, total = i + 1, k + 1, total + 1
        while i < j and k < l and a[j - 1] == b[l - 1]:
            j, l, total = j - 1, l - 1, total + 1
        if i == j or k == l:
            continue
        if (j - i) * (l - k) <= _SMALL:
            total += int(LCSseq.similarity(a[i:j], b[k:l]))
            continue
        places = _anchors(a[i:j], b[k:l])
        if len(places) < _ENOUGH * min(j - i, l - k):
            places = [((j - i) // 2, (l - k) // 2)]
        corners = [(i, k), *((i + p, k + q) for p, q in places), (j, l)]
        rest += [(p, next_p, q, next_q) for (p, q), (next_p, next_q) in itertools.pairwise(corners)]
    return total


def _anchors(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Where words stand that both have exactly once: the longest row of them in the same order."""
    in_a, in_b = Counter(a), Counter(b)
    at = {word: place for place, word in enumerate(b) if in_b[word] == 1}
    pairs = [(place, at[word]) for place, word in enumerate(a) if in_a[word] == 1 and word in at]
    ends: list[int] = []  # the smallest last place in b of a row of each length
    last: list[int] = []  # the pair that stands there
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [index]
    row = []
    index = last[-1] if last else -1
    while index >= 0:
        row.append(pairs[index])
        index = before[index]
    return row[::-1]
