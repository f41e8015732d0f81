"""The request that asks a model to go on where its answer broke off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.stream import continue_messages
from l0.stream._prompt import continuation_prompt

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Count."}]


def test_one_turn_of_the_user_is_added_and_the_conversation_is_not_changed():
    before = [dict(message) for message in ASKED]
    more = continue_messages(ASKED, "1, 2, ")
    assert more[:-1] == before == ASKED
    assert more[-1] == {"role": "user", "content": continuation_prompt("1, 2, ")}


def test_a_prompt_of_the_caller_is_said_as_it_is():
    assert continue_messages(ASKED, "1, ", prompt="Go on!")[-1]["content"] == "Go on!"


def test_an_empty_checkpoint_adds_nothing():
    assert continue_messages(iter(ASKED), "", prompt="Go on!") == ASKED


@given(st.text(min_size=1))
def test_the_text_stands_between_markers_that_it_does_not_hold(checkpoint):
    lines = continuation_prompt(checkpoint).split("\n", 1)[1]
    opening, _, rest = lines.partition(">")
    closing = opening.replace("<", "</") + ">"
    assert rest.startswith(checkpoint + closing)
    assert opening + ">" not in checkpoint
    assert closing not in checkpoint


@pytest.mark.parametrize("checkpoint", ["<so_far>x</so_far>", "so_far>so_far_>", " \n"])
def test_markers_in_the_text_lead_to_other_markers(checkpoint):
    said = continuation_prompt(checkpoint)
    assert said.count(checkpoint) >= 1
    tag = said.split("\n")[1].partition(">")[0][1:]
    assert f"<{tag}>{checkpoint}</{tag}>" in said
