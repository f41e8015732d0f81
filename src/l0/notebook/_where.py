"""Where output goes: a page, a headless client, a terminal, or nowhere."""

from __future__ import annotations

from typing import Any


def where(shell: Any = None) -> str:
    """`page`, `headless`, `terminal` or `none`.

    Clients that execute notebooks without a person (nbclient, nbval, papermill, nbconvert) say
    `allow_stdin: false` in each execute request, because nobody could answer an input; front-ends
    with a person say true.

    >>> where()
    'none'
    """
    shell = shell if shell is not None else get_shell()
    if shell is None:
        return "none"
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return "terminal"
    return "page" if _has_person(kernel) else "headless"


def get_shell() -> Any:
    """The IPython shell this runs in, if it does."""
    import sys

    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _has_person(kernel: Any) -> bool:
    try:
        content = kernel.get_parent("shell").get("content", {})
    except Exception:  # other kernels (Pyodide, xeus) have parents of their own kind
        content = {}
    told = content.get("allow_stdin") if isinstance(content, dict) else None
    return bool(told if told is not None else getattr(kernel, "_allow_stdin", True))
