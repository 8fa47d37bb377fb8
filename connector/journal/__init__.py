"""The black box: where TikTok's answers are kept, sealed, until the store has them.

- Room before risk: whoever is about to spend a refresh token or a code first enters `room()`. That
  writes to the disk and syncs, so a full or failing one is met while there is nothing to lose.
- An entry is on the disk when `write` returns. Writes and proofs that wait at the same time share
  one sync, made in a thread of the journal's own. What was handed in is written even if whoever
  handed it in is cancelled.
- An entry may come back although it was cleared, never the other way round: clearing waits for the
  next write, or a moment, and whoever replays asks the store, whose version fences it.
- Every process has a file of its own: the first of `path`, `path.1`, `path.2`… that no living
  process holds. What it finds in files whose process died it takes over into its own, and only
  then removes them. An entry of a living process is never touched.
- In its file stands what a process goes by in the store, so whoever takes the file over learns who
  died holding something there. That is no answer: nobody is refused because it cannot be written,
  and our own keeps no file alive.
- If appending fails, all that is live goes into a fresh file at once; only when that fails too is
  anybody told no. A disk that is full at the start therefore does not keep the entries left from
  being replayed: it only stops new ones.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from connector.errors import JournalUnwritable

from . import lines
from .lines import Entry
from .shelf import Shelf

__all__ = ["Entry", "Journal"]

log = logging.getLogger(__name__)

T = TypeVar("T")

ROOM = 8 * 1024
"""What one answer is promised. Tokens seal to one or two KiB; a larger one uses what is spare."""

RETRY_AFTER = 30.0

CLEARED_WITHIN = 0.05


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.holder = uuid.uuid4().hex
        """What this process goes by in the store."""
        self.trouble: str | None = None
        """The sentence for the operator while the disk refuses us."""
        self._shelf = Shelf(path, self._records)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._is_open = False
        self._left: list[tuple[int, Entry]] = []
        self._dead: list[tuple[int, str]] = []
        self._live: dict[int, bytes] = {}
        self._holders: dict[int, bytes] = {}
        self._signature = b""
        self._last = 0
        self._rooms = 0
        self._asking: list[asyncio.Future[None]] = []
        self._noting: list[int] = []
        self._writing: list[int] = []
        self._written: list[asyncio.Future[None]] = []
        self._clearing: list[int] = []
        self._pump: asyncio.Task[None] | None = None
        self._clearing_soon: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """How many answers the store does not have yet."""
        return len(self._live)

    async def open(self) -> None:
        try:
            await self._in_thread(self._take_over)
        except OSError as error:
            await self._in_thread(lambda: self._shelf.leave(empty=False))
            raise self._refusal(error) from error
        self._is_open = True

    def left(self) -> list[tuple[int, Entry]]:
        """What was found at `open`, oldest first, file by file. Each stays until it is cleared."""
        return list(self._left)

    def dead(self) -> list[tuple[int, str]]:
        """The holders whose files were found at `open`. Each comes back until it is cleared."""
        return list(self._dead)

    @asynccontextmanager
    async def room(self, note: Entry | None = None) -> AsyncIterator[None]:
        """Room for one answer, proven and held; the `write` belongs inside.

        A note stands in the journal for as long as one is inside; it is on the disk with the proof.
        """
        self._start()
        self._rooms += 1
        ticket = self._hand_in(note, self._noting) if note else None
        try:
            proven = asyncio.get_running_loop().create_future()
            self._asking.append(proven)
            await asyncio.shield(proven)
            yield
        finally:
            self._rooms -= 1
            if ticket is not None:
                await self.clear(ticket)

    async def write(self, entry: Entry) -> int:
        self._start()
        ticket = self._hand_in(entry, self._writing)
        written = asyncio.get_running_loop().create_future()
        self._written.append(written)
        await asyncio.shield(written)  # on its way to the disk, whoever stops waiting for it
        return ticket

    def _hand_in(self, entry: Entry, waiting: list[int]) -> int:
        ticket = self._next_ticket()
        self._live[ticket] = lines.kept(ticket, entry)
        waiting.append(ticket)
        return ticket

    async def clear(self, ticket: int) -> None:
        """The store has it. The disk is told with what is written next, or soon."""
        if self._is_open and (self._live.pop(ticket, b"") or self._holders.pop(ticket, b"")):
            self._clearing.append(ticket)
            if self._clearing_soon is None:
                loop = asyncio.get_running_loop()
                self._clearing_soon = loop.call_later(CLEARED_WITHIN, self._clear_now)

    def _clear_now(self) -> None:
        self._clearing_soon = None
        self._start()

    async def close(self) -> None:
        """After the last writer. No file stays behind unless something in it is still live."""
        while self._clearing or self._pump:
            await self._start()
        self._is_open = False
        empty = not self._live and not self._holders
        await self._in_thread(lambda: self._shelf.leave(empty=empty))
        self._thread.shutdown()

    def _take_over(self) -> None:
        left = self._shelf.take()
        self._last = left.last
        self._left = [(self._next_ticket(), entry) for entry in left.entries]
        self._dead = [(self._next_ticket(), holder) for holder in left.holders]
        self._live = {ticket: lines.kept(ticket, entry) for ticket, entry in self._left}
        self._holders = {ticket: lines.signed(ticket, holder) for ticket, holder in self._dead}
        self._signature = lines.signed(self._next_ticket(), self.holder)
        if failure := self._shelf.settle_in():
            self._refusal(failure)

    def _records(self) -> bytes:
        return b"".join([self._signature, *self._holders.values(), *self._live.values()])

    def _next_ticket(self) -> int:
        self._last += 1
        return self._last

    def _start(self) -> asyncio.Task[None]:
        if not self._is_open:
            raise JournalUnwritable(f"The journal {self.path} is not open.")
        if self._pump is None:
            self._pump = asyncio.create_task(self._work_off())
        return self._pump

    async def _work_off(self) -> None:
        try:
            await self._work_off_once()
            while self._asking or self._writing or self._clears_wait_no_longer:
                await self._work_off_once()
        finally:
            self._pump = None

    @property
    def _clears_wait_no_longer(self) -> bool:
        """Their moment passed while the disk was busy with what came before."""
        return bool(self._clearing) and self._clearing_soon is None

    async def _work_off_once(self) -> None:
        asking, self._asking = self._asking, []
        noting, self._noting = self._noting, []
        writing, self._writing = self._writing, []
        written, self._written = self._written, []
        clearing, self._clearing = self._clearing, []
        if self._clearing_soon is not None:
            self._clearing_soon.cancel()
            self._clearing_soon = None
        entries, notes = self._waiting(writing), self._waiting(noting)
        cleared = b"".join(map(lines.cleared, clearing))
        owed, asked = self._rooms * ROOM, bool(asking)
        lost, refused = await self._in_thread(
            lambda: self._shelf.commit(
                entries, notes=notes, cleared=cleared, owed=owed, asked=asked
            )
        )
        if lost:
            for ticket in writing + noting:
                self._live.pop(ticket, None)
        self._answer(written, lost)
        self._answer(asking, refused)
        if self._shelf.is_overgrown:
            await self._in_thread(self._shelf.compact)

    def _waiting(self, tickets: list[int]) -> bytes:
        """Without those whose owner left before they were on their way."""
        return b"".join(self._live.get(ticket, b"") for ticket in tickets)

    def _answer(self, waiting: list[asyncio.Future[None]], failure: OSError | None) -> None:
        if waiting and not failure and self.trouble:
            log.info("journal writable again path=%s", self.path)
            self.trouble = None
        for future in waiting:
            if failure:
                future.set_exception(self._refusal(failure))
            else:
                future.set_result(None)

    def _refusal(self, error: OSError) -> JournalUnwritable:
        where = f" ({error.filename})" if error.filename else ""
        sentence = f"The journal {self.path} cannot be written: {error.strerror}{where}."
        if self.trouble != sentence:
            log.error("journal unwritable path=%s reason=%s", self.path, error.strerror)
            self.trouble = sentence
        return JournalUnwritable(
            f"{sentence} No refresh token is spent until it can be.", retry_after=RETRY_AFTER
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
