"""Every event that can happen to grants, connections and selections happens in any order.

Two users connect two TikTok users in two families. Codes are claimed and saved in any order; a grant is left
pending, restored from a journal after a crash, or saved twice; connections are refreshed, end, lose
advertisers, are disconnected and reconnected; advertisers are selected with current and outdated tokens;
outcomes arrive late and twice. After each step:

- the newest consent that was saved wins, and no older consent replaces it;
- nothing that was disconnected comes back without a later consent;
- `user_accounts` shows only the advertiser and the token of one live connection that grants them.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from connector.model import Account, Ciphertext, UserId
from connector.store import ClaimedCode, Database, Store
from tests.manual_clock import NOON

from .builders import OWNER, apply, claim_code, connection_upsert, failure, outcome
from .conftest import open_store
from .grant_samples import (
    ADVERTISERS,
    Consent,
    Expected,
    families,
    granted_advertisers,
    indexes,
    tiktok_users,
    users,
)

T = TypeVar("T")


class GrantMachine(RuleBasedStateMachine):
    database: Callable[[Path], Database]
    reset: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._exit = AsyncExitStack()
        self._directory = tempfile.TemporaryDirectory()
        type(self).reset()
        database = type(self).database(Path(self._directory.name) / "connector.db")
        self.store: Store = self.run(self._exit.enter_async_context(open_store(database)))
        self.now = NOON
        self.consents: list[Consent] = []
        self.expected: dict[tuple[str, str, str], Expected] = {}
        self.disconnects: dict[tuple[str, str], datetime] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def teardown(self) -> None:
        self.run(self._exit.aclose())
        self._runner.close()
        self._directory.cleanup()

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def choose(self, index: int) -> Consent:
        """Returns one of the newest consents."""
        return self.consents[-1 - index % len(self.consents)]

    def connections(self) -> list[Any]:
        async def load() -> list[Any]:
            listed = [connection async for connection in self.store.list_connections()]
            return [await self.store.get_connection(connection.id) for connection in listed]

        return self.run(load())

    def user_accounts(self) -> dict[str, str]:
        """Returns the token in the row of each user."""
        rows = self.run(self.store.list_ciphertexts("user_accounts", after_key=None))
        return {row.row_key: row.ciphertext for row in rows}

    # Events

    @rule(
        user_id=users,
        family=families,
        tiktok_user_id=tiktok_users,
        advertisers=granted_advertisers,
        save_now=st.booleans(),
    )
    def claim(
        self,
        user_id: UserId,
        family: str,
        tiktok_user_id: str,
        advertisers: list[Account],
        save_now: bool,
    ) -> None:
        code_hash, now = f"code {len(self.consents)}", self.tick()
        claim = self.run(claim_code(self.store, code_hash, user_id, family=family, now=now))
        assert isinstance(claim, ClaimedCode)
        granted = tuple(advertisers) if family == "marketing" else ()
        self.consents.append(
            Consent(code_hash, user_id, family, tiktok_user_id, granted, claim.claimed_at)
        )
        if save_now:
            self.save_consent(self.choose(0))

    @precondition(lambda self: self.consents)
    @rule(index=indexes)
    def save(self, index: int) -> None:
        self.save_consent(self.choose(index))

    def save_consent(self, consent: Consent) -> None:
        only = consent.advertisers[0] if len(consent.advertisers) == 1 else None
        upsert = connection_upsert(
            consent.user_id,
            consent.code_hash,
            claimed_at=consent.claimed_at,
            family=consent.family,
            tiktok_user_id=consent.tiktok_user_id,
            accounts=consent.advertisers or [Account(id="profile", kind="profile")],
            selected_advertiser=only,
            encrypted_tokens=consent.code_hash,
            account_token=consent.code_hash,
        )
        before = self.user_accounts()
        saved = self.run(self.store.upsert_connection(upsert, now=self.tick()))
        self._check_other_selections(consent, before)
        key = (consent.user_id, consent.family, consent.tiktok_user_id)
        current = self.expected.get(key)
        disconnected_at = self.disconnects.get((consent.user_id, consent.family))
        is_older = current is not None and consent.claimed_at < current.consent.claimed_at
        if is_older or (disconnected_at is not None and disconnected_at >= consent.claimed_at):
            assert saved.error_code == "superseded"
        else:
            assert saved.error_code is None
            self.expected[key] = Expected(consent)

    def _check_other_selections(self, saved: Consent, before: dict[str, str]) -> None:
        """A selection in another connection is never replaced without a question."""
        shown = {
            expected.consent.code_hash
            for key, expected in self.expected.items()
            if key != (saved.user_id, saved.family, saved.tiktok_user_id)
        }
        after = self.user_accounts()
        for user_id, token in before.items():
            if token in shown:
                assert after.get(user_id) == token

    @precondition(lambda self: self.consents)
    @rule(index=indexes)
    def leave_pending(self, index: int) -> None:
        self.run(
            self.store.record_code_result(
                self.choose(index).code_hash,
                claimed_by=OWNER,
                encrypted_grant=Ciphertext("grant"),
                reply=None,
                attempt=None,
                now=self.tick(),
            )
        )

    @precondition(lambda self: self.consents)
    @rule(index=indexes)
    def restore_after_a_crash(self, index: int) -> None:
        consent = self.choose(index)
        self.run(
            self.store.restore_pending_grant(
                consent.code_hash,
                state_hash=f"state of {consent.code_hash}",
                user_id=consent.user_id,
                family=consent.family,
                claimed_by=OWNER,
                claimed_at=consent.claimed_at,
                encrypted_grant=Ciphertext("grant"),
                now=self.tick(),
                lease=timedelta(0),
            )
        )

    @precondition(lambda self: self.expected)
    @rule(index=indexes, advertiser=st.sampled_from(ADVERTISERS), outdated=st.booleans())
    def select_advertiser(self, index: int, advertiser: Account, outdated: bool) -> None:
        connection = self._connection(index)
        selected = self.run(
            self.store.select_advertiser(
                connection.id,
                advertiser_id=advertiser.id,
                token_version=connection.token_version - outdated,
                account_token=self._expected(connection).consent.code_hash,
                now=self.tick(),
            )
        )
        may_select = connection.is_active and advertiser in connection.accounts and not outdated
        assert (selected == advertiser) is may_select

    @precondition(lambda self: self.expected)
    @rule(
        index=indexes,
        result=st.sampled_from(["tokens", "failure", "end", "accounts"]),
        advertisers=granted_advertisers,
        late=st.booleans(),
    )
    def refresh(self, index: int, result: str, advertisers: list[Account], late: bool) -> None:
        connection = self._connection(index)
        version = connection.token_version
        self.run(
            self.store.acquire_refresh_lease(
                connection.id,
                token_version=version,
                owner=OWNER,
                now=self.tick(),
                lease=timedelta(seconds=60),
            )
        )
        if late:
            self.now += timedelta(seconds=100)
        fields: dict[str, Any] = {
            "tokens": {"encrypted_tokens": connection.id},
            "failure": {"status": "refresh_failing", "last_failure": failure()},
            "end": {"status": "reconnect_required", "last_failure": failure()},
            "accounts": {
                "accounts": tuple(advertisers) if connection.family == "marketing" else None
            },
        }[result]
        late_outcome = outcome(connection.id, token_version=version, due_at=NOON, **fields)
        applied = self.run(apply(self.store, late_outcome, now=self.tick()))
        self.run(apply(self.store, late_outcome, now=self.tick()))
        if applied and result in ("tokens", "end"):
            # New tokens are accepted from a late owner, because they may be the only valid pair.
            self._expected(connection).ended = result == "end"

    @precondition(lambda self: self.expected)
    @rule(index=indexes)
    def disconnect(self, index: int) -> None:
        connection, now = self._connection(index), self.tick()
        if connection.status != "revoked":
            self.disconnects[connection.user_id, connection.family] = now
        self.run(self.store.mark_disconnected(connection.id, now=now))
        self._expected(connection).disconnected = True

    def _connection(self, index: int) -> Any:
        return (connections := self.connections())[index % len(connections)]

    def _expected(self, connection: Any) -> Expected:
        return self.expected[connection.user_id, connection.family, connection.tiktok_user_id]

    # Rules that must hold after each event

    @invariant()
    def the_newest_saved_consent_wins(self) -> None:
        connections = self.connections()
        assert len(connections) == len(self.expected)
        for connection in connections:
            expected = self._expected(connection)
            stored = self.run(self.store.get_stored_tokens(connection.id))
            assert stored is not None
            assert stored.encrypted_tokens in (expected.consent.code_hash, connection.id)

    @invariant()
    def nothing_that_ended_comes_back_without_a_consent(self) -> None:
        for connection in self.connections():
            expected = self._expected(connection)
            if expected.disconnected:
                assert connection.status == "revoked"
            elif expected.ended:
                assert connection.status == "reconnect_required"
            else:
                assert connection.is_active

    @invariant()
    def user_accounts_shows_only_what_a_live_connection_grants(self) -> None:
        connections = self.connections()
        for user_id, token in self.user_accounts().items():
            granting = [
                connection
                for connection in connections
                if connection.user_id == user_id
                and connection.is_active
                and connection.selected_advertiser in connection.accounts
                and self._expected(connection).consent.code_hash == token
            ]
            assert len(granting) == 1
