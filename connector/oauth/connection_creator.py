"""Turns a grant into a connection: fetches the profile, matches the user, selects an advertiser.

A family with advertisers needs the list of advertisers: without the list no connection is created. In the
other families the account is only a display name, so the account is optional. The TikTok user id is
optional in every family. The creator waits briefly for optional data and then continues without the data.
A failed lookup is no evidence about the TikTok user, so a failed lookup never matches the grant to a known
user.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from connector import schedule
from connector.advertisers import (
    UserAccountsToken,
    is_anonymous,
    match_user,
    select_automatically,
)
from connector.clock import Clock
from connector.concurrency import scoped_task
from connector.encryption import TokenCipher, connection_associated_data
from connector.errors import NoAdvertisers, TikTokError
from connector.model import Account, Attempt, Grant
from connector.store import ClaimedCode, ConnectionUpsert, ExistingConnection, Store
from connector.tiktok import ApiFamily
from connector.tiktok_client import TikTokClient

from .grant_entries import ExchangeRequest
from .replies import SuccessReply, refusal_error, success_reply

log = logging.getLogger(__name__)

T = TypeVar("T")

PROFILE_WAIT_SECONDS = 4.0


@dataclass(frozen=True)
class Profile:
    """The accounts and the TikTok user id of the person who gave the grant."""

    accounts: tuple[Account, ...]
    tiktok_user_id: str | None


@dataclass(frozen=True)
class CreatedConnection:
    """`attempt` is the attempt that was stored with the connection."""

    reply: SuccessReply
    attempt: Attempt


class ConnectionCreator:
    def __init__(
        self,
        *,
        families: Mapping[str, ApiFamily],
        tiktok_client: TikTokClient,
        store: Store,
        cipher: TokenCipher,
        clock: Clock,
        user_accounts_token: UserAccountsToken,
        probe_every: timedelta,
        random: Random,
    ) -> None:
        self._families = families
        self._tiktok_client = tiktok_client
        self._store = store
        self._cipher = cipher
        self._clock = clock
        self._user_accounts_token = user_accounts_token
        self._probe_every = probe_every
        self._random = random

    async def create(
        self, request: ExchangeRequest, claim: ClaimedCode, grant: Grant
    ) -> CreatedConnection:
        family = self._families[request.oauth_state.family]
        profile = await self._fetch_profile(family, grant)
        selected = None
        if not family.has_advertisers:
            tiktok_user_id = _user_id_from_profile(profile, request.code_hash)
        elif profile.accounts:
            tiktok_user_id = await self._match_user(claim, profile)
            selected = _select_advertiser(claim, profile, tiktok_user_id)
        else:
            raise NoAdvertisers(
                "TikTok gave access, but to no ad account. Ask an admin of your TikTok Business Center "
                "for access to an ad account. Then connect again and select it."
            )
        upsert = self._upsert(
            request, claim, grant, profile, tiktok_user_id=tiktok_user_id, selected=selected
        )
        saved = await self._store.upsert_connection(upsert, now=self._clock.database_time())
        if saved.connection_id is None:
            raise refusal_error(saved.error_code or "superseded")
        reply = success_reply(
            saved.connection_id,
            family=family.name,
            accounts=profile.accounts,
            selected=None if saved.advertiser_lost else saved.selected_advertiser,
        )
        return CreatedConnection(reply, upsert.attempt)

    async def _fetch_profile(self, family: ApiFamily, grant: Grant) -> Profile:
        started = self._clock.ticks()
        fetch_accounts = self._tiktok_client.execute(
            family.accounts_call(grant.tokens, tiktok_user_id=grant.tiktok_user_id)
        )
        if not family.has_advertisers:
            async with scoped_task(fetch_accounts) as lookup:
                accounts = await self._result_in_time(lookup, started) or ()
                return Profile(accounts, grant.tiktok_user_id)
        user_id_call = family.user_id_call(grant.tokens)
        if grant.tiktok_user_id is not None or user_id_call is None:
            return Profile(await fetch_accounts, grant.tiktok_user_id)
        fetch_user_id = self._tiktok_client.execute(user_id_call)
        async with scoped_task(fetch_user_id) as user_id_lookup:
            accounts = await fetch_accounts
            return Profile(accounts, await self._result_in_time(user_id_lookup, started))

    async def _result_in_time(self, lookup: asyncio.Task[T], started: float) -> T | None:
        """Returns None if the lookup fails or is not done `PROFILE_WAIT_SECONDS` after `started`."""
        seconds_left = started + PROFILE_WAIT_SECONDS - self._clock.ticks()
        if not lookup.done() and seconds_left > 0:
            async with scoped_task(self._clock.sleep(seconds_left)) as deadline:
                await asyncio.wait({lookup, deadline}, return_when=asyncio.FIRST_COMPLETED)
        if not lookup.done():
            log.info("profile lookup skipped error=timeout")
            return None
        try:
            return lookup.result()
        except TikTokError as error:
            log.info("profile lookup skipped error=%s", error.code)
            return None

    async def _match_user(self, claim: ClaimedCode, profile: Profile) -> str:
        reported = profile.tiktok_user_id
        existing = {
            connection.tiktok_user_id: connection for connection in claim.existing_connections
        }
        if reported in existing:
            return reported
        # A connection may have thousands of advertisers: they are read only if they decide the match.
        advertisers_by_user = {
            tiktok_user_id: await self._advertiser_ids(connection)
            for tiktok_user_id, connection in existing.items()
            if reported is None or is_anonymous(tiktok_user_id)
        }
        granted = {account.id for account in profile.accounts}
        return match_user(advertisers_by_user, reported, granted)

    async def _advertiser_ids(self, existing: ExistingConnection) -> set[str]:
        connection = await self._store.get_connection(existing.id)
        return {account.id for account in connection.accounts} if connection else set()

    def _upsert(
        self,
        request: ExchangeRequest,
        claim: ClaimedCode,
        grant: Grant,
        profile: Profile,
        *,
        tiktok_user_id: str,
        selected: Account | None,
    ) -> ConnectionUpsert:
        user_id, family = request.oauth_state.user_id, request.oauth_state.family
        tokens, has_advertisers = grant.tokens, self._families[family].has_advertisers
        return ConnectionUpsert(
            code_hash=request.code_hash,
            state_hash=request.state_hash,
            claimed_at=claim.claimed_at,
            id=str(uuid.uuid4()),
            user_id=user_id,
            family=family,
            tiktok_user_id=tiktok_user_id,
            scopes=grant.scopes,
            accounts=profile.accounts,
            selected_advertiser=selected,
            encrypted_tokens=self._cipher.encrypt_tokens(
                tokens,
                associated_data=connection_associated_data(user_id, family, tiktok_user_id),
            ),
            expires_at=tokens.expires_at,
            refresh_expires_at=tokens.refresh_expires_at,
            due_at=schedule.next_due(
                tokens, self._clock.now(), probe_every=self._probe_every, random=self._random
            ),
            account_token=self._user_accounts_token.for_access_token(tokens.access, user_id)
            if has_advertisers
            else None,
            attempt=request.timer.finish(),
        )


def _user_id_from_profile(profile: Profile, code_hash: str) -> str:
    """For a family without advertisers. The account is the TikTok user; without an account the user is
    new."""
    account_id = profile.accounts[0].id if profile.accounts else f"code:{code_hash}"
    return profile.tiktok_user_id or account_id


def _select_advertiser(claim: ClaimedCode, profile: Profile, tiktok_user_id: str) -> Account | None:
    previous = [
        existing.selected_advertiser.id
        for existing in claim.existing_connections
        if existing.tiktok_user_id == tiktok_user_id and existing.selected_advertiser
    ]
    return select_automatically(profile.accounts, previous=(*previous, claim.legacy_advertiser_id))
