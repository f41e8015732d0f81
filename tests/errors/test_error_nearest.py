"""A mistyped word is known for what it was meant to be."""

import pytest

from l0.errors._nearest import nearest


@pytest.mark.parametrize(
    ("word", "known", "cutoff", "meant"),
    [
        ("retyr", ["retry", "timeout"], 0.6, "retry"),
        ("TIMEOUT", ["retry", "timeout"], 0.6, None),
        ("reties", ["retry", "retries"], 0.6, "retries"),
        ("re", ["retry"], 0.6, None),
        ("re", ["retry"], 0.5, "retry"),
        (12, [11, 123], 0.6, "123"),
        ("retry", [], 0.6, None),
        ("", ["retry"], 0.6, None),
    ],
)
def test_the_nearest_word_is_named_if_it_is_near(word, known, cutoff, meant):
    assert nearest(word, known, cutoff) == meant
    assert nearest(word, iter(known), cutoff) == meant
