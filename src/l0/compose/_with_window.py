"""One chunk of a window as a reliable run that gets more context when its answer drifts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

from l0.compose._windows import DocumentWindow
from l0.compose._windows_chunk import DocumentChunk, chunk_at
from l0.compose._windows_measure import Measure
from l0.errors import DriftError
from l0.stream import AttemptInfo, Options, Stream, run
from l0.stream._options import build_options
from l0.stream._stream import caller_of

Factory = Callable[[DocumentChunk], Any]


@dataclass(frozen=True, slots=True)
class ContextRestorationOptions:
    """What to do when the answer to a chunk drifts.

    Args:
        enabled: whether to do anything.
        strategy: what the next attempt sees besides the chunk: "adjacent" one more chunk on either
            side, "overlap" one more overlap on either side, "full" the whole document.
        max_attempts: how often.
        on_restore: called as `(number, chunk)` when an attempt gets a wider chunk.

    Raises:
        TypeError: `on_restore` is not callable.
        ValueError: a field has a value that makes no sense.

    Example:
        >>> ContextRestorationOptions().replace(strategy="full").max_attempts
        2
    """

    enabled: bool = True
    strategy: Literal["adjacent", "overlap", "full"] = "adjacent"
    max_attempts: int = 2
    on_restore: Callable[[int, DocumentChunk], Any] | None = None

    def __post_init__(self) -> None:
        if self.strategy not in {"adjacent", "overlap", "full"}:
            raise ValueError(
                f"Unknown strategy {self.strategy!r}; there are adjacent, overlap, full"
            )
        count = self.max_attempts
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"max_attempts is a whole number, 0 or more; not {count!r}")
        if self.on_restore is not None and not callable(self.on_restore):
            raise TypeError(f"on_restore is called with each wider chunk, not {self.on_restore!r}")

    def replace(self, **changes: Any) -> Self:
        """The same options with some changed."""
        return dataclasses.replace(self, **changes)


def l0_with_window(
    window: DocumentWindow,
    index: int,
    stream: Factory,
    *,
    context_restoration: ContextRestorationOptions | None = None,
    **run_options: Any,
) -> Stream:
    """Make a call about one chunk reliable; an answer that drifts is retried with wider context.

    Nothing is opened before the stream's first use. Attempts that failed for another reason are
    retried with the context that they had. Once there is no more context to give, drift ends the
    run as any other failure does.

    Args:
        window: the document.
        index: which chunk, from 0.
        stream: called with the chunk, once an attempt; returns what a factory of `run` may return.
        context_restoration: how context is widened; by a chunk on either side, twice.
        **run_options: as for `run`. `drift` is on by default, `retry` still limits all retries, and
            `fallbacks` are called with the chunk, too.

    Raises:
        IndexError: there is no such chunk.
        TypeError: `stream` is not callable, or an option is unknown.

    Example:
        >>> import asyncio
        >>> from l0.compose import Window
        >>> window = Window.create("one two three four", strategy="char", size=8, overlap=0)
        >>> def ask(chunk):
        ...     drifts = chunk.content == "three fo"
        ...     return ["As an AI language model, I can't."] if drifts else [chunk.content]
        >>> asyncio.run(l0_with_window(window, 1, ask, retry=l0.Retry(base_delay=0)).read())
        'one two three four'
    """
    restoration = context_restoration or ContextRestorationOptions()
    others = run_options.pop("fallbacks", None) or ()
    for each in (stream, *others):
        if not callable(each):
            raise TypeError(f"a stream is a function that is called with the chunk, not {each!r}")
    context = _Context(window, index, restoration)
    if restoration.enabled and "drift_detector" not in run_options:
        run_options.setdefault("drift", True)
    options = build_options(
        None,
        stream=context.given_to(stream),
        fallbacks=[context.given_to(each) for each in others],
        **run_options,
    )
    if restoration.enabled:
        options = options.replace(retry=context.limited(options))
    made = run(options)
    context.tell = caller_of(made)
    return made


class _Context:
    """How much of the document one run is shown; wider after each attempt that drifted."""

    tell: Callable[..., None]

    def __init__(
        self, window: DocumentWindow, index: int, restoration: ContextRestorationOptions
    ) -> None:
        window._check(index)
        self.window = window
        self.chunk = self.widest = window[index]
        self.restoration = restoration
        self.drifts = 0
        self.level = 0

    def given_to(self, factory: Factory) -> Callable[[AttemptInfo], Any]:
        """A factory of `run` that is called with the chunk of the attempt."""

        def opened(info: AttemptInfo) -> Any:
            if info.errors and isinstance(info.errors[-1], DriftError):
                self.widen()
            return factory(self.widest)

        return opened

    def limited(self, options: Options) -> Any:
        """The run's retry policy, which retries drift no more often than context is restored."""
        own = options.retry.should_retry

        def should_retry(error: Any, state: Any, attempt: int, category: Any) -> Any:
            if isinstance(error, DriftError):
                self.drifts += 1
                if self.drifts > self.restoration.max_attempts:
                    return False
            return True if own is None else own(error, state, attempt, category)

        return options.retry.replace(should_retry=should_retry)

    def widen(self) -> None:
        """Show more of the document, if there is more and it may be shown."""
        restoration = self.restoration
        if not restoration.enabled or self.level >= restoration.max_attempts:
            return
        self.level += 1
        before, self.widest = self.widest, self._at(self.level)
        if (before.start_pos, before.end_pos) != (self.widest.start_pos, self.widest.end_pos):
            self.tell(restoration.on_restore, self.level, self.widest)

    def _at(self, level: int) -> DocumentChunk:
        window, chunk = self.window, self.chunk
        measure = Measure(window.document, window.config)
        if self.restoration.strategy == "full":
            start, end = 0, len(window.document)
        elif self.restoration.strategy == "adjacent":
            start = window[max(0, chunk.index - level)].start_pos
            end = window[min(len(window) - 1, chunk.index + level)].end_pos
        else:
            more = level * (window.config.overlap or -(-window.config.size // 10))
            start = measure.back(chunk.start_pos, more, 0)
            end = measure.reach(chunk.end_pos, more)
        wider = chunk_at(measure, chunk.index, start, end, len(window))
        return wider.replace(is_first=start == 0, is_last=end == len(window.document))
