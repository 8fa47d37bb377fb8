"""A real process is killed repeatedly at random moments while refresh tokens rotate strictly.

A response that TikTok sent but that never reached the journal is lost in transit, which cannot be
prevented. After each kill the test searches the store and the journals for the tokens that TikTok issued
last. Tokens that are found there must never be lost, and their predecessor must never be sent.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from random import Random

from connector.encryption import stored_tokens_associated_data
from connector.model import Ciphertext, StoredTokens
from tests.journal.helpers import recoverable
from tests.running_service import settings_for

from . import killed_process
from .harness import Replica, TokenHarness

PEOPLE = 40
KILLS = 50
MAX_LIFETIME_SECONDS = 0.15
SECONDS_BETWEEN_PROCESSES = 5


async def test_a_process_killed_at_50_random_moments_loses_only_responses_that_it_never_received(
    harness: TokenHarness,
) -> None:
    observer = await harness.start_replica(
        {"CONNECTOR_JOURNAL": str(harness.path / "observer.journal")}
    )
    connection_ids = await harness.connect_people(observer, PEOPLE)
    random, lost_in_transit = Random(KILLS), 0
    for _ in range(KILLS):
        await start_and_kill(harness, connection_ids, random.uniform(0, MAX_LIFETIME_SECONDS))
        lost = await TokenSearch(harness, observer).find_lost(connection_ids)
        lost_in_transit += len(lost)
        assert len(lost) <= killed_process.CONCURRENT_REFRESHES
        for connection_id in lost:
            number = connection_ids.index(connection_id)
            assert await harness.connect_person(observer, number) == connection_id
        harness.clock.advance(SECONDS_BETWEEN_PROCESSES)

    last = await harness.start_replica()
    await last.run_background()
    connections = [await last.connection(connection_id) for connection_id in connection_ids]
    assert [connection.status for connection in connections] == ["active"] * PEOPLE
    for connection_id in connection_ids:
        assert harness.is_accepted((await last.read(connection_id)).tokens)
    stats = await harness.simulator.stats()
    assert stats["dead_refresh_token_presented"] == 0
    assert stats["refreshes"] - lost_in_transit > KILLS


async def start_and_kill(
    harness: TokenHarness, connection_ids: Sequence[str], seconds: float
) -> None:
    """A new process recovers the journal of the previous process, and is killed at any point."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([killed_process.__name__])
    parent_end, child_end = processes.Pipe()
    settings = settings_for(harness.path, harness.simulator.url)
    process = processes.Process(
        target=killed_process.run,
        args=(settings, harness.clock.now(), connection_ids, child_end),
        daemon=True,
    )
    await asyncio.to_thread(process.start)
    child_end.close()
    await asyncio.to_thread(parent_end.recv)
    await asyncio.sleep(seconds)
    process.kill()
    await asyncio.to_thread(process.join)
    parent_end.close()


class TokenSearch:
    """Searches for the tokens that TikTok issued last."""

    def __init__(self, harness: TokenHarness, observer: Replica) -> None:
        self._harness = harness
        self._observer = observer
        self._token_registry = harness.simulator_state.tokens

    async def find_lost(self, connection_ids: Sequence[str]) -> set[str]:
        """Returns the connections whose newest tokens are neither in the store nor in a journal."""
        await self._wait_until_tiktok_is_idle()
        rows = {id: await self._observer.stored(id) for id in connection_ids}
        stored = {id: self._refresh_token(row, row.encrypted_tokens) for id, row in rows.items()}
        found = {self._refresh_token(rows[id], encrypted) for id, encrypted in self._journaled()}
        found |= set(stored.values())
        return {id for id, token in stored.items() if self._newest(token) not in found}

    async def _wait_until_tiktok_is_idle(self) -> None:
        """TikTok still completes the calls of the killed process."""
        idle_checks = 0
        while idle_checks < 5:
            await asyncio.sleep(0.002)
            stats = self._harness.simulator_state.call_log.stats()
            idle_checks = 0 if stats["in_flight"] else idle_checks + 1

    def _journaled(self) -> Iterator[tuple[str, Ciphertext]]:
        for entry in recoverable(self._harness.path / "connector.journal"):
            yield entry.fields["connection_id"], Ciphertext(entry.fields["encrypted_tokens"])

    def _newest(self, token: str) -> str:
        while (successor := self._token_registry._refresh_tokens[token].successor) is not None:
            token = str(successor.refresh_token)
        return token

    def _refresh_token(self, stored: StoredTokens, encrypted_tokens: Ciphertext | None) -> str:
        assert encrypted_tokens is not None
        tokens = self._observer.service.cipher.decrypt_tokens(
            encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )
        assert tokens.refresh is not None
        return tokens.refresh.get_secret_value()
