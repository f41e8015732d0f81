"""A conversation: turns kept as plain data, sent again with each prompt, shown as a transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from l0.formatting import estimate_tokens
from l0.models import DEFAULT, Model, model
from l0.notebook._handle import Handle
from l0.stream import AttemptInfo, continue_messages, run

if TYPE_CHECKING:
    from pandas import DataFrame

ROLES: Final = ("user", "assistant")
MIME: Final = "application/vnd.l0.conversation+json"
"""Under which an output has the conversation as plain data, beside what is shown of it."""

Turn = dict[str, str]
"""`{"role": "user", "content": "…"}`, as every provider has it."""

_FRAME: Final = {
    "turn": "int32",
    "role": "category",
    "content": "str",
    "tokens": "int32",
    "sent": "bool",
}


class Conversation:
    """Turns of a person and a model; `%%l0 --chat NAME` continues one, and so does `ask`.

    A question and its answer are added together, once the answer is complete. One that failed or
    was stopped leaves no trace, unless `keep` adds what came of it. `messages` are your own: a list
    of plain dicts, which may be read, saved and changed. The last expression of a cell shows the
    transcript, and the saved notebook has it as text, as HTML and as data.

    Args:
        system: the system prompt; it is sent first, always. None: that of the model, if it has one.
        max_tokens: how much is sent, system prompt and question included, in tokens as
            `l0.formatting.estimate_tokens` counts them; the oldest turns are left out first. They
            stay in `messages`. None: everything is sent.
        messages: earlier turns, oldest first; one of the role system may stand before them.

    Raises:
        ValueError: a turn has no role or content that can be sent, or `max_tokens` is below 1.

    Example:
        >>> talk = Conversation("Be brief.", max_tokens=10)
        >>> talk.add("How are you?", "Fine.")
        >>> talk.fitting("And now?")
        [{'role': 'user', 'content': 'How are you?'}, {'role': 'assistant', 'content': 'Fine.'}]
        >>> talk.fitting("And what about tomorrow?")
        []
    """

    def __init__(
        self,
        system: str | None = None,
        *,
        max_tokens: int | None = None,
        messages: Iterable[Mapping[str, str]] = (),
    ) -> None:
        turns = [_turn(each) for each in messages]
        if turns and turns[0]["role"] == "system":
            system = turns.pop(0)["content"] if system is None else system
        for turn in turns:
            if turn["role"] not in ROLES:
                raise ValueError(
                    f"a turn is of {' or '.join(ROLES)}, not {turn['role']!r}; what holds always "
                    "is the system prompt"
                )
        self.system = system
        self.messages: list[Turn] = turns
        self.max_tokens = max_tokens
        self._kept: set[str] = set()  # the runs whose answers are in it

    @property
    def max_tokens(self) -> int | None:
        """How much is sent with a question, in estimated tokens; None: everything."""
        return self._max_tokens

    @max_tokens.setter
    def max_tokens(self, value: int | None) -> None:
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"max_tokens is how much is sent, 1 or more, or None; not {value!r}")
        self._max_tokens = value

    # --- asking ---

    async def ask(
        self, prompt: str, model: str | Model | Callable[..., Any] = DEFAULT, **options: Any
    ) -> Handle:
        """Ask the next question, wait for the answer, and add both.

        Args:
            prompt: what is asked.
            model: a name such as `"openai:gpt-5"`, what `l0.model` gives, or a function that is
                given all messages (the system prompt first) and opens a stream.
            options: everything that `l0.run` takes beside the stream.

        Returns:
            The run: `str(answer)` is its text.

        Raises:
            ValueError: the prompt is empty, or the model's name is unknown.
            Exception: what the run failed with; nothing is added then.

        Example:
            >>> import asyncio
            >>> talk = Conversation("You keep a lighthouse.")
            >>> answer = asyncio.run(talk.ask("What do you see?", "sim:story"))
            >>> talk.messages[-1]["content"] == str(answer)
            True
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError(f"the prompt is {prompt!r}; give a model some text")
        if isinstance(model, str):
            async with _named(model) as named:
                return await self._ask(prompt, named, options)
        return await self._ask(prompt, model, options)

    async def _ask(self, prompt: str, model: Any, options: dict[str, Any]) -> Handle:
        history, name = self.fitting(prompt), getattr(model, "name", None)

        def open_stream(info: AttemptInfo) -> Any:
            if isinstance(model, Model):
                return model(prompt, info, system=self.system, history=history)
            messages = [*self._first(), *history, {"role": "user", "content": prompt}]
            return model(continue_messages(messages, info.checkpoint, prompt=info.prompt))

        meta = {"model": name} if isinstance(name, str) else {}
        options["meta"] = {**meta, **(options.get("meta") or {})}
        stream = run(open_stream, **options)
        handle = Handle(stream, prompt=prompt, model=name)
        handle.conversation = self
        await stream.read()
        self.keep_complete(handle)
        return handle

    def _first(self) -> list[Turn]:
        return [{"role": "system", "content": self.system}] if self.system else []

    # --- turns ---

    def fitting(self, prompt: str = "") -> list[Turn]:
        """The turns that are sent before this question: all, or the latest that fit the budget.

        They begin with a turn of the user, as providers want it.
        """
        if self.max_tokens is None:
            return [dict(turn) for turn in self.messages]
        left = self.max_tokens - estimate_tokens(self.system or "") - estimate_tokens(prompt)
        first = len(self.messages)
        for at in range(len(self.messages) - 1, -1, -1):
            left -= estimate_tokens(self.messages[at]["content"])
            if left < 0:
                break
            if self.messages[at]["role"] == "user":
                first = at
        return [dict(turn) for turn in self.messages[first:]]

    def add(self, prompt: str, answer: str) -> None:
        """Add a question and its answer, wherever they come from."""
        self.messages += [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": answer},
        ]

    def keep(self, answer: Handle) -> None:
        """Add a run's question and what came of its answer, also of one that failed or was stopped.

        An answer that is in the conversation already is not added again.

        Raises:
            ValueError: the run goes on, or has said nothing.

        Example:
            >>> import asyncio, l0
            >>> stream = l0.run(lambda: ["Hel", "lo"])
            >>> text = asyncio.run(stream.read())
            >>> talk = Conversation()
            >>> talk.keep(Handle(stream, prompt="Hi"))
            >>> [turn["content"] for turn in talk.messages]
            ['Hi', 'Hello']
        """
        if answer.stream_id in self._kept:
            return
        if answer.outcome is None:
            raise ValueError("the run goes on; await it or stop it, then keep what it said")
        if not answer.text.strip() or not answer.prompt:
            raise ValueError("there is nothing to keep: the run has said nothing")
        self._kept.add(answer.stream_id)
        self.add(answer.prompt, answer.text)

    def keep_complete(self, answer: Handle) -> None:
        """Add what a run came to, if it is complete and has a text; for whoever ran it."""
        if answer.outcome == "completed" and answer.text.strip():
            self.keep(answer)

    def clear(self) -> None:
        """Forget all turns; the system prompt and the budget stay."""
        self.messages.clear()
        self._kept.clear()

    # --- as data ---

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data; `Conversation(**data)` makes the same one again.

        Example:
            >>> Conversation("Be brief.").to_dict()
            {'system': 'Be brief.', 'max_tokens': None, 'messages': []}
        """
        turns = [dict(turn) for turn in self.messages]
        return {"system": self.system, "max_tokens": self.max_tokens, "messages": turns}

    def to_frame(self) -> DataFrame:
        """The turns as a DataFrame: turn, role, content, estimated tokens.

        `turn` counts questions from 1, an answer has that of its question; `sent` says whether it
        goes along with the next question.
        """
        from l0.notebook import _columns

        turns = self.messages
        asked = 0
        numbers = [asked := asked + (turn["role"] == "user") for turn in turns]
        left_out = len(turns) - len(self.fitting())
        values: dict[str, list[Any]] = {
            "turn": numbers,
            "role": [turn["role"] for turn in turns],
            "content": [turn["content"] for turn in turns],
            "tokens": [estimate_tokens(turn["content"]) for turn in turns],
            "sent": [at >= left_out for at in range(len(turns))],
        }
        return _columns.frame(_FRAME, values)

    # --- looking at it ---

    def __repr__(self) -> str:
        from l0.notebook._chat_static import headline

        return f"<Conversation {headline(self)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        from l0.notebook import _chat_static

        return {
            "text/html": _chat_static.html(self),
            "text/plain": _chat_static.text(self),
            MIME: _chat_static.data(self),
        }


def note(name: str, talk: Conversation, prompt: str) -> str:
    """What a view says of the conversation its run belongs to."""
    if not talk.messages:
        return f"{name} · a new conversation"
    sent, all_of_it = len(talk.fitting(prompt)), len(talk.messages)
    if sent == all_of_it:
        return f"{name} · {sent} earlier messages go along"
    budget = f"{talk.max_tokens:,} tokens"
    if sent:
        left = f"the oldest {all_of_it - sent} are left out"
        return f"{name} · {sent} of {all_of_it} earlier messages go along; {left} to fit {budget}"
    return f"{name} · none of {all_of_it} earlier messages goes along: no room in {budget}"


def _turn(given: Mapping[str, str]) -> Turn:
    role = given.get("role") if isinstance(given, Mapping) else None
    content = given.get("content") if isinstance(given, Mapping) else None
    if not isinstance(role, str) or not isinstance(content, str):
        raise ValueError(
            f'a turn is a dict such as {{"role": "user", "content": "Hello"}}; not {given!r}'
        )
    return {"role": role, "content": content}


def _named(name: str) -> Model:
    return model(name)
