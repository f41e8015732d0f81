"""A JupyterLab of its own and a Chromium; `docs/screenshots.py` uses them, too."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from l0.testing import Reply, sim_answer

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_FLAGS = [
    *(["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []),
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 90.0
"""Seconds a condition may take on a busy machine; far more than any does."""

KEY = "sk-bait-4f9d2c7b8e1a6035d4c2"
"""The provider's key that the kernels are given; it must not come out of them."""

# Nothing that asks the network, greets, or pops up over the notebook.
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
DISABLED = ["@jupyterlab/apputils-extension:announcements", "@jupyterlab/debugger-extension"]


def find_browser() -> str | None:
    """The Chromium of this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


async def until(
    check: Callable[[], Any], what: str, *, timeout: float = PATIENCE, every: float = 0.02
) -> Any:
    """The first true value of `check`, which may be async; `TimeoutError` says `what` never was."""
    latest = time.monotonic() + timeout
    while True:
        value = check()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > latest:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        await asyncio.sleep(every)


async def best(measure: Callable[[], Awaitable[float]], bar: float, *, tries: int = 3) -> float:
    """The first figure within the bar, or else the smallest of so many.

    A bar is about the product. A busy neighbour on the machine slows one try down, a fault of the
    product all of them.
    """
    figures: list[float] = []
    while len(figures) < tries and not (figures and figures[-1] <= bar):
        figures.append(await measure())
    return min(figures)


def endless(tokens_per_second: float = 20) -> Reply:
    """An answer that goes on for as long as a test may take: whoever has seen enough stops it."""
    return Reply(sim_answer("sim:long", "Tell me").text, tokens_per_second=tokens_per_second)


class LabServer:
    """JupyterLab on a free loopback port; everything it reads and writes is below `home`.

    `env` is what its kernels find in their environment, beside what is there anyway.
    """

    def __init__(self, home: Path, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.env = dict(env or {})
        self.root = home / "notebooks"
        self.token = os.urandom(12).hex()
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> Self:
        """Returns when the server answers."""
        self.root.mkdir(parents=True)
        self._write_settings()
        runtime = self.home / "runtime"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}"]
        command += ["--ServerApp.terminals_enabled=False", "--LabApp.extension_manager=readonly"]
        command += ["--LabApp.expose_app_in_browser=True"]
        command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
        if os.name == "posix" and os.geteuid() == 0:
            command.append("--allow-root")
        with (self.home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def address() -> str | None:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended at once:\n{self.log()}")
            for file in runtime.glob("jpserver-*.json"):
                try:
                    return str(json.loads(file.read_text())["url"])
                except ValueError:  # still being written
                    return None
            return None

        self.url = (await until(address, "JupyterLab starts")).rstrip("/")
        await until(lambda: self.request("GET", "/api/status"), "JupyterLab answers")
        return self

    async def stop(self) -> None:
        """Ends the server and its kernels."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            for kernel in self.request("GET", "/api/kernels") or ():
                self.request("DELETE", f"/api/kernels/{kernel['id']}")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                await until(lambda: process.poll() is not None, "JupyterLab ends", timeout=2)
            except TimeoutError:  # it waits for a page now and then; nothing of it is needed
                process.kill()
            process.wait()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the server's REST interface; None when it gives no answer."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found = answer.read()
        except OSError:
            return None
        return json.loads(found) if found else {}

    def log(self) -> str:
        """The last that the server wrote."""
        return (self.home / "server.log").read_text(errors="replace")[-4000:]

    def _environment(self) -> dict[str, str]:
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "IPYTHON", "L0_", "OPENAI_", "ANTHROPIC_"))
        }
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "L0_STORE": "runs.db",
        }
        env |= {name: str(self.home / place) for name, place in places.items()}
        return env | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"} | self.env

    def _write_settings(self) -> None:
        for name, value in SETTINGS.items():
            file = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value))
        # Kernels load the extension as they start, as a person's may.
        profile = self.home / "ipython" / "profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(
            "get_config().InteractiveShellApp.extensions = ['l0']\n"
        )
        page = self.home / "config" / "labconfig" / "page_config.json"
        page.parent.mkdir(parents=True)
        page.write_text(json.dumps({"disabledExtensions": dict.fromkeys(DISABLED, True)}))


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """A headless Chromium with a profile of its own; nothing of the user's is touched."""
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory(prefix="l0-chromium-", ignore_cleanup_errors=True) as home:
        places = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CACHE_HOME"), home)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=find_browser(), args=BROWSER_FLAGS, env={**os.environ, **places}
            )
            try:
                yield browser
            finally:
                await browser.close()
