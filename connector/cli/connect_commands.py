"""Commands that connect a person: `auth-url`, `exchange` and `ticket`."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from datetime import timedelta

from connector.app import Service
from connector.errors import InvalidRequest
from connector.identity import TICKET_LIFETIME
from connector.model import Principal, UserId, parse_display_name, parse_user_id

from .bootstrap import ACTOR, build_service, open_store_only
from .terminal import print_error, print_result


def auth_url(options: Namespace) -> int:
    service = build_service()
    user_id = parse_user_id(options.user, field="--user")
    family = service.families.get(options.family or next(iter(service.families)))
    if family is None:
        raise InvalidRequest(f"--family must be one that is set up: {', '.join(service.families)}.")
    allowed = service.settings.redirect_uris
    redirect_uri = options.redirect_uri or allowed[0]
    if redirect_uri not in allowed:
        raise InvalidRequest(
            f"--redirect-uri must be exactly one of TIKTOK_REDIRECT_URI: {', '.join(allowed)}."
        )
    state = service.oauth_states.issue(user_id, family=family.name, redirect_uri=redirect_uri)
    print_result(family.authorize_url(redirect_uri=redirect_uri, state=state))
    return 0


def exchange(options: Namespace) -> int:
    return asyncio.run(_exchange(build_service(), options.code, options.state))


async def _exchange(service: Service, code: str, state: str) -> int:
    async with service:
        oauth_state = service.oauth_states.verify(state, Principal("server", ACTOR))
        reply = await service.code_exchange.exchange(
            code, state=state, oauth_state=oauth_state, actor=ACTOR
        )
        print_result(
            json.dumps(
                reply.model_dump(mode="json"), indent=2, ensure_ascii=not sys.stdout.isatty()
            )
        )
        if reply.selection_required:
            print_error(
                "TikTok granted several ad accounts. The person selects one here: "
                + create_link(service, oauth_state.user_id)
            )
    return 0


def ticket(options: Namespace) -> int:
    service = build_service()
    user_id = parse_user_id(options.user, field="--user")
    name = options.display_name
    if name is not None:
        name = parse_display_name(name, field="--display-name")
    asyncio.run(_ticket(service, user_id, display_name=name))
    return 0


async def _ticket(service: Service, user_id: UserId, *, display_name: str | None) -> None:
    async with open_store_only(service):
        print_result(create_link(service, user_id, display_name=display_name))


def create_link(
    service: Service,
    user_id: UserId,
    *,
    page: str = "/connect",
    lifetime: timedelta = TICKET_LIFETIME,
    display_name: str | None = None,
) -> str:
    """Issues a ticket, which the audit records, and returns a link with it.

    The ticket is in the fragment, because browsers never send the fragment to a server.
    """
    tickets = service.authenticator.tickets
    ticket = tickets.issue(user_id, lifetime=lifetime, display_name=display_name)
    service.audit.record("create_ticket", actor=ACTOR, user_id=user_id)
    return f"{service.settings.public_url}{page}#ticket={ticket.text}"
