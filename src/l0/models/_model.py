"""A model by its name: call it with a prompt, and one attempt of the answer is opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from l0.models._clients import Clients
from l0.models._names import DEFAULT, check_key, parse_model
from l0.models._request import Request, opener
from l0.models._sim import Script
from l0.stream import AttemptInfo, current_attempt
from l0.stream._fast import Transport


class Model:
    """What `model` gives: a function from a prompt to a provider's stream.

    `model(prompt)` opens one attempt, so `run(lambda: model("…"))` and `map(rows, "…", model)` do
    what they say; a resumed attempt is asked to go on where the text broke off. Its connections are
    kept between calls; `async with model:` or `await model.aclose()` closes them.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        faults: Script | None,
        transport: Transport = "sdk",
    ) -> None:
        self.name = self.model = name  # as every factory says what it asks
        self._named = parse_model(name)
        self._options = dict(options)
        self._script = faults
        self._clients = Clients(transport)

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    def __l0_identity__(self) -> str:
        """What `map` stores answers by: another setting makes another model of it."""
        told = {**self._options, **self._options["params"], "local": self._script is not None}
        del told["params"]
        return f"{self.name} {sorted(told.items())!r}"

    def __call__(
        self,
        prompt: str,
        info: AttemptInfo | None = None,
        *,
        system: str | None = None,
        history: Sequence[Mapping[str, str]] = (),
    ) -> Awaitable[Any]:
        """Open one attempt.

        Args:
            prompt: what is asked.
            info: the attempt it is; that of the run around it where none is given.
            system: the system prompt, where it isn't the model's own.
            history: the turns before the prompt, each with role and content.
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError(f"the prompt is {prompt!r}; give a model some text")
        info = info or current_attempt()
        script = self._script and self._script.from_attempt(info.attempt if info else 1)
        options = self._options if system is None else self._options | {"system": system}
        request = Request(prompt=prompt, history=history, **options)
        return opener(self._named, request, self._clients, script)(info)

    def factory(self, prompt: str) -> Callable[[AttemptInfo], Awaitable[Any]]:
        """What `run(stream=…)` and `fallbacks=[…]` take."""

        def factory(info: AttemptInfo) -> Awaitable[Any]:
            return self(prompt, info)

        vars(factory)["model"] = self.model
        return factory

    async def aclose(self) -> None:
        """Close the connections; the model may be used again."""
        await self._clients.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def model(
    name: str = DEFAULT,
    *,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    chaos: str | None = None,
    speed: float | None = None,
    transport: Transport = "sdk",
    **params: Any,
) -> Model:
    """A model by its name, for `run`, `map` and everything that opens streams.

    Keys come from the environment (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`), addresses of compatible
    servers from `OPENAI_BASE_URL` and `ANTHROPIC_BASE_URL`. Retries are the run's, so the client
    has its own switched off.

    Args:
        name: `openai:…`, `anthropic:…`, a bare name of theirs, or `sim:…`, which is answered
            offline without a key.
        system: the system prompt.
        temperature: as the provider understands it; None: its default.
        max_tokens: the most an answer may have; None: the provider's default.
        chaos: faults that the local server plays instead of the provider, one an attempt, such as
            `"drop@40,429"`.
        speed: tokens a second of `sim:` answers; None: as fast as they are read.
        transport: `"fast"`: what is streamed is decoded here, at a fraction of the CPU time; the
            provider's package still makes the request.
        params: further parameters of the request, such as `seed=7`.

    Raises:
        ValueError: the name is unknown, its key is missing, or a fault is; or there is no such
            transport.

    Example:
        >>> import asyncio, l0
        >>> async def main():
        ...     async with l0.model("sim:json", chaos="drop@8") as ask:
        ...         stream = l0.run(lambda: ask("A person as JSON"), continuation=True)
        ...         return (await stream.read())[-1], stream.state.network_retry_count
        >>> asyncio.run(main())
        ('}', 1)
    """
    named = parse_model(name)
    script = Script(chaos, speed) if chaos or named.provider == "sim" else None
    if script is None and speed is not None:
        raise ValueError(f"speed is for sim models; {named} answers as fast as it can")
    if not chaos:
        check_key(named)
    options = {
        "system": system,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "params": params,
    }
    return Model(name, options, script, transport)
