"""One question, one answer. Each opens of the house only what its answer needs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from connector.app import House
from connector.errors import InvalidRequest
from connector.model import Attempt, Connection, Principal, UserId, as_user_id
from connector.settings import Settings
from connector.tickets import TICKET_LIFE
from connector.web.connections import whole

from . import logs
from .terminal import complain, say, span, table

WHO = "command line"
OVER = ("reconnect_required", "revoked")


def built() -> House:
    """From the environment, with nothing opened yet; and the log set up."""
    settings = Settings.read(os.environ)
    logs.configure_quietly(settings.log_level, format=settings.log_format)
    return House.build(settings)


@asynccontextmanager
async def remembering(house: House) -> AsyncIterator[House]:
    """With its memory open, and neither the journal nor the wire."""
    await house.database.open()
    try:
        yield house
    finally:
        await house.database.close()


# Connecting somebody.


def auth_url(options: Namespace) -> int:
    house = built()
    user_id = as_user_id(options.user, field="--user")
    family = house.families.get(options.family or next(iter(house.families)))
    if family is None:
        raise InvalidRequest(f"--family must be one that is set up: {', '.join(house.families)}.")
    allowed = house.settings.redirect_uris
    redirect_uri = options.redirect_uri or allowed[0]
    if redirect_uri not in allowed:
        raise InvalidRequest(
            f"--redirect-uri must be one of TIKTOK_REDIRECT_URI, exactly: {', '.join(allowed)}."
        )
    state = house.intents.issue(user_id, family=family.name, redirect_uri=redirect_uri)
    say(family.authorize_url(redirect_uri=redirect_uri, state=state))
    return 0


def exchange(options: Namespace) -> int:
    return asyncio.run(_exchange(built(), options.code, options.state))


async def _exchange(house: House, code: str, state: str) -> int:
    async with house:
        intent = house.intents.read(state, Principal("server", WHO))
        answer = await house.exchange.exchange(code, state=state, intent=intent, who=WHO)
    say(json.dumps(answer, indent=2, ensure_ascii=not sys.stdout.isatty()))
    if answer["selection_required"]:
        complain(
            "Several ad accounts were granted. The person picks one here: "
            + link(house, intent.user_id)
        )
    return 0


def ticket(options: Namespace) -> int:
    house = built()
    say(link(house, as_user_id(options.user, field="--user")))
    return 0


def link(
    house: House, user_id: UserId, *, page: str = "/connect", life: timedelta = TICKET_LIFE
) -> str:
    """The ticket stands in the fragment, which no server and no log gets to see."""
    ticket = house.identity.mint(user_id, life=life)
    return f"{house.settings.public_url}{page}#ticket={ticket.text}"


# Looking.


def connections(options: Namespace) -> int:
    user_id = as_user_id(options.user, field="--user") if options.user else None
    house = built()
    found = asyncio.run(_connections(house, user_id))
    if options.json:
        shown = [whole(one).model_dump(mode="json", exclude={"advertisers"}) for one in found]
        say(json.dumps(shown, indent=2))
        return 0
    if not found:
        complain("Nobody is connected yet.")
        return 0
    now = house.clock.now()
    table(
        ("id", "user", "family", "advertiser", "status", "expires in"),
        [
            (one.id, one.user_id, one.family, _chosen(one), _status(one), _left(one, now))
            for one in found
        ],
    )
    return 0


async def _connections(house: House, user_id: UserId | None) -> list[Connection]:
    async with remembering(house):
        return [one async for one in house.connections.listed(of=user_id)]


def _chosen(connection: Connection) -> str:
    if connection.chosen is None:
        return "-"
    name = connection.chosen.name or connection.chosen.id
    return f"{name} (no longer granted)" if connection.advertiser_lost else name


def _status(connection: Connection) -> str:
    return (
        f"{connection.status} ({connection.failure.code})"
        if connection.failure
        else connection.status
    )


def _left(connection: Connection, now: datetime) -> str:
    if connection.status in OVER:
        return "-"
    if connection.expires_at is None:
        return "never"
    return span(connection.expires_at - now) if connection.expires_at > now else "expired"


def attempts(options: Namespace) -> int:
    found = asyncio.run(_attempts(built(), options.id))
    if options.json:
        say(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
        return 0
    table(
        ("at", "what", "who", "verdict", "code", "took", "request id", "message"),
        [
            (
                f"{one.at:%Y-%m-%d %H:%M:%S}Z",
                one.what,
                one.who,
                one.verdict,
                one.code or "-",
                f"{one.took_ms} ms",
                one.request_id or "-",
                one.message,
            )
            for one in found
        ],
    )
    return 0


async def _attempts(house: House, id: str) -> list[Attempt]:
    async with remembering(house):
        return await house.connections.attempts(id, of=None)


# Using, and ending.


def token(options: Namespace) -> int:
    say(asyncio.run(_token(built(), options.id)))
    return 0


async def _token(house: House, id: str) -> str:
    async with house:
        working = await house.connections.token(id, who=WHO)
    return working.tokens.access.get_secret_value()


def disconnect(options: Namespace) -> int:
    connection = asyncio.run(_disconnect(built(), options.id))
    say(f"Disconnected {connection.id}.")
    if connection.due_at is not None:
        complain(
            "TikTok could not be told yet. A running service goes on trying, and so does "
            "`connector refresh --due`."
        )
    return 0


async def _disconnect(house: House, id: str) -> Connection:
    async with house:
        return await house.connections.disconnect(id, of=None, who=WHO)
