"""Install the wheel where nothing is at hand, and use it: `python tools/offline.py`.

First the wheels of l0 and of all it needs are gathered in `build/supply/wheels`, with a network.
Then a new environment is made from them alone: no index, no network, nothing on the `PATH` but the
environment itself, so no node and no compiler. What a first user would do is done in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "build" / "supply" / "wheels"
EXTRAS = "fast,lab,otel,sentry,prometheus"
APART = ("unshare", "--user", "--map-root-user", "--net")
"""Runs a command in a network of its own with nobody in it, where Linux has that."""

IMPORT = "import time; t = time.perf_counter(); import l0; print(time.perf_counter() - t)"
EVERY_MODULE = """
import importlib, pkgutil, l0
names = [module.name for module in pkgutil.walk_packages(l0.__path__, "l0.")]
for name in names:
    importlib.import_module(name)
print(len(names), "modules")
"""
CELLS = ("%load_ext l0", "%%l0 sim:story -o tale\nTell me of the lighthouse.", "len(str(tale))")
KERNEL = f"""
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel()
try:
    for cell in {CELLS!r}:
        told = []
        reply = client.execute_interactive(cell, timeout=60, output_hook=told.append)
        assert reply["content"]["status"] == "ok", reply["content"]
    values = [m["content"]["data"] for m in told if m["msg_type"] == "execute_result"]
    length = int(values[0]["text/plain"])
    assert length > 100, length
    print(length, "characters came in a cell")
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""
EXTRA_PACKAGES = "import pyarrow, jupyterlab, nbconvert, opentelemetry.sdk, sentry_sdk"
EXTRA_PACKAGES += ", prometheus_client; print('all five')"


def main(arguments: list[str]) -> int:
    """Gather with a network, then install and use without one; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shut", choices=("apart", "proxy"), help=argparse.SUPPRESS)
    shut = parser.parse_args(arguments).shut
    if shut is not None:
        return use(WHEELS, apart=shut == "apart")
    gather(WHEELS)
    again = [sys.executable, __file__, "--shut"]
    if _can_be_apart():
        return subprocess.call([*APART, *again, "apart"])
    return subprocess.call([*again, "proxy"])


def gather(wheels: Path) -> None:
    """The wheel of l0, built where there is no node, and those of every package it needs."""
    shutil.rmtree(wheels, ignore_errors=True)
    with tempfile.TemporaryDirectory() as empty:
        began = _now()
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels)),
                *("--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[{EXTRAS}]"),
            ],
            check=True,
            env={**os.environ, "PATH": empty},
        )
    count = len(list(wheels.iterdir()))
    _tell("wheels gathered, with a network", began, f"{count} of them, {_size(wheels):.0f} MB")


def use(wheels: Path, *, apart: bool) -> int:
    """Everything a first user would do, each with what it took."""
    print("network:", _open_loopback() if apart else "a proxy that nobody answers on")
    first = _now()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run = _Environment(home, wheels)
        if not apart:
            run.env |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
            run.env["no_proxy"] = "127.0.0.1,localhost"
        with _step("a new environment") as said:
            subprocess.run([sys.executable, "-m", "venv", str(run.venv)], check=True)
            before = run.size()
        with _step("pip install l0") as said:
            run.install("l0")
            said(f"{run.size() - before:.0f} MB")
        with _step("l0 demo") as said:
            end = run("l0", "demo", "--fast", "--record", str(home / "demo.db")).splitlines()[-1]
            said(end.strip())
        _tell("first minute: from nothing to the first answer", first, "")
        with _step("pip check") as said:
            said(run("python", "-m", "pip", "check"))
        with _step("import l0") as said:
            best = min(float(run("python", "-W", "error", "-c", IMPORT)) for _ in range(5))
            said(f"{best * 1000:.0f} ms at best")
        with _step("every module of it, warnings being errors") as said:
            said(run("python", "-W", "error", "-c", EVERY_MODULE))
        with _step("a notebook's cells, in a kernel") as said:
            said(run("python", "-c", KERNEL))
        for name, megabytes in run.largest(6):
            print(f"    {name:24} {megabytes:6.1f} MB")
        with _step(f'pip install "l0[{EXTRAS}]"') as said:
            run.install(f"l0[{EXTRAS}]")
            run("python", "-m", "pip", "check")
            said(f"{run.size() - before:.0f} MB in all")
        with _step("the packages of the extras") as said:
            said(run("python", "-c", EXTRA_PACKAGES))
        with _step("the tour, as a page") as said:
            run(
                *("jupyter", "nbconvert", "--log-level", "ERROR", "--to", "html", "--execute"),
                *(str(ROOT / "notebooks" / "00_tour.ipynb"), "--output-dir", str(home)),
            )
            said(f"{(home / '00_tour.html').stat().st_size / 1e3:.0f} kB")
    return 0


class _Environment:
    """A virtual environment that knows nothing but itself; calling it runs a command in it."""

    def __init__(self, home: Path, wheels: Path) -> None:
        self.venv, self.wheels = home / "venv", wheels
        self.bin = self.venv / ("Scripts" if os.name == "nt" else "bin")
        kept = ("SYSTEMROOT", "LANG")
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.env |= {"PATH": str(self.bin), "HOME": str(home), "TMPDIR": str(home)}
        self.env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def __call__(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            check=False,
            cwd=self.env["HOME"],
            env=self.env,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{program} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def install(self, what: str) -> None:
        """From the gathered wheels, and nowhere else."""
        self(
            *("python", "-m", "pip", "install", "--quiet", "--no-index"),
            *("--only-binary", ":all:", "--find-links", str(self.wheels), what),
        )

    @property
    def packages(self) -> Path:
        paths = {"base": str(self.venv), "platbase": str(self.venv)}
        return Path(sysconfig.get_path("purelib", "venv", paths))

    def size(self) -> float:
        """Megabytes of the whole environment, compiled modules included."""
        return _size(self.venv)

    def largest(self, count: int) -> list[tuple[str, float]]:
        """The largest of what was installed."""
        sizes = [(path.name, _size(path)) for path in self.packages.iterdir() if path.is_dir()]
        own = [pair for pair in sizes if pair[0] == "l0"]
        return sorted(sizes, key=lambda pair: -pair[1])[:count] + own


def _size(folder: Path) -> float:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


@contextmanager
def _step(name: str) -> Iterator[Callable[[str], None]]:
    """A line for what is done within: how long it took, and what was said of it."""
    words: list[str] = []
    began = _now()
    yield words.append
    _tell(name, began, " ".join(words))


def _now() -> tuple[float, float]:
    """Seconds by the clock, and seconds of a core: a busy machine stretches only the first."""
    spent = os.times()
    return time.monotonic(), spent.children_user + spent.children_system


def _tell(name: str, began: tuple[float, float], said: str) -> None:
    clock, core = (after - before for after, before in zip(_now(), began, strict=True))
    print(f"{name:48} {clock:6.1f} s {core:6.1f} s of a core  {said}".rstrip(), flush=True)


# --- no network ------------------------------------------------------------------------------


def _can_be_apart() -> bool:
    try:
        return subprocess.run([*APART, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _open_loopback() -> str:
    """Switch on the loopback of a network of our own, which begins with it down."""
    import fcntl  # Linux has it, and only Linux comes here

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
        try:
            any_socket.connect(("192.0.2.1", 9))  # an address for documentation: nobody's
        except OSError:
            return "none but the loopback"
    raise SystemExit("there is a way out of here, so that nothing would be shown")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
