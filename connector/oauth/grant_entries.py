"""The data classes of one exchange and of its pending grant, and their journal entries.

A journal entry contains all data that another process needs to continue. The grant in the entry is
encrypted.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector import schedule
from connector.attempts import AttemptTimer
from connector.clock import Clock
from connector.encryption import (
    TokenCipher,
    dump_tokens,
    load_tokens,
    pending_grant_associated_data,
)
from connector.journal import Entry
from connector.model import Ciphertext, Grant, OAuthState, UserId, format_utc

CLAIM_KIND = "code"
GRANT_KIND = "grant"

MAX_PENDING_AGE = timedelta(hours=24)


@dataclass(frozen=True)
class ExchangeRequest:
    """One attempt to exchange one code."""

    code_hash: str
    """A hash of the code and its state. The hash reveals neither."""

    state_hash: str
    """The same for each code of one state. A state is used up by its first connection."""

    oauth_state: OAuthState
    claim_owner: str
    timer: AttemptTimer

    @classmethod
    def start(
        cls,
        code_hash: str,
        oauth_state: OAuthState,
        *,
        state_hash: str,
        actor: str,
        clock: Clock,
    ) -> ExchangeRequest:
        timer = AttemptTimer.start("exchange", actor=actor, clock=clock)
        return cls(code_hash, state_hash, oauth_state, uuid.uuid4().hex, timer)

    def start_again(self) -> ExchangeRequest:
        timer = self.timer.start("exchange", actor=self.timer.actor, clock=self.timer.clock)
        return replace(self, claim_owner=uuid.uuid4().hex, timer=timer)


@dataclass(frozen=True)
class PendingGrant:
    """A grant that is not a connection yet."""

    request: ExchangeRequest
    encrypted_grant: Ciphertext
    claimed_at: datetime
    """The time of the first claim of the code, by the clock of the database."""

    grant: Grant | None = field(default=None, repr=False)
    """The decrypted grant; None if another process received the grant."""

    entry_ids: tuple[int, ...] = ()
    """The journal entries that contain this grant; empty if the journal could not be written."""

    is_in_own_journal: bool = True
    """False if the grant is in the journal of another process, which retries it."""

    failures: int = 0
    retry_at: datetime | None = None

    @property
    def code_hash(self) -> str:
        return self.request.code_hash

    def is_due(self, now: datetime) -> bool:
        return self.retry_at is None or self.retry_at <= now

    def has_expired(self, now: datetime) -> bool:
        return now - self.request.oauth_state.issued_at > MAX_PENDING_AGE

    def after_failure(self, now: datetime) -> PendingGrant:
        delay = schedule.MIN_RETRY_DELAY * 2 ** min(self.failures, 10)
        retry_at = now + min(delay, schedule.MAX_RETRY_DELAY)
        return replace(self, failures=self.failures + 1, retry_at=retry_at)


@dataclass(frozen=True)
class UnreleasedClaim:
    """A claim that the store has or may have, and whose code no process will redeem."""

    code_hash: str
    owner: str
    entry_id: int | None = None
    """The journal entry of a dead process that had the claim."""


def claim_entry(request: ExchangeRequest) -> Entry:
    """Written before a code is redeemed, so that the claim can be released after a crash."""
    return Entry(CLAIM_KIND, {"code_hash": request.code_hash, "claimed_by": request.claim_owner})


def parse_claim_entry(entry_id: int, entry: Entry) -> UnreleasedClaim:
    return UnreleasedClaim(entry.fields["code_hash"], entry.fields["claimed_by"], entry_id)


def grant_entry(pending: PendingGrant) -> Entry:
    request, oauth_state = pending.request, pending.request.oauth_state
    return Entry(
        GRANT_KIND,
        {
            "code_hash": request.code_hash,
            "state_hash": request.state_hash,
            "claimed_at": format_utc(pending.claimed_at),
            "encrypted_grant": pending.encrypted_grant,
            "user_id": oauth_state.user_id,
            "family": oauth_state.family,
            "redirect_uri": oauth_state.redirect_uri,
            "issued_at": oauth_state.issued_at.isoformat(),
            "actor": request.timer.actor,
        },
    )


def parse_grant_entry(entry_id: int, entry: Entry, *, clock: Clock) -> PendingGrant:
    fields = entry.fields
    oauth_state = OAuthState(
        user_id=UserId(fields["user_id"]),
        issued_at=datetime.fromisoformat(fields["issued_at"]),
        family=fields["family"],
        redirect_uri=fields["redirect_uri"],
    )
    request = ExchangeRequest.start(
        fields["code_hash"],
        oauth_state,
        state_hash=fields["state_hash"],
        actor=fields["actor"],
        clock=clock,
    )
    return PendingGrant(
        request,
        Ciphertext(fields["encrypted_grant"]),
        datetime.fromisoformat(fields["claimed_at"]),
        entry_ids=(entry_id,),
    )


def encrypt_grant(cipher: TokenCipher, grant: Grant, *, code_hash: str) -> Ciphertext:
    text = json.dumps(
        {
            "tokens": dump_tokens(grant.tokens),
            "tiktok_user_id": grant.tiktok_user_id,
            "scopes": grant.scopes,
        }
    )
    return cipher.encrypt(text, associated_data=pending_grant_associated_data(code_hash))


def decrypt_grant(cipher: TokenCipher, pending: PendingGrant) -> Grant:
    text = cipher.decrypt(
        pending.encrypted_grant,
        associated_data=pending_grant_associated_data(pending.code_hash),
    )
    fields = json.loads(text)
    return Grant(
        tokens=load_tokens(fields["tokens"]),
        tiktok_user_id=fields["tiktok_user_id"],
        scopes=tuple(fields["scopes"]),
    )
