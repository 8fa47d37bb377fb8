"""Prepares a running service for generated requests: connections, codes, states and every kind of credential."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
from aiohttp import ClientSession

from connector.model import UserId, format_utc
from connector.web.static_files import load_static_files
from tests.credentials import API_KEYS, JWT_SECRET, jwt_claims
from tests.end_to_end.service_process import TIMEOUT_SECONDS, ServiceProcess
from tests.running_service import (
    AS_SERVER,
    BUSINESS_APP,
    LOGIN_KIT_APP,
    Json,
    Simulator,
    connect_account,
    state_for,
)

from .composer import World
from .message import Header
from .odd_values import WORD
from .rules import Rules

FAMILIES = ("marketing", "accounts", "login_kit")
SCOPED_KEYS = {
    scope: f"{scope}-key-of-one-scope-01234" for scope in ("read", "write", "tokens", "metrics")
}
API_KEY_SETTING = ",".join(
    (*API_KEYS, *(f"only-{scope}:{scope}:{key}" for scope, key in SCOPED_KEYS.items()))
)
TICKET_KINDS = ("ticket", "other user", "selection")
"""The service issues an equal ticket again if it is asked for within the same second."""

DISPOSABLE_CONNECTIONS = 6
DISPOSABLE_ENDPOINTS = 6
ENDING_SESSIONS = 20
UNUSED_CODES = 12
STATES = 30

Credentials = dict[str, tuple[tuple[Header, ...], ...]]


def bearer(token: str) -> Header:
    return b"Authorization", f"Bearer {token}".encode()


def signed_in_user(user_id: UserId, **claims: str) -> str:
    """Returns the token of a user of a Supabase project whose secret is JWT_SECRET."""
    now = int(time.time())
    all_claims = jwt_claims(iat=now, exp=now + 3600, sub=user_id, **claims)
    return jwt.encode(all_claims, JWT_SECRET, algorithm="HS256")


@dataclass
class WorldBuilder:
    service: ServiceProcess
    http: ClientSession
    simulator: Simulator
    main_user: UserId
    user_token: str
    receiver_url: str
    """Receives the events."""

    secrets: tuple[str, ...] = ()
    """Further secrets of the settings."""

    async def build(self) -> World:
        other_user = new_user()
        replies = [await self._connect(family, advertisers=3) for family in FAMILIES]
        disposable = [await self._connect() for _ in range(DISPOSABLE_CONNECTIONS)]
        other = await self._connect(user_id=other_user)
        ids = tuple(reply["connection_id"] for reply in (*replies, *replies, other, disposable[0]))
        advertisers = tuple(advertiser["id"] for advertiser in replies[0]["advertisers"])
        users = tuple(new_user() for _ in range(STATES))
        credentials = await self._credentials(other_user, replies[0]["ticket"])
        values = {
            "connection_id": ids,
            "user_id": (self.main_user,) * 8 + (other_user,),
            "advertiser_id": advertisers,
            "family": FAMILIES,
            "redirect_uri": (f"{self.service.url}/oauth/callback",),
            "return_to": ("/status", f"{self.service.url}/connect?a=b"),
            "state": tuple([await self._state(user) for user in users]),
            "code": (WORD,),
            "auth_code": (WORD,),
            "after": (await self._cursor("/connections"), await self._cursor("/audit")),
            "file": tuple(load_static_files()),
            "actor": ("person", "only-read"),
            "url": (self.receiver_url,),
            "events": (["connection.*"], ["connection.connected", "tiktok.*"]),
            "types": ("connection.*", "connection.connected,endpoint.disabled"),
            "since": (format_utc(datetime.now(UTC) - timedelta(hours=1)),),
            "until": (format_utc(datetime.now(UTC) + timedelta(hours=1)),),
            "wait": (0, 1),
        }
        return World(
            authority=urlsplit(self.service.url).netloc,
            now=int(time.time()),
            values=values,
            credentials=credentials,
            codes=tuple([await self._unused_code(number) for number in range(UNUSED_CODES)]),
            ids={
                "connections": ids,
                "endpoints": tuple([await self._endpoint() for _ in range(3)]),
            },
            disposable_ids={
                "connections": tuple(reply["connection_id"] for reply in disposable),
                "endpoints": tuple([await self._endpoint() for _ in range(DISPOSABLE_ENDPOINTS)]),
            },
        )

    def rules(self, world: World) -> Rules:
        tokens = self.simulator.state.tokens
        credentials = {
            kind: {
                value.rpartition(b" ")[2].rpartition(b"=")[2] for sent in kinds for _, value in sent
            }
            for kind, kinds in world.credentials.items()
        }
        tickets = set[bytes]().union(*(credentials.pop(kind) for kind in TICKET_KINDS))
        settings = (BUSINESS_APP.secret, LOGIN_KIT_APP.secret, JWT_SECRET, *self.secrets)
        states = (state for _, state in world.codes)
        return Rules(
            page_addresses=(b"/connect", b"/status", b"/oauth/callback", b"/docs", b"/static/"),
            secrets=(*set[bytes]().union(*credentials.values()), *map(str.encode, settings)),
            logged_secrets=(*tickets, *map(str.encode, states)),
            is_issued=lambda word: any(
                word.decode() in issued
                for issued in (tokens._codes, tokens._access_tokens, tokens._refresh_tokens)
            ),
        )

    async def _connect(
        self, family: str = "marketing", *, user_id: UserId | None = None, advertisers: int = 1
    ) -> Json:
        """Each connection is of another person, because a disconnect ends all grants of the person."""
        return await connect_account(
            self.http,
            self.service.url,
            self.simulator,
            user_id=user_id or self.main_user,
            family=family,
            person=uuid4().hex,
            advertisers=advertisers,
        )

    async def _endpoint(self) -> str:
        url, body = f"{self.service.url}/endpoints", {"url": self.receiver_url}
        async with self.http.post(url, json=body, headers=AS_SERVER) as response:
            assert response.status == 201, await response.text()
            return str((await response.json())["id"])

    async def _state(self, user_id: UserId, family: str = "marketing") -> str:
        return await state_for(self.http, self.service.url, user_id=user_id, family=family)

    async def _unused_code(self, number: int) -> tuple[str, str]:
        family = FAMILIES[number % len(FAMILIES)]
        code = await self.simulator.consent(family, person=uuid4().hex)
        return code, await self._state(new_user(), family)

    async def _credentials(self, other_user: UserId, selection_ticket: str) -> Credentials:
        ticket = await self._ticket(self.main_user)
        sessions = [await self._session(self.user_token) for _ in range(ENDING_SESSIONS)]
        return {
            "none": ((),),
            "server": ((bearer(API_KEYS[0]),), ((b"X-API-Key", API_KEYS[1].encode()),)),
            **{f"scope {scope}": ((bearer(key),),) for scope, key in SCOPED_KEYS.items()},
            "ticket": ((bearer(ticket),),),
            "user token": ((bearer(self.user_token),),),
            "other user": ((bearer(await self._ticket(other_user)),),),
            "selection": ((bearer(selection_ticket),),),
            "user session": ((await self._session(ticket),),),
            "server session": ((await self._session(API_KEYS[0]),),),
            "ending session": tuple((session,) for session in sessions),
        }

    async def _ticket(self, user_id: UserId) -> str:
        request = {"user_id": user_id}
        url = f"{self.service.url}/tickets"
        async with self.http.post(url, json=request, headers=AS_SERVER) as response:
            return str((await response.json())["ticket"])

    async def _session(self, token: str) -> Header:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.service.url}/session"
        async with self.http.post(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            cookie = response.cookies["connector_session"]
            return b"Cookie", f"connector_session={cookie.value}".encode()

    async def _cursor(self, path: str) -> str:
        """The audit is written within a second."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                url = f"{self.service.url}{path}?limit=1"
                async with self.http.get(url, headers=AS_SERVER) as response:
                    cursor = (await response.json())["next"]
                if cursor is not None:
                    assert base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
                    return str(cursor)


def new_user() -> UserId:
    return UserId(str(uuid4()))
