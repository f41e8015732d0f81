"""300 rows through the real client against a server that fails some of them, in every way."""

from __future__ import annotations

import asyncio
from collections import Counter

import pandas as pd  # noqa: TID253  the tests are of its frames
import pytest

from l0.compose import Limits
from l0.compose import map as map_rows
from l0.stream import Retry, Timeout
from l0.testing import FaultServer, Reply

pytestmark = pytest.mark.sdk

# Faults that another request mends, those that only a fallback does, and those nobody notices.
MENDED = (
    *("429", "429(0.1)", "500", "503", "529", "408", "drop@2", "cut@3", "reset@2", "eof@3"),
    *("stall@2", "stall_alive@2", "error@2(overloaded_error)", "failed@2", "garbage@2"),
    *("length@3", "empty", "no_text", "slow_headers(30)", "slow_first(30)"),
)
REFUSED = ("400", "401", "403", "404", "quota")
UNNOTICED = ("slow(0.01)", "split", "no_finish_usage")
FAULTS = (*MENDED, *REFUSED, *UNNOTICED)
ROWS = 300


def answer(row):
    return f"Row {row}: the square of {row} is {row * row}, and that is all there is to say."


@pytest.fixture
async def asking():
    """A server with an answer of its own for each row, and how it is asked."""
    import openai

    server = FaultServer()
    server.default = Reply("This row has been answered before.")
    for row in range(ROWS):
        at = row % 10  # every tenth row is in trouble
        fault = FAULTS[row // 10 % len(FAULTS)] if at == 0 else ()
        server.script(
            str(row),
            *([Reply(answer(row), faults=fault, continuation=None)] if fault else ()),
            *([Reply(answer(row), continuation=None)] if fault not in UNNOTICED else ()),
        )
    async with (
        server,
        openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client,
    ):

        def ask(prompt):
            return client.chat.completions.create(
                model="gpt-test",
                messages=[{"role": "user", "content": prompt}],
                stream=True,
                stream_options={"include_usage": True},
                extra_headers={"x-l0-script": prompt.split()[-1]},
            )

        yield server, ask
        await client.close()
        await server.wait_closed_connections()


async def test_every_row_is_right_and_asked_no_more_often_than_it_failed(asking, tmp_path):
    server, ask = asking
    limits = Limits(requests_per_minute=12_000)

    def mapped():
        return map_rows(
            pd.DataFrame({"n": range(ROWS)}),
            "Square {n}",
            ask,
            fallbacks=[ask],
            name="gpt-test",
            store=tmp_path / "answers.db",
            limits=limits,
            timeout=Timeout(connect=5, initial_token=2, inter_token=1.5),
            retry=Retry(base_delay=0.02),
            on_incomplete="retry",
        )

    result = await mapped()
    frame = result.frame
    wrong = frame[~frame["ok"]]
    assert wrong.empty, wrong[["error"]].to_string()
    assert list(frame["text"]) == [answer(row) for row in range(ROWS)]
    asked = Counter(request.headers["x-l0-script"] for request in server.requests)
    assert {int(row) for row, count in asked.items() if count > 1} == {
        row for row in range(0, ROWS, 10) if FAULTS[row // 10 % len(FAULTS)] not in UNNOTICED
    }
    assert max(asked.values()) == 2
    assert asked.total() == ROWS + result.retries
    assert result.usage.output_tokens > ROWS * 10
    again = await mapped()
    assert (again.reused, len(server.requests)) == (ROWS, asked.total())
    await asyncio.sleep(0)
