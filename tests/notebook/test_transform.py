"""A `%%l0` cell becomes an `await` cell where it can be awaited, and nowhere else."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.notebook._transform import AWAITED, awaiting, keep_questions, may_await

pytest_plugins = ["notebook_shell"]

CALL = "get_ipython().run_line_magic('l0', 'hi')"
MARKED = "get_ipython().run_line_magic('l0', '--awaited hi')"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{CALL}\n", f"await {MARKED}\n"),
        (f"x = {CALL}\n", f"x = await {MARKED}\n"),
        (f"print({CALL}.text)\n", f"print((await {MARKED}).text)\n"),
        (f"for i in y:\n    {CALL}\n", f"for i in y:\n    await {MARKED}\n"),
        (f"if y: {CALL}\nelse: z = {CALL}\n", f"if y: await {MARKED}\nelse: z = await {MARKED}\n"),
        (f"z = [{CALL} for i in y]\n", f"z = [(await {MARKED}) for i in y]\n"),
        (f"await {CALL}\n", f"await {MARKED}\n"),
        (f"é = 'ü€🜂'; x = {CALL}\n", f"é = 'ü€🜂'; x = await {MARKED}\n"),
        (
            "get_ipython().run_cell_magic('l0', '', 'a\\nb')",
            "await get_ipython().run_cell_magic('l0', '--awaited', 'a\\nb')",
        ),
    ],
    ids=[
        "statement", "assignment", "nested", "loop", "branches", "list", "awaited", "wide", "cell",
    ],
)  # fmt: skip
def test_a_call_is_awaited_where_it_stands(source, expected):
    assert awaiting(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        f"def f():\n    {CALL}\n",
        f"async def f():\n    {CALL}\n",
        f"f = lambda: {CALL}\n",
        f"class A:\n    x = {CALL}\n",
        f"g = ({CALL} for i in y)\n",
        f"def f():\n    for i in y:\n        z = {CALL}\n",
        "get_ipython().run_line_magic('other', 'hi')\n",
        "shell.run_line_magic('l0', 'hi')\n",
        "get_ipython().run_line_magic('l0', line)\n",
        f"x = ( {CALL}\n",
        f"s = '''{CALL}'''\n".replace("'hi'", '"hi"').replace("'l0'", '"l0"'),
    ],
    ids=[
        "def", "async-def", "lambda", "class", "generator", "loop-in-def", "other-magic",
        "other-shell", "computed-line", "broken", "string",
    ],
)  # fmt: skip
def test_everything_else_stays_as_it_is(source):
    assert awaiting(source) == source


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.text(max_size=60))
def test_any_prompt_survives_the_rewriting(prompts, body):
    lines = [f"x{i} = get_ipython().run_line_magic('l0', {p!r})" for i, p in enumerate(prompts)]
    source = "\n".join([*lines, f"get_ipython().run_cell_magic('l0', '-o a', {body!r})"])
    tree = compile(
        awaiting(source), "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    calls = [node.value for node in ast.walk(tree) if isinstance(node, ast.Await)]
    said = [ast.literal_eval(call.args[1]).removeprefix(AWAITED).strip() for call in calls]
    assert sorted(said) == sorted([*(prompt.strip() for prompt in prompts), "-o a"])
    assert [ast.literal_eval(call.args[2]) for call in calls if len(call.args) == 3] == [body]


@given(st.text(alphabet="get_ipython()run_line_magic'l0,\n =[]{}:defor\\\"é", max_size=80))
def test_no_source_makes_the_rewriting_fail(source):
    awaiting(source)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["%l0 What is the time?\n"], "get_ipython().run_line_magic('l0', 'What is the time?')\n"),
        (["%l0 What's up?\n"], "get_ipython().run_line_magic('l0', \"What's up?\")\n"),
        (["    %l0 -o x Why?  \n"], "    get_ipython().run_line_magic('l0', '-o x Why?')\n"),
    ],
    ids=["question", "apostrophe", "indented"],
)
def test_a_question_stays_a_prompt(lines, kept):
    source = ["if y:\n", *lines] if lines[0].startswith(" ") else lines
    assert keep_questions(source)[-1] == kept


@pytest.mark.parametrize(
    "lines",
    [
        ["%l0?\n"],
        ["%l0??\n"],
        ["%timeit x?\n"],
        ["%%l0\n", "%l0 what?\n"],
        ['s = """\n', "%l0 what?\n", '"""\n'],
        ["%l0 what \\\n", "is it?\n"],
        ["x = 1\n", "y?\n"],
    ],
    ids=["help", "source", "other", "body", "string", "continued", "name"],
)
def test_help_and_other_lines_stay_what_they_are(lines):
    assert keep_questions(lines) == lines


def test_nothing_is_awaited_while_a_loop_runs_a_blocking_cell(shell):
    seen = []
    shell.input_transformers_post.append(lambda lines: seen.append(may_await(shell)) or lines)
    shell.user_ns["again"] = lambda: shell.run_cell("2")
    shell.run_cell("again()")
    assert seen == [True, False]


async def test_nothing_is_awaited_where_a_running_loop_would_be_run_again(shell):
    seen = []
    shell.input_transformers_post.append(lambda lines: seen.append(may_await(shell)) or lines)
    shell.run_cell("2")
    assert seen == [False]


def test_nothing_is_awaited_with_autoawait_off(shell):
    shell.autoawait = False
    assert not may_await(shell)
