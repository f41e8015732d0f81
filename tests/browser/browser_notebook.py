"""A notebook as a person opens it: run, stopped, saved, reloaded and read through its page."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from browser_lab import PATIENCE, LabServer

NOT_OURS: dict[str, str] = {
    "@jupyter-widgets/jupyterlab-manager/": "the widget manager expects every notebook to have a "
    "kernel, and complains about one that is opened without",
    "/static/notebook/": "Notebook 7 complains as it starts, of plug-ins that only JupyterLab has",
}
"""Parts of messages on the console that are nobody's fault here, and why."""


class Notebook:
    """One notebook open in JupyterLab, or in Notebook 7 (`app="notebook"`), in one page."""

    app = "lab"

    def __init__(self, server: LabServer, page: Any, path: str) -> None:
        self.server, self.page, self.path = server, page, path
        self.console: list[str] = []
        """Errors on the page's console, and exceptions nobody caught, but for `NOT_OURS`."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._complain(f"uncaught: {error.stack}"))

    @classmethod
    async def create(
        cls,
        server: LabServer,
        context: Any,
        sources: Sequence[str],
        name: str = "test",
        app: str = "lab",
    ) -> Self:
        """Write a notebook of code cells and open it in a new page."""
        notebook = await cls.write(server, context, sources, name)
        notebook.app = app
        await notebook.load()
        return notebook

    @classmethod
    async def write(
        cls, server: LabServer, context: Any, sources: Sequence[str], name: str = "test"
    ) -> Self:
        """Write a notebook of code cells; its page is still empty."""
        import nbformat

        v4: Any = nbformat.v4
        book = v4.new_notebook(
            cells=[v4.new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        path = f"{name}.ipynb"
        (server.root / path).write_text(v4.writes(book))
        return cls(server, await context.new_page(), path)

    async def load(self, *, kernel: bool = True) -> None:
        """Go to the notebook's address, and wait until it is drawn and its kernel answers.

        The kernel starts while the page loads.
        """
        session = {"path": self.path, "name": self.path, "type": "notebook"}
        if kernel:
            wanted = session | {"kernel": {"name": "python3"}}
            await asyncio.to_thread(self.server.request, "POST", "/api/sessions", wanted)
        name = self.path.removesuffix(".ipynb")
        place = f"/tree/{self.path}" if kernel else ""
        place = f"/lab/workspaces/{name}{place}?reset&"
        if self.app == "notebook":
            place = f"/notebooks/{self.path}?"
        await self.page.goto(f"{self.server.url}{place}token={self.server.token}")
        if kernel:
            await self.page.wait_for_function(_READY, arg=self.path, timeout=PATIENCE * 1000)
        else:
            await self.page.wait_for_function(
                "window.jupyterapp?.restored.then(() => true)", timeout=PATIENCE * 1000
            )
            await self.page.evaluate(_OPEN_WITHOUT_KERNEL, self.path)

    async def is_trusted(self) -> bool:
        """Whether the server trusts the outputs, which then are drawn as they are."""
        return bool(await self.js("return [...panel.content.model.cells].every(c => c.trusted)"))

    async def reload(self) -> None:
        """Load the page again; the kernel goes on, and may be busy."""
        await self.page.reload()
        await self.page.wait_for_function(_THERE, arg=self.path, timeout=PATIENCE * 1000)

    async def js(self, body: str, argument: Any = None) -> Any:
        """Evaluate the body of a function of `panel` and `argument` on the page."""
        return await self.page.evaluate(
            f"async ([path, argument]) => {{ const panel = ({_PANEL})(path); {body} }}",
            [self.path, argument],
        )

    # --- doing ---

    async def command(self, name: str) -> None:
        """Run a command of JupyterLab on this notebook and wait for its end."""
        await self.js(
            "jupyterapp.shell.activateById(panel.id);await jupyterapp.commands.execute(argument)",
            name,
        )

    async def run_all(self, *, wait: bool = True) -> None:
        """Run every cell; without `wait`, return when the first one is on its way."""
        await self._run("notebook:run-all-cells")
        if wait:
            await self.ran()

    async def run_from(self, index: int) -> None:
        """Run this cell and all below it, as Run All does; returns at once."""
        await self.select(index)
        await self._run("notebook:run-all-below")

    async def run_cell(self, index: int) -> None:
        """Run one cell."""
        await self.select(index)
        await self._run("notebook:run-cell")
        await self.ran()

    async def _run(self, command: str) -> None:
        await self.js(
            "jupyterapp.shell.activateById(panel.id);"
            "window.ran = undefined;"
            "jupyterapp.commands.execute(argument).then("
            "  () => (window.ran = 'done'), error => (window.ran = `${error}`));",
            command,
        )

    async def ran(self) -> None:
        """Wait for the end of what was run last."""
        await self.page.wait_for_function("window.ran", timeout=PATIENCE * 1000)
        await self.idle()

    async def select(self, index: int) -> None:
        """Make a cell the active one."""
        await self.js("panel.content.activeCellIndex = argument", index)

    async def reveal(self, index: int) -> None:
        """Scroll to a cell: JupyterLab draws only those near the window."""
        await self.js(
            "panel.content.activeCellIndex = argument;"
            "await panel.content.scrollToItem(argument, 'start')",
            index,
        )

    async def idle(self) -> None:
        """Wait until the kernel has nothing to do and every output has arrived."""
        await self.page.wait_for_function(_IDLE, arg=self.path, timeout=PATIENCE * 1000)

    async def interrupt(self) -> None:
        """Interrupt the kernel, as the button in the toolbar does."""
        await self.command("notebook:interrupt-kernel")

    async def set_theme(self, name: str) -> None:
        """Change JupyterLab's theme and wait until it is drawn."""
        await self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        await self.page.wait_for_function(
            "theme => document.body.dataset.jpThemeName === theme"
            " && !document.querySelector('#jupyterlab-splash')",
            arg=name,
        )

    async def save(self) -> dict[str, Any]:
        """Save, and return what is on the disk."""
        await self.command("docmanager:save")
        return self.on_disk()

    def on_disk(self) -> dict[str, Any]:
        """The notebook as it is saved."""
        book: dict[str, Any] = json.loads((self.server.root / self.path).read_text())
        return book

    async def shut_down(self) -> None:
        """Shut the kernel down and close the page."""
        await self.js("await panel?.sessionContext.shutdown()")
        await self.page.close()

    async def execute(self, code: str) -> None:
        """Run code in the kernel, in no cell."""
        answer = await self.js(_EXECUTE, code)
        if answer["status"] != "ok":
            raise RuntimeError("\n".join(answer.get("traceback") or [str(answer)]))

    async def evaluate(self, expression: str) -> Any:
        """The value of a Python expression in the kernel, as JSON carries it."""
        text = await self.js(_EVALUATE, f"__import__('json').dumps({expression})")
        return json.loads(text)

    # --- looking ---

    def cell(self, index: int) -> Any:
        """The cell on the page."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def view(self, index: int) -> Any:
        """The live view in a cell's output."""
        return self.cell(index).locator(".l0-view")

    def static(self, index: int) -> Any:
        """The static view in a cell's output, which stays."""
        return self.cell(index).locator(".jp-OutputArea-output.jp-RenderedHTML")

    async def live_text(self, index: int) -> str | None:
        """The text in the live view, "" where there is none yet; None when the run is over."""
        text: str | None = await self.page.evaluate(f"({_LIVE_TEXT})({index})")
        return text

    async def streams(self, index: int, *, at_least: int) -> None:
        """Wait until the live view shows so many characters."""
        check = f"({_LIVE_TEXT})({index})?.length >= {at_least}"
        await self.page.wait_for_function(check, timeout=PATIENCE * 1000)

    async def watch(self, look: str) -> None:
        """From now on `watched` knows what this function of the page said, frame by frame."""
        await self.page.evaluate(_WATCH.replace("LOOK", look))

    async def watched(self) -> list[Any]:
        """What was seen since `watch`, each state once; nothing is where the function had none."""
        return [json.loads(seen) for seen in await self.page.evaluate("window.watched")]

    async def watch_clicks(self) -> None:
        """From now on `clicked_at` knows when a mouse button was released."""
        await self.page.evaluate(
            "addEventListener('click', () => { window.clickedAt = Date.now() / 1000 }, true)"
        )

    async def clicked_at(self) -> float:
        """When the latest click was, on the monotonic clock of this process."""
        at = await self.page.evaluate("window.clickedAt")
        return float(at) - time.time() + time.monotonic()

    async def static_text(self, index: int) -> str:
        """The answer in the static view, where it is drawn as plain text."""
        blocks = self.static(index).locator(".l0-said > div[style*='pre-wrap']")
        return str(await blocks.last.text_content())

    async def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as nbformat has them."""
        outputs: list[dict[str, Any]] = await self.js(
            "return panel.content.model.cells.get(argument).outputs.toJSON()", index
        )
        return outputs

    async def printed(self, index: int) -> str:
        """What a cell wrote to stdout and stderr."""
        outputs = await self.outputs(index)
        return "".join(
            "".join(output["text"]) for output in outputs if output["output_type"] == "stream"
        )

    async def errors(self, index: int) -> list[str]:
        """The tracebacks of a cell, without colours."""
        return [
            re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output["traceback"]))
            for output in await self.outputs(index)
            if output["output_type"] == "error"
        ]

    async def counts(self) -> list[int | None]:
        """The execution counts of the cells."""
        counts: list[int | None] = await self.js(
            "return [...panel.content.model.cells].map(cell => cell.executionCount ?? null)"
        )
        return counts

    async def shoot(self, path: Path, target: Any = None) -> None:
        """Take a picture of the page or of a part of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        await (target or self.page).screenshot(path=path)

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            where = (message.location or {}).get("url", "")
            self._complain(f"{message.text} ({where})")

    def _complain(self, text: str) -> None:
        if not any(part in text for part in NOT_OURS):
            self.console.append(text)


_PANEL = """path => {
  for (const widget of window.jupyterapp?.shell.widgets('main') ?? [])
    if (widget.context?.path === path && widget.content?.model?.cells) return widget;
}"""
_OPEN_WITHOUT_KERNEL = """async path => {
  const panel = await window.jupyterapp.commands.execute(
    'docmanager:open', { path, kernelPreference: { shouldStart: false, canStart: false } });
  await panel.context.ready;
}"""
_THERE = f"""path => {{
  const panel = ({_PANEL})(path);
  return panel?.content.model.cells.length
    && panel.sessionContext?.session?.kernel?.connectionStatus === 'connected';
}}"""
_READY = f"""path => {{
  const panel = ({_PANEL})(path);
  const kernel = panel?.sessionContext?.session?.kernel;
  return panel?.content.model.cells.length && kernel?.connectionStatus === 'connected'
    && kernel.status === 'idle' && kernel.info && window.jupyterapp.restored.then(() => true);
}}"""
_IDLE = f"""path => {{
  const panel = ({_PANEL})(path);
  const busy = [...panel.content.widgets].some(cell => cell.promptNode?.textContent === '[*]:'
    || cell.inputArea?.promptNode.textContent === '[*]:');
  return !busy && panel.sessionContext.session?.kernel?.status === 'idle';
}}"""
_LIVE_TEXT = """index => {
  const cell = document.querySelector(
    `.jp-Notebook .jp-Cell[data-windowed-list-index="${index}"]`);
  const answer = cell?.querySelector('.l0-answer');
  if (answer) return answer.textContent;
  return cell?.querySelector('.jp-OutputArea-output.jp-RenderedHTML') ? null : '';
}"""
_WATCH = """() => {
  const seen = window.watched = [];
  const step = () => {
    const now = JSON.stringify((LOOK)() ?? null);
    if (now !== 'null' && now !== seen.at(-1)) seen.push(now);
    requestAnimationFrame(step);
  };
  step();
}"""
_EXECUTE = """
  const future = panel.sessionContext.session.kernel.requestExecute(
    { code: argument, silent: false, store_history: false, allow_stdin: true });
  return (await future.done).content;
"""
_EVALUATE = """
  const future = panel.sessionContext.session.kernel.requestExecute(
    { code: '', silent: true, store_history: false, user_expressions: { value: argument } });
  const { content } = await future.done;
  const value = content.user_expressions.value;
  if (value.status !== 'ok') throw new Error(`${value.ename}: ${value.evalue}`);
  const text = value.data['text/plain'];
  return Function(`return ${text}`)();
"""
