"""Comms that lead nowhere, and remember what was sent."""

import pytest

from l0.notebook import _output


@pytest.fixture
def comms(monkeypatch):
    """What was sent by comms, which lead nowhere."""
    sent = []

    class Comm:
        comm_id = "c1"

        def __init__(self, **opened):
            sent.append(("open", opened["data"]["state"]))

        def on_msg(self, handler):
            self.handler = handler

        def send(self, data=None, **_):
            sent.append((data["method"], data))

        def close(self, **_):
            sent.append(("close", None))

    monkeypatch.setattr("comm.create_comm", Comm)
    yield sent
    while _output._late:
        _output._late.popleft().close()
