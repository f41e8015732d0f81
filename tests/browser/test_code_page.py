"""Code in an answer: colours as it comes, buttons to copy, and a run that is run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser_lab import until

from l0.testing import Reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CORPUS = json.loads((Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text())
PYTHON = '''\
"""Ask again."""
import asyncio

@asked(times=3)
async def ask(call, *args):
    for attempt in range(1, 4):
        try:
            return await call(*args)  # the first that answers
        except ConnectionError as error:
            print(f"attempt {attempt}: {error!r}")
            await asyncio.sleep(0.5 * 2 ** attempt)'''
ANSWER = f"""\
Four languages, and **one** idea.

```python
{PYTHON}
```

1. The page:

   ```ts
   const answer = await fetch(`${{url}}?after=${{last}}`, {{ method: "GET" }});
   if (!answer.ok) throw new Error("later"); // a line that is long enough to be scrolled to its end
   ```

2. The log:

   ```sql
   SELECT reason, count(*) FROM attempts WHERE outcome <> 'completed';
   ```

And the shell:

```bash
pip install l0 && l0 demo --seed "$SEED"  # that is all
```

The end.
"""

# The words of code with a colour that is not the text's, as `colour text`.
_COLOURED = """selector => [...document.querySelectorAll(`${selector} pre`)].flatMap(pre =>
  [...pre.querySelectorAll('span[class^=l0-t], span[style^=color]')]
    .filter(el => getComputedStyle(el).color !== getComputedStyle(pre).color)
    .flatMap(el => el.textContent.trim().split(/\\s+/)
      .map(word => getComputedStyle(el).color + ' ' + word)))"""
_TOPS = """selector => {
  const root = document.querySelector(selector);
  const found = {};
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    if (!/^(python|ts|sql|bash|import|const|SELECT|pip install|The end)/.test(text)) continue;
    range.selectNodeContents(walker.currentNode);
    const { left, top } = range.getBoundingClientRect();
    const from = root.getBoundingClientRect();
    found[text.slice(0, 12)] ??= [left - from.left, top - from.top];
  }
  return found;
}"""


async def test_code_has_the_same_colours_and_place_live_and_static(notebook, provider, shots):
    provider.default = Reply(ANSWER, tokens_per_second=400)
    nb = await notebook("%%l0 openai:gpt-test -o a\nTell me")
    await nb.page.set_viewport_size({"width": 1280, "height": 2000})
    await nb.watch(f"""() => {{
      if (!document.querySelector('.l0-answer')?.textContent.includes('The end')) return null;
      return [({_COLOURED})('.l0-view'), ({_TOPS})('.l0-answer')];
    }}""")
    await nb.run_all()
    await nb.static(0).wait_for()
    seen = await nb.watched()
    coloured, tops = seen[-1]
    said = [piece.partition(") ")[2] for piece in coloured]
    assert {"import", '"""Ask', "const", "SELECT", "$SEED", "that"} <= set(said)
    assert len({piece.partition(") ")[0] for piece in coloured}) >= 6
    answer = ".jp-OutputArea-output.jp-RenderedHTML div[style*='52em']"
    static = await nb.page.evaluate(_COLOURED, answer)
    same = set(coloured) & set(static)
    assert len(same) > 0.9 * len(set(coloured)), set(coloured) ^ set(static)
    settled = await nb.page.evaluate(_TOPS, answer)
    assert tops.keys() == settled.keys()
    assert len(tops) >= 8
    for name, (left, top) in tops.items():
        assert abs(settled[name][0] - left) < 1.5, name
        assert abs(settled[name][1] - top) < 1.5, name
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        await nb.set_theme(theme)
        word = theme.rpartition(" ")[2].lower()
        await nb.shoot(shots / f"code-static-{word}.png", nb.static(0).first)


VIEWED = """\
import l0
model = l0.model("sim:code", speed=SPEED)
stream = l0.run(lambda: model("Tell me"))
shown = l0.view(stream, prices={"sim:code": (2, 8)})
display(shown)
said = await stream.read()
"""


async def test_a_view_that_stays_copies_and_runs_again(notebook, context, shots):
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    nb = await notebook(VIEWED.replace("SPEED", "2000"), "print(shown.story.stream_id)")
    await nb.run_all()
    view, page = nb.view(0), nb.page
    again = view.get_by_role("button", name="Run again")
    await again.wait_for()
    closing = await view.locator(".l0-reading").inner_text()
    assert " tokens in, " in closing
    assert "cost 0.00" in closing
    await nb.shoot(shots / "code-view.png", view)

    # By keyboard alone: from the head into the answer, to the button of the block.
    await view.get_by_role("button", name="Copy").first.focus()
    while not await page.evaluate("document.activeElement.matches('.l0-copy')"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await view.locator(".l0-copy", has_text="Copied").wait_for()
    copied = await page.evaluate("navigator.clipboard.readText()")
    answer = await nb.evaluate("said")
    assert copied in answer
    assert f"```python\n{copied}\n```" in answer
    # Where a page has no clipboard to offer, as over http from another machine.
    await page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
    )
    await view.locator(".l0-head").get_by_role("button", name="copy").click()
    await view.locator(".l0-head button", has_text="copied").wait_for()
    await page.evaluate("delete navigator.clipboard")
    assert await page.evaluate("navigator.clipboard.readText()") == answer

    before = await nb.evaluate("shown.story.stream_id")
    # That it runs is a state of a moment, which a busy machine may not look at in time.
    await nb.watch("() => document.querySelector('.l0-view')?.dataset.status")
    await again.click()
    await page.wait_for_function(RAN_AGAIN)
    assert await nb.evaluate("shown.story.stream_id") != before
    assert await nb.evaluate("stream.stream_id") == before, "theirs stays what it was"
    assert await nb.evaluate("shown.story.text == said")
    shown = "".join(await view.locator(".l0-part").all_inner_texts())
    assert shown.strip() == copied.strip()
    assert await page.locator(".l0-view .l0-copy").count() == 1
    await again.click(trial=True)  # and once more, if one likes


RAN_AGAIN = "watched.some(seen => seen !== '\"complete\"') && watched.at(-1) === '\"complete\"'"


async def test_a_blocking_cell_has_colours_too(notebook, provider):
    """The kernel hands them over unasked: it hears nobody while its cell blocks."""
    provider.default = Reply(ANSWER, tokens_per_second=300)
    nb = await notebook("def f():\n    %l0 openai:gpt-test -o a Tell me\nf()")
    await nb.watch(f"() => ({_COLOURED})('.l0-view').length || null")
    await nb.run_all()
    seen = await nb.watched()
    assert seen
    assert max(seen) > 20


async def test_payloads_in_code_neither_run_nor_load(notebook, lab, provider):
    lines = [line for payload in CORPUS for line in payload.splitlines() if "```" not in line]
    blocks = ("html", "js", "python", "css", "bash")
    text = "\n\n".join(f"```{name}\n{chr(10).join(lines)}\n```" for name in blocks)
    provider.default = Reply(text, tokens_per_second=8000)
    nb = await notebook("%%l0 openai:gpt-test\nTell me")
    trouble = []
    nb.page.on("dialog", lambda dialog: trouble.append(dialog.message))
    nb.page.on(
        "request",
        lambda asked: asked.url.startswith((lab.url, "blob:")) or trouble.append(asked.url),
    )
    await nb.page.set_viewport_size({"width": 1280, "height": 20_000})
    await nb.watch(f"() => ({_STRANGE})('.l0-answer')")
    await nb.run_all()
    assert await nb.watched() == [[]], "in no frame of it"
    assert await nb.page.evaluate(_COLOURED, ".jp-OutputArea-output")
    assert await nb.page.evaluate(_STRANGE, ".jp-OutputArea-output") == []
    assert trouble == []


# What is in code but blocks, spans with a class or colour of ours, and buttons.
_STRANGE = """selector => {
  const root = document.querySelector(selector);
  if (!root?.querySelector('pre')) return null;
  return [...root.querySelectorAll('pre *')].filter(el => {
    const names = el.getAttributeNames().join();
    return !/^(SPAN|DIV|BUTTON)$/.test(el.tagName) || !/^(class|style|type|,)*$/.test(names)
      || !/^(color:#\\w+;color:var\\(--l0-t\\w\\)(;font-style:italic)?)?$/.test(
        el.getAttribute('style') ?? '');
  }).map(el => el.outerHTML.slice(0, 90));
}"""


async def test_a_page_that_takes_no_module_shows_code_plain(notebook, provider):
    """A policy may forbid it; then nothing is missing but colours and buttons."""
    provider.default = Reply(ANSWER, tokens_per_second=400)
    nb = await notebook("%%l0 openai:gpt-test --bg -o a\nTell me", "await a")
    await nb.page.evaluate("""() => {
      const blob = window.Blob;
      window.Blob = function (parts, options) {
        const refused = /l0-copy|"copy","Copy"/.test(parts[0]);
        return new blob(refused ? ["throw new Error('refused')"] : parts, options);
      };
    }""")
    await nb.watch("""() => {
      const code = document.querySelector('.l0-answer pre');
      return code && [!!code.querySelector('[class^=l0-t]'), code.textContent];
    }""")
    await nb.run_all()
    seen = await nb.watched()
    assert not any(coloured for coloured, _ in seen)
    assert seen[-1][1] == f"python{PYTHON}"
    await until(lambda: nb.evaluate("a.outcome == 'completed'"), "it ends well")
