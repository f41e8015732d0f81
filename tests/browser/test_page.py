"""The view as a page element: harmless, operable without a mouse, readable in every theme."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser_lab import endless, until

from l0.testing import Reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CORPUS = json.loads((Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text())
CORPUS += [  # notebook pages typeset formulas wherever they find them, links and styles included
    r"$\href{javascript:alert(1)}{x}$",
    r"$$\href{javascript:alert(1)}{x}$$",
    r"\(\href{javascript:alert(1)}{x}\)",
    r"\[\style{background:url(https://evil.example/?leak)}{x}\]",
    r"\begin{equation}\href{javascript:alert(1)}{x}\end{equation}",
    r"$\require{html}\class{jp-mod-x}{\cssId{x}{x}}$",
]


async def test_nothing_in_an_answer_runs_or_loads(notebook, lab, provider):
    """Live, static, saved, and opened again as a trusted notebook."""
    text = "\n\n".join(CORPUS)
    provider.enqueue(
        Reply(text, tokens_per_second=800),
        Reply(text),
        Reply(text, faults="drop@400"),
        Reply(text),
    )
    nb = await notebook(
        "%%l0 openai:gpt-test\n<script>alert('prompt')</script>",
        "%%l0 openai:gpt-test -F text\nTell me",
        "%%l0 openai:gpt-test --no-resume --retry minimal\nTell me",
    )
    page = nb.page
    await page.set_viewport_size({"width": 1280, "height": 20_000})  # so that all of it is drawn
    trouble = []
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("popup", lambda page: trouble.append(page.url))
    page.on("request", lambda asked: _is_ours(asked.url, lab) or trouble.append(asked.url))
    await nb.watch(f"""() => {{
      if (!(document.querySelector('.l0-answer')?.textContent.length >= 3000)) return null;
      return ({_FORBIDDEN})('.l0-view');
    }}""")
    await nb.run_all()
    assert await nb.watched() == [[]], "in no frame of it"
    for opened_again in (False, True):
        if opened_again:
            await nb.save()
            await nb.load()
            assert await nb.is_trusted()
        for index in range(3):
            said = nb.static(index).filter(has_text="<script>alert(1)</script>")
            await said.wait_for()  # it is there to be read
            assert "<script>alert(1)</script>" in await said.inner_text()
        await nb.static(2).get_by_text("withdrawn after").click()
        assert await page.evaluate(_FORBIDDEN, ".jp-OutputArea-output") == []
        assert "<script>" in await nb.static(2).locator("del").first.inner_text()
    assert trouble == []


def _is_ours(url, lab):
    return url.startswith((lab.url, "data:", "blob:"))


# What no output of ours may contain, wherever it is drawn.
_FORBIDDEN = """selector => {
  const found = [];
  const tags = 'script,iframe,object,embed,form,input,meta,base,link,style,svg image,svg script,'
    + 'svg a,svg animate,math,mjx-container,video,audio,img,template,marquee,frame,frameset,portal';
  for (const root of document.querySelectorAll(selector)) {
    for (const el of root.querySelectorAll(tags)) found.push(el.outerHTML.slice(0, 90));
    for (const el of root.querySelectorAll('*')) {
      for (const { name, value } of el.attributes) {
        if (/^on|^formaction$|^srcdoc$|^src$|^xlink|^data-commandlinker/i.test(name)
            || /url\\(|expression\\(/i.test(value) && name === 'style')
          found.push(`${el.tagName} ${name}=${value.slice(0, 60)}`);
      }
      if (el.tagName === 'A' && !/^(https?:|mailto:)/.test(el.href))
        found.push(`link to ${el.href.slice(0, 60)}`);
      if (el.tagName === 'A' && !/noopener/.test(el.rel)) found.push(`no rel: ${el.href}`);
    }
  }
  return found;
}"""


async def test_the_keyboard_alone_is_enough(notebook, provider, shots):
    provider.default = endless()
    nb = await notebook("%%l0 openai:gpt-test -F text -o a\nTell me", "1")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=30)
    page = nb.page

    async def tab_to(selector, key="Tab"):
        for _ in range(12):
            if await page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            await page.keyboard.press(key)
        raise AssertionError(f"{key} does not reach {selector}")

    await nb.select(0)
    await page.evaluate("document.querySelector('.jp-Notebook .jp-Cell').focus()")
    await tab_to(".l0-head button")
    await tab_to(".l0-knob")
    reading = nb.view(0).locator(".l0-reading")
    await page.keyboard.press("Home")
    await reading.filter(has_text="attempt 1").wait_for()
    first = await reading.inner_text()
    await page.keyboard.press("ArrowRight")
    await until(lambda: _differs(reading, first), "the arrow reads another entry")
    assert await page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    await nb.shoot(shots / "keyboard.png")
    for key in ("b", "a", "x", "d", "d", "m"):
        await page.keyboard.press(key)
    assert len(await nb.counts()) == 2, "no cell came, went or changed"
    assert await page.evaluate("document.activeElement.matches('.l0-knob')")
    await tab_to(".l0-head button", "Shift+Tab")
    await page.keyboard.press("Enter")
    await nb.ran()
    assert await nb.evaluate("a.aborted_by") == "stop"
    await until(lambda: provider.requests[0].closed_at, "the socket closes")
    assert provider.requests[0].client_left
    assert await nb.counts() == [1, 2], "Run All went on"


async def _differs(locator, text):
    return await locator.inner_text() != text


THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


async def test_every_word_is_readable_in_every_theme(notebook, shots):
    """Contrast of at least 4.5 to 1 (WCAG AA), live and static."""
    nb = await notebook(
        "%%l0 sim:code --chaos drop@40,stall@80 --no-resume --retry minimal --timeout 30,1"
        " --speed 300\nTell me",
        "%%l0 sim:story --chaos 401 --bg -o failed\nTell me",
        # It is silent in the middle for as long as the test takes.
        "%%l0 sim:markdown --chaos stall@200 --timeout 60,600 --speed 200 -o a\nTell me",
    )
    await nb.run_all(wait=False)
    await nb.static(0).wait_for()
    await nb.reveal(2)
    await nb.streams(2, at_least=200)
    for theme in THEMES:
        await nb.set_theme(theme)
        word = theme.removeprefix("JupyterLab ").replace(" ", "-").lower()
        await nb.reveal(2)
        await nb.view(2).wait_for()
        await nb.shoot(shots / f"live-{word}.png")
        await readable(nb, ".l0-view", 10, theme)
        await nb.reveal(0)
        await nb.static(0).wait_for()
        await readable(nb, ".jp-RenderedHTML", 20, theme)
        await nb.shoot(shots / f"static-{word}.png")
    await nb.set_theme(THEMES[0])


async def readable(nb, selector, least, where):
    """No word is faint, once the page is drawn in its new colours; and there are words."""
    found = []

    async def look():
        found[:] = await nb.page.evaluate(_FAINT, selector)
        return not found[0] and found[1] > least

    try:
        await until(look, "every word is readable", timeout=10, every=0.2)
    except TimeoutError:
        raise AssertionError(f"{where}: {found[1]} words, faint are {found[0]}") from None


# The pieces of text whose contrast with what is behind them is too low, and how many were seen.
_FAINT = """selector => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under, alpha) =>
    under.map((value, i) => i < 3 ? top[i] * alpha + value * (1 - alpha) : 1);
  const light = colour => {
    const [r, g, b] = colour.map(
      v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = new Set();
  let words = 0;
  for (const root of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const el = walker.currentNode.parentElement;
      const text = walker.currentNode.textContent.trim();
      const box = el.getBoundingClientRect();
      if (!text || box.width < 2 || !el.checkVisibility({ checkVisibilityCSS: true })) continue;
      words += 1;
      const style = getComputedStyle(el);
      const chain = [];
      for (let at = el; at; at = at.parentElement) chain.unshift(at);
      let back = [255, 255, 255, 1];
      let alpha = 1;
      for (const at of chain) {
        const shade = rgba(getComputedStyle(at).backgroundColor);
        back = over(shade, back, shade[3]);
        if (root.contains(at)) alpha *= +getComputedStyle(at).opacity;
      }
      const ink = rgba(el instanceof SVGElement ? style.fill : style.color);
      const front = over(ink, back, ink[3] * alpha);
      const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5 && !/^[●■]$/.test(text))
        found.add(`${ratio.toFixed(1)}: ${text.slice(0, 40)}`);
    }
  }
  return [[...found], words];
}"""


async def test_motion_and_forced_colours_are_respected(notebook, provider, shots):
    provider.default = endless()
    nb = await notebook("%%l0 openai:gpt-test -F text -o a\nTell me")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=30)
    moving = """document.getAnimations().filter(
      one => one.effect.target.closest('.l0-view') && one.playState === 'running').length"""
    await nb.page.wait_for_function(f"{moving} === 1")  # the dot breathes
    await nb.page.emulate_media(reduced_motion="reduce")
    await nb.page.wait_for_function(f"{moving} === 0")
    await nb.page.emulate_media(forced_colors="active")
    await nb.shoot(shots / "forced-colours.png")
    edge = (
        await nb.view(0).locator(".l0-dot").evaluate("el => getComputedStyle(el).backgroundColor")
    )
    assert edge not in {"rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"}, "the dot stays visible"
    await nb.page.emulate_media(forced_colors="none", reduced_motion="no-preference")
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.ran()


async def test_forced_colours_leave_what_stays_to_be_seen(notebook, shots):
    """Bars have their forms and code its edge, though no background is drawn."""
    nb = await notebook(
        "%%l0 sim:story --chaos drop@40 --no-resume --speed 200\nTell me",
        "%%l0 sim:code --speed max\nTell me",
    )
    await nb.page.emulate_media(forced_colors="active")
    await nb.run_all(wait=False)
    knob = nb.view(0).get_by_role("slider", name="Timeline")
    await knob.focus()
    await nb.page.keyboard.press("End")
    width, offset = await knob.evaluate(
        "el => [getComputedStyle(el).outlineWidth, getComputedStyle(el).outlineOffset]"
    )
    assert (width, offset) == ("2px", "-2px"), "the ring is inside, where nothing cuts it off"
    await nb.ran()
    await nb.reveal(0)
    seen = await nb.static(0).locator("div[style*='inline-block']").evaluate_all(_FORMS)
    forms = {form for form, width, _ in seen if width > 2}
    assert {"solid 8px", "solid 1px", "dashed 2px"} <= forms
    paper = await nb.page.evaluate(_PAPER)
    assert paper not in {ink for form, _, ink in seen if not form.startswith("none")}
    await nb.reveal(1)
    (edge,) = (
        await nb.static(1)
        .locator(".l0-said div[style*='outline']")
        .evaluate_all("all => all.map(el => getComputedStyle(el).outlineColor)")
    )
    assert edge not in {paper, "rgba(0, 0, 0, 0)"}
    await nb.shoot(shots / "forced-colours-static.png")
    await nb.page.emulate_media(forced_colors="none")


_FORMS = """all => all.map(el => {
  const { borderTopStyle, borderTopWidth, borderTopColor } = getComputedStyle(el);
  return [`${borderTopStyle} ${borderTopWidth}`, el.offsetWidth, borderTopColor];
})"""
_PAPER = """() => {
  const el = document.body.appendChild(document.createElement('p'));
  el.style.color = 'Canvas';
  const { color } = getComputedStyle(el);
  el.remove();
  return color;
}"""


async def test_a_narrow_page_keeps_everything_in_reach(notebook, provider, shots):
    """600 px: nothing is cut off, nothing overlaps, and no scroll bar lies below the page."""
    provider.default = endless(40)
    nb = await notebook(
        "%%l0 sim:markdown --chaos drop@40,stall@80 --no-resume --timeout 30,1 --speed 300\nHi",
        "%%l0 openai:gpt-test -F text -o a\nTell me",
    )
    await nb.page.set_viewport_size({"width": 600, "height": 900})
    await nb.command("application:toggle-left-area")
    await nb.run_all(wait=False)
    await nb.static(0).wait_for()
    await nb.reveal(1)
    await nb.streams(1, at_least=100)
    await nb.shoot(shots / "narrow-live.png")
    assert await nb.page.evaluate(_OVERLAPPING, ".l0-view") == []
    await nb.view(1).get_by_role("button", name="Stop").click()
    await nb.ran()
    await nb.reveal(0)
    await nb.static(0).wait_for()
    await nb.shoot(shots / "narrow-static.png")
    assert await nb.static(0).evaluate("el => el.scrollWidth - el.clientWidth") <= 1


async def test_at_double_size_nothing_is_squeezed_or_cut_off(notebook, provider, shots):
    """A zoom of 200 % halves the page: of 1600 px, and of 1200 beside the list of files."""
    provider.default = endless(40)
    nb = await notebook(
        "%%l0 sim:story --chaos drop@40 --no-resume --speed 200\nHi",
        "%%l0 openai:gpt-test -F text -o a\nTell me",
    )
    await nb.page.set_viewport_size({"width": 600, "height": 500})
    await nb.run_all(wait=False)
    await nb.static(0).wait_for()
    await nb.reveal(1)
    await nb.streams(1, at_least=100)
    stop = nb.view(1).get_by_role("button", name="Stop")
    beside = await nb.view(1).locator(".l0-head b").bounding_box()
    button = await stop.bounding_box()
    assert abs(button["y"] + button["height"] / 2 - beside["y"] - beside["height"] / 2) < 4
    assert await nb.page.evaluate(_OVERLAPPING, ".l0-view") == []
    await nb.shoot(shots / "double-narrow.png")
    await stop.click()
    await nb.ran()
    await nb.reveal(0)
    await nb.static(0).get_by_text("What happened").click()
    assert await nb.static(0).evaluate("el => el.scrollWidth - el.clientWidth") <= 1
    await nb.page.set_viewport_size({"width": 800, "height": 500})
    await nb.command("application:toggle-left-area")
    retry = nb.static(0).locator("td", has_text="retry:")
    line = await retry.bounding_box()
    assert line["height"] < 24, "the legend takes nothing of its width"
    await nb.shoot(shots / "double-static.png")


_OVERLAPPING = """selector => {
  const found = [];
  for (const view of document.querySelectorAll(selector)) {
    const parts = [...view.querySelectorAll(
      '.l0-head > *, .l0-notes, .l0-cut > summary, .l0-scroll, .l0-strip, .l0-legend')]
      .filter(el => el.checkVisibility({ checkVisibilityCSS: true }) && el.textContent.trim());
    const boxes = parts.map(el => el.getBoundingClientRect());
    const edge = view.getBoundingClientRect();
    boxes.forEach((a, i) => {
      if (a.right > edge.right + 1) found.push(`${parts[i].className} is cut off`);
      boxes.slice(i + 1).forEach((b, j) => {
        const beside = a.left >= b.right - 1 || b.left >= a.right - 1;
        if (!beside && a.top < b.bottom - 1 && b.top < a.bottom - 1)
          found.push(`${parts[i].className} over ${parts[i + 1 + j].className}`);
      });
    });
  }
  return found;
}"""
