"""The phases of a run, followed."""

from __future__ import annotations

import logging

import pytest

import l0
from l0.events import RuntimeState, State, StateMachine
from l0.testing import ScriptedModel, fail, tool


def test_it_begins_at_init_and_says_where_it_is():
    machine = StateMachine()
    assert (machine.get(), machine.is_terminal()) == (RuntimeState.INIT, False)
    machine.transition("retrying")
    assert machine.is_(RuntimeState.FALLBACK, RuntimeState.RETRYING)
    assert not machine.is_(RuntimeState.INIT)
    for over in (RuntimeState.COMPLETE, RuntimeState.ERROR):
        machine.transition(over)
        assert machine.is_terminal()
    with pytest.raises(ValueError, match="asleep"):
        machine.transition("asleep")


def test_the_same_phase_again_is_no_transition():
    machine, told = StateMachine(), []
    stop = machine.subscribe(told.append)
    for phase in ("streaming", "streaming", "retrying", "streaming"):
        machine.transition(RuntimeState(phase))
    assert told == ["streaming", "retrying", "streaming"]
    assert machine.history == ("init", "streaming", "retrying", "streaming")
    stop()
    stop()
    machine.transition(RuntimeState.COMPLETE)
    assert len(told) == 3


def test_the_last_hundred_are_remembered_and_reset_forgets_them():
    machine = StateMachine(RuntimeState.FALLBACK)
    for _ in range(80):
        machine.transition(RuntimeState.STREAMING)
        machine.transition(RuntimeState.RETRYING)
    assert len(machine.history) == 100
    assert machine.history[-1] is machine.get()
    machine.reset()
    assert machine.history == ("fallback",)


def test_a_listener_that_raises_harms_nobody(caplog):
    caplog.set_level(logging.DEBUG, "l0")
    machine, told = StateMachine(), []

    def broken(phase):
        raise RuntimeError("typo")

    machine.subscribe(broken)
    machine.subscribe(told.append)
    machine.transition(RuntimeState.ERROR)
    assert told == ["error"]
    assert "typo" in caplog.text


async def test_a_runs_machine_follows_it(clock):
    model = ScriptedModel(["a ", fail(ConnectionResetError())], ["a ", tool("1", "f"), "b"])
    stream = l0.run(model, retry=l0.Retry(base_delay=0), continuation=True, clock=clock)
    told = []
    stream.machine.subscribe(told.append)
    assert stream.machine is stream.machine
    await stream.read()
    assert told == list(stream.machine.history[1:])
    assert [phase.value for phase in told] == [
        "waiting_for_token",
        "streaming",
        "retrying",
        "waiting_for_token",
        "continuation_matching",
        "streaming",
        "tool_call_detected",
        "streaming",
        "finalizing",
        "complete",
    ]
    assert stream.machine.get() is stream.phase
    failed = l0.run(ScriptedModel([fail(401)]), clock=clock)
    machine = failed.machine
    with pytest.raises(Exception, match="401"):
        await failed.read()
    assert machine.is_terminal()
    assert machine.history[-1] == "error"


def test_a_copy_of_a_state_is_not_followed():
    state, told = State(), []
    state._on_phase = told.append
    copy = state.snapshot()
    copy.phase = RuntimeState.ERROR
    assert told == []
    assert copy != state
    assert state.to_dict()["phase"] == "init"
