"""`connector refresh`: the keeper's work, called by cron.

Safe beside a running service and beside itself, because it is the keeper that claims: what somebody
else holds is not due. A run ends. It stops when TikTok does not answer at all, and when something it
already did comes round again; both are for the next run.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta

from connector.app import House
from connector.errors import Broken, ConnectorError, StoreUnreachable, TikTokUnreachable
from connector.model import Connection, Kept, stamp

from .once import WHO, built
from .terminal import Bar, bar, complain, printable, say, span

MINUTE = timedelta(minutes=1)
AT_ONCE = 64
IN_VAIN = 5
"""So many calls in a row that TikTok does not answer are an outage."""

ALIVE = ("active", "refresh_failing")
SAFELY = 0.7
"""From this share of its life on a token is due."""


def refresh(options: Namespace) -> int:
    if options.every is not None and options.id is not None:
        complain("--every says how often cron runs this: it goes with --due or --all.")
        return 2
    return asyncio.run(_refresh(built(), options))


async def _refresh(house: House, options: Namespace) -> int:
    every = timedelta(minutes=options.every) if options.every is not None else timedelta(0)
    with bar("Refreshing") as drawn:
        run = Run(house, drawn)
        async with house:
            if options.id is not None:
                connection = await house.connections.get(options.id, of=None)
                await run.each([connection.id])
            elif options.all:
                await run.each([one.id async for one in _alive(house)])
            else:
                await run.due(ahead=every)
            shortest = await _shortest_life(house) if every else None
    run.tell()
    if shortest is not None and shortest < every:
        complain(_too_seldom(every, shortest))
    return 1 if run.failures else 0


class Run:
    """What became of each connection in this run."""

    def __init__(self, house: House, drawn: Bar) -> None:
        self._house = house
        self._bar = drawn
        self._ended: dict[str, str | None] = {}
        self._expected = 0
        self._unanswered = 0
        self._comes_round = False

    async def due(self, *, ahead: timedelta) -> None:
        """First what is due, claimed as the keeper claims; then what will be by the next run."""
        now = self._house.clock.now()
        soon = []
        if ahead or self._bar.is_watched:
            soon = [
                one async for one in _alive(self._house) if one.due_at and one.due_at <= now + ahead
            ]
            self._bar.expect(len(soon))
        while await self._house.keeper.tend(who=WHO, tell=self._landed):
            await self._house.keeper.settled()
            if self._is_in_vain or self._comes_round:
                break
        await self._house.keeper.settled()
        # One that just failed waits for its own next try, and does not come early to it.
        await self.each(
            one.id for one in soon if one.due_at and one.due_at > now and not one.failure
        )

    async def each(self, ids: Iterable[str]) -> None:
        waiting = [id for id in ids if id not in self._ended]
        self._expected = len(self._ended) + len(waiting)
        self._bar.expect(self._expected)
        queue = iter(waiting)
        await asyncio.gather(*(self._work_off(queue) for _ in range(AT_ONCE)))

    async def _work_off(self, queue: Iterator[str]) -> None:
        for id in queue:
            if self._is_in_vain:
                return
            await self._one(id)

    async def _one(self, id: str) -> None:
        try:
            kept = await self._house.store.read_token(id)
            if kept is None:
                return
            self._house.keeper.check(kept)
            after = await self._house.keeper.refresh(kept, who=WHO)
        except ConnectorError as error:
            self._failed(id, error)
        else:
            self._went_well(kept, after)

    def _landed(self, kept: Kept, flight: asyncio.Task[Kept]) -> None:
        self._comes_round |= kept.id in self._ended
        error = flight.exception()
        if error is None:
            self._went_well(kept, flight.result())
        else:
            self._failed(kept.id, error)

    def _went_well(self, before: Kept, after: Kept) -> None:
        self._unanswered = 0
        self._ended[after.id] = None
        self._bar.advance()
        if self._bar.is_watched:
            return
        what = "refreshed" if after.version > before.version else "checked"
        if after.status == "revoked":
            what = "revoked"
        until = stamp(after.expires_at) if after.expires_at else "never"
        say(f"{what} connection={after.id} family={after.family} expires_at={until}")

    def _failed(self, id: str, error: BaseException) -> None:
        away = isinstance(error, TikTokUnreachable | StoreUnreachable)
        self._unanswered = self._unanswered + 1 if away else 0
        code, why = Broken.code, "This is a fault of ours: the log has more."
        if isinstance(error, ConnectorError):
            code, why = error.code, error.detail
        self._ended[id] = line = f"failed connection={id} code={code}: {printable(why)}"
        self._bar.advance()
        if not self._bar.is_watched:
            say(line)

    @property
    def _is_in_vain(self) -> bool:
        return self._unanswered >= IN_VAIN

    @property
    def failures(self) -> list[str]:
        return [line for line in self._ended.values() if line is not None]

    def tell(self) -> None:
        failures, ended = self.failures, len(self._ended)
        if self._bar.is_watched:
            for line in failures:
                say(line)
        say(
            f"{ended - len(failures)} well, {len(failures)} failed." if ended else "Nothing is due."
        )
        if self._is_in_vain:
            left = self._expected - ended
            complain(
                "TikTok or the store does not answer: the rest is left to the next run"
                + (f" ({left})." if left > 0 else ".")
            )


async def _alive(house: House) -> AsyncIterator[Connection]:
    async for one in house.connections.listed(of=None):
        if one.status in ALIVE:
            yield one


async def _shortest_life(house: House) -> timedelta | None:
    """As TikTok last gave it, in whole minutes: the exchange itself took a part of one."""
    lives = [
        one.expires_at - one.verified_at
        async for one in _alive(house)
        if one.expires_at and one.verified_at
    ]
    return max(1, round(min(lives) / MINUTE)) * MINUTE if lives else None


def _too_seldom(every: timedelta, shortest: timedelta) -> str:
    minutes = max(1, int(shortest * SAFELY / MINUTE))
    return (
        f"every {span(every)} is too seldom: the shortest-lived token here lasts {span(shortest)}, "
        f"so some run out between two runs. Run it every {minutes} min, or run `connector serve`."
    )
