"""Drift is noticed, each kind once an attempt, and plain answers don't drift."""

import pytest
from guardrail_helpers import PLAIN, drifts, every, noise, prose

from l0.guardrails import DriftConfig, DriftDetector, DriftResult, check_drift
from l0.guardrails._drift_entropy import EntropyWatch
from l0.guardrails._drift_repetition import phrases_cover

KINDS = {
    "meta_commentary": 0.9,
    "repetition": 0.8,
    "format_collapse": 0.8,
    "tone_shift": 0.7,
    "markdown_collapse": 0.7,
    "entropy_spike": 0.6,
    "hedging": 0.5,
}
MARKDOWN = "# Title\n\n- **one** thing\n- another [link](http://x.org)\n\n"
FORMAL = "therefore moreover thus hence "
INFORMAL = "gonna yeah dude ok "
EXAMPLES = {
    "meta_commentary": "Well, as an AI language model, I must say so.",
    "repetition": "The same old story goes on and on. " * 3,
    "format_collapse": "Fine. <|im_start|>user",
    "tone_shift": FORMAL + prose(470) + INFORMAL + prose(800, 2),
    "markdown_collapse": MARKDOWN + prose(1800),
    "entropy_spike": prose(1200) + noise(150),
    "hedging": "Certainly!\nThe answer is 42.",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_with_its_confidence(kind):
    """With a word on it."""
    result = check_drift(EXAMPLES[kind])
    assert result.types == (kind,)
    assert result.detected
    assert result.confidence == KINDS[kind]
    assert result.details[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_left_out(kind):
    """By its field of the configuration."""
    config = DriftConfig(**{f"detect_{kind}": False})
    assert check_drift(EXAMPLES[kind], config) == DriftResult(detected=False, confidence=0.0)


@pytest.mark.parametrize(
    "text",
    [
        "the " * 50,
        "we shall overcome some day " * 10,
        "Never mind the noise, we go on and on and on " * 8,
        "x" * 400,
        "ab" * 300,
    ],
)
def test_s58_loops_are_found(text):
    """Words, and phrases without punctuation, in any pieces."""
    for size in (1, 4, 25, 10_000):
        assert drifts(every(text, size)) == {"repetition"}


def test_s58_prose_that_turns_to_noise_is_found():
    """Such as base64; also late in a long text."""
    for length in (700, 6000, 20_000):
        assert "entropy_spike" in drifts(every(prose(length) + noise(300), 30))


def test_s58_markdown_that_turns_plain_is_found():
    """A window with more than three marks, and none in the next two."""
    assert drifts([MARKDOWN + prose(1500)]) == {"markdown_collapse"}
    assert drifts([MARKDOWN + prose(900)]) == set()
    assert drifts([MARKDOWN + prose(400) + "\n- one\n" + prose(900)]) == set()
    assert drifts([("- one\n" * 3) + prose(1800)]) == set()


@pytest.mark.parametrize(
    "text",
    [
        "In other words, it works.",
        "To clarify, it does.",
        "Here is the plan: begin.",
        "The cat sat on the mat. The cat sat on the mat.",
        "Sure, I will. Of course it works!\nFine.",
        "This is certainly the best\nof all.",
        "A user: someone who uses. Human: a being.",
        "A story about [inst] and <im_start>.",
        prose(20_000),
        "".join(f"# {prose(20, n)}\n\n- **a{n}**: {prose(60, n)}\n\n" for n in range(30)),
        "| what | a | b |\n|---|---|---|\n"
        + "".join(f"| {prose(9 + n * 7 % 11, n)} | yes | no |\n" for n in range(40)),
        *PLAIN,
    ],
)
def test_s58_plain_answers_do_not_drift(text):
    """Neither phrases that only resemble commentary, nor long good texts."""
    for size in (3, 50, 100_000):
        assert drifts(every(text, size)) == set()


@pytest.mark.parametrize(
    "phrase",
    [
        *("as an ai", "as a language model", "i am an ai", "i'm an ai", "my training data"),
        *("i was trained", "i was asked to", "the user asked", "as instructed"),
        "my previous response",
    ],
)
def test_commentary_is_found_by_its_phrases(phrase):
    """In any case, over a line break, with a curly apostrophe; not inside words."""
    for text in (phrase, phrase.upper(), phrase.replace(" ", "\n"), phrase.replace("'", "’")):
        assert drifts(every(f"Well, {text}.", 2)) == {"meta_commentary"}
    assert drifts([f"Wellx{phrase}x."]) == set()


@pytest.mark.parametrize(
    "marker",
    ["<|im_start|>", "<|im_end|>", "[INST]", "<<SYS>>", "### Instruction:", "### Response:"],
)
def test_a_chat_template_marker_is_found_anywhere(marker):
    """Also in fenced code and in JSON."""
    for text in (
        prose(300) + marker,
        f"```\n{marker}\n```",
        f'{{"a": "{marker}"}}',
        f'{{"a": [1, "{"b" * 3000}{marker}',
    ):
        for size in (1, 7, 10_000):
            assert "format_collapse" in drifts(every(text, size))


@pytest.mark.parametrize("role", ["User:", "Human:", "Assistant:"])
def test_a_role_at_the_start_of_a_line_counts_at_the_beginning_only(role):
    """Among the first 100 characters."""
    assert drifts(every(f"{role} hello", 2)) == {"format_collapse"}
    assert drifts(every(f"{prose(98)}\n{role} hello", 2)) == {"format_collapse"}
    assert drifts(every(f"{prose(99)}\n{role} hello", 2)) == set()
    assert drifts(every(f"My {role} hello", 2)) == set()


@pytest.mark.parametrize(
    ("text", "hedges"),
    [
        ("Sure", True),
        ("  \n Sure!\n", True),
        ("**Certainly!**\nSo", True),
        ("OF COURSE.\nSo", True),
        ("Great  question!\nSo", True),
        ("No problem", True),
        ("Absolutely:\n```\nx\n```", True),
        ("Sure!" + " " * 80 + "\nSo", True),
        ("Sure! So", False),
        ("So.\nSure!", False),
        ("```\nSure\n```", False),
        ("[1] Sure!\nSo", False),
        ("", False),
    ],
)
def test_a_filler_is_the_whole_first_line(text, hedges):
    """The first that is not blank, without its punctuation."""
    for size in (1, 3, 1000):
        assert drifts(every(text, size)) == ({"hedging"} if hedges else set())


def test_the_tone_shifts_between_neighbouring_windows_only():
    """By at least four marker words, either way; parts of words are none."""
    for size in (5, 10_000):
        assert drifts(every(FORMAL + prose(1400), size)) == {"tone_shift"}
        assert drifts(every(prose(600) + " " + FORMAL + prose(800, 2), size)) == {"tone_shift"}
        assert drifts(every(INFORMAL + prose(1400), size)) == {"tone_shift"}
    steady = "".join(f"{FORMAL}{prose(469, seed)}" for seed in range(4))
    few = FORMAL.removesuffix("hence ") + prose(1400)
    inside = "they booked a broken henceforth enthusiasm stuffing " * 2 + prose(1400)
    for text in (steady, few, inside, FORMAL + prose(300)):
        assert "tone_shift" not in drifts([text])


def test_code_and_json_are_not_judged_as_prose():
    """What follows them is."""
    loop = "as an ai " + "the " * 200 + noise(200)
    for text in (
        f"```\n{loop}\n```",
        f'{{"a": "{loop}", "b": [',
        f'["{loop}"]',
        "```json\n" + loop,
    ):
        for size in (1, 30, 10_000):
            assert drifts(every(text, size)) == set()
        assert "meta_commentary" not in drifts([text])
    for before in ("```\ncode\n```\n", '{"a": 1}\n', "[1] "):
        assert drifts(every(before + "as an ai", 3)) == {"meta_commentary"}


def test_a_beginning_that_stays_undecided_is_json():
    """What is held back is bounded."""
    head = '["' + "as an ai " * 400
    for size in (7, 10_000):
        assert drifts(every(head, size)) == set()
        assert drifts(every(head + '" as an ai', size)) == set()
    assert drifts(['["as an ai" as an ai']) == {"meta_commentary"}


# --- the detector ------------------------------------------------------------------------------


def test_s57_each_kind_is_given_once_and_a_fresh_detector_begins_anew():
    """The next attempt has nothing of the last."""
    detector = DriftDetector()
    text = "Well, as an AI language model, I was asked to say so. "
    assert detector.feed(text).types == ("meta_commentary",)
    assert detector.feed(text * 3).types == ("repetition",)
    assert not detector.feed(text).detected
    assert detector.check("", "").types == ("meta_commentary", "repetition")
    fresh = detector.fresh()
    assert fresh.config is detector.config
    assert fresh.feed(text).types == ("meta_commentary",)
    detector.reset()
    assert detector.feed(text).types == ("meta_commentary",)


def test_one_check_may_find_several_kinds():
    """The confidence is the largest of theirs."""
    result = check_drift("Sure!\nAs an AI, [INST] no.")
    assert result.types == ("meta_commentary", "format_collapse", "hedging")
    assert result.confidence == 0.9


def test_a_growing_text_can_be_checked():
    """Against what was seen, or with what is new."""
    detector = DriftDetector()
    text = "Well, as an AI language model, I must say that this goes on for a while."
    assert not detector.check(text[:10]).detected
    assert not detector.check(text[:14], delta=text[10:14]).detected
    assert detector.check(text).types == ("meta_commentary",)
    assert detector.check(text + " More.").types == ("meta_commentary",)


def test_the_history_holds_the_last_hundred_results():
    """And no more."""
    detector = DriftDetector()
    for _ in range(150):
        detector.feed("some words ")
    assert len(detector.history) == 100
    assert not detector.history[-1].detected


def test_what_is_found_in_kept_text_is_old():
    """The kept text counts for what follows, but is not reported."""
    sentence = "The same old story goes on and on. "
    detector = DriftDetector()
    detector.prime("As an AI, I was trained to say so. " + sentence * 2)
    assert not detector.feed("and so ").detected
    assert detector.feed("it goes. " + sentence + prose(300)).types == ("repetition",)
    assert detector.feed(". As an AI language model, I must stop. " + prose(40)).types == (
        "meta_commentary",
    )


def test_a_marker_in_kept_text_does_not_count_again():
    """And the first hundred characters are those of the whole text."""
    detector = DriftDetector()
    detector.prime("[INST]" + prose(120) + "\n[INST]")
    assert not detector.feed("\nUser: hello").detected
    assert detector.feed(" [INST]").types == ("format_collapse",)


def test_what_was_measured_can_be_asked_for():
    """Length and the mean entropy."""
    detector = DriftDetector()
    assert detector.metrics == {"length": 0.0, "entropy_mean": 0.0}
    detector.feed(prose(1000))
    assert detector.metrics["length"] == 1000
    assert 3 < detector.metrics["entropy_mean"] < 5


@pytest.mark.parametrize(
    "fields",
    [
        {"repetition_threshold": 1},
        {"entropy_threshold": -1},
        {"entropy_window": 1},
        {"sliding_window_size": 10},
        {"threshold": 1.5},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"policy": "ignore"},
        {"threshold": "high"},
        {"entropy_window": 50.5},
        {"sliding_window_size": "wide"},
        {"repetition_threshold": 2.5},
    ],
)
def test_a_bad_field_is_named(fields):
    """When the configuration is made."""
    with pytest.raises(ValueError, match=f"^{next(iter(fields))}: "):
        DriftConfig(**fields)


def test_a_configuration_is_changed_by_replace():
    """It is frozen."""
    config = DriftConfig().replace(policy="record", repetition_threshold=5)
    assert (config.policy, config.threshold) == ("record", 0.8)
    assert check_drift(EXAMPLES["repetition"], config).types == ()
    with pytest.raises(AttributeError):
        config.policy = "retry"


# --- measuring ---------------------------------------------------------------------------------


def test_entropy_is_that_of_shannon():
    """Bits a character of one block."""
    watch = EntropyWatch(8, 2.5)
    assert watch._entropy("aaaaaaaa") == pytest.approx(0)
    assert watch._entropy("aaaabbbb") == pytest.approx(1)
    assert watch._entropy("abcdefgh") == pytest.approx(3)


def test_one_block_of_noise_is_not_enough():
    """Two neighbours must stand out, wherever they lie."""
    for before in range(600, 700, 10):
        assert drifts([prose(before) + noise(160) + prose(400, 3)]) >= {"entropy_spike"}
        aligned = prose(before - before % 50)
        assert "entropy_spike" not in drifts([aligned + noise(50) + prose(400, 3)])


def test_noise_from_the_beginning_is_no_spike():
    """There must be ten blocks before it."""
    assert "entropy_spike" not in drifts([prose(400) + noise(90)])
    assert "entropy_spike" not in drifts([noise(3000)])


def test_phrases_must_fill_the_text():
    """Three fifths of it, and at least 150 characters."""
    loop = "one two three four five six " * 6
    assert phrases_cover(f" {loop} ", 3)
    assert phrases_cover(f" {loop}{prose(90)} ", 3)
    assert not phrases_cover(f" {loop}{prose(150)} ", 3)
    assert not phrases_cover(f" {loop[:130]} ", 3)
    assert not phrases_cover(f" {loop} ", 9)


def test_what_is_no_configuration_is_refused():
    """At once, with what to give."""
    for ask in (DriftDetector, lambda given: check_drift("a", given)):
        with pytest.raises(TypeError, match="config: give a DriftConfig"):
            ask({"threshold": 0.5})
