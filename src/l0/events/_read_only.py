"""The half of a store that writes, refused: for what is opened to be read only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn

from l0.errors import StoreError
from l0.events._record import Record


class ReadOnly(ABC):
    """A store that changes nothing; a subclass says what it is, and where to write instead."""

    async def append(self, records: Sequence[Record]) -> NoReturn:  # noqa: ARG002
        """Refused.

        Raises:
            StoreError: always.
        """
        self._refuse()

    async def delete(self, stream_id: str) -> NoReturn:  # noqa: ARG002
        """Refused.

        Raises:
            StoreError: always.
        """
        self._refuse()

    async def compact(
        self,
        max_streams: int | None = None,  # noqa: ARG002
        max_age: float | None = None,  # noqa: ARG002
        max_bytes: int | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refused.

        Raises:
            StoreError: always.
        """
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StoreError(self._instead())

    @abstractmethod
    def _instead(self) -> str:
        """Why nothing is written here, and what to do."""
