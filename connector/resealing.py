"""Everything that is sealed in the store, brought under the newest key.

Safe beside a running service: a row is exchanged only if it still holds what was opened here, so a
token refreshed meanwhile stays as it is. Hence it goes round until one whole round has found nothing
old. What cannot be opened is left alone and told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from .model import Sealed
from .seal import Seal, Unopenable, is_sealed
from .store import SealedRow, Store

PLACES = ("connections", "user_accounts", "codes")
MOST_ROUNDS = 10

Fresh = tuple[str, str, str]


@dataclass
class Resealed:
    """`restless`: somebody went on sealing under an old key for as long as we watched."""

    rows: int = 0
    stuck: dict[str, str] = field(default_factory=dict)
    restless: bool = False


class Resealing:
    def __init__(self, *, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    async def count(self) -> int:
        return sum([len(rows) async for _, rows in self._old()])

    async def run(self, *, tell: Callable[[int], None]) -> Resealed:
        """`tell` is called with how many rows were done, now and then."""
        done = Resealed()
        for _ in range(MOST_ROUNDS):
            done.stuck.clear()
            before = done.rows
            async for place, rows in self._old():
                fresh = self._fresh(place, rows, done.stuck)
                if fresh:
                    await self._store.save_resealed(place, fresh)
                    done.rows += len(fresh)
                tell(len(rows))
            if done.rows == before:
                return done
        done.restless = True
        return done

    async def sample(self) -> dict[str, str]:
        """What cannot be opened among the first rows of each place: row by row, and why."""
        stuck: dict[str, str] = {}
        for place in PLACES:
            rows = await self._store.sealed(place, after=None)
            self._fresh(place, [row for row in rows if is_sealed(row.sealed)], stuck)
        return stuck

    async def _old(self) -> AsyncIterator[tuple[str, list[SealedRow]]]:
        for place in PLACES:
            after = None
            while rows := await self._store.sealed(place, after=after):
                after = rows[-1].key
                yield place, [row for row in rows if self._is_old(row.sealed)]

    def _is_old(self, text: str) -> bool:
        """A token the operator wanted in plain text is not ours to seal."""
        return is_sealed(text) and not self._seal.is_newest(text)

    def _fresh(self, place: str, rows: list[SealedRow], stuck: dict[str, str]) -> list[Fresh]:
        fresh: list[Fresh] = []
        for row in rows:
            try:
                text = self._seal.open_text(Sealed(row.sealed), bound_to=row.bond)
                sealed = self._seal.seal_text(text, bound_to=row.bond)
                fresh.append((row.key, row.sealed, sealed))
            except Unopenable as error:
                stuck[f"{place}/{row.key}"] = error.detail
        return fresh
