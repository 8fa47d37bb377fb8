"""Turns rows into the JSON of the API and of commands with `--json`, without tokens and secrets."""

from __future__ import annotations

from connector.events import CONFIGURED_ENDPOINT_ID
from connector.model import Account, Connection
from connector.store import DeliveryRow, EndpointRow, EventRow

from .endpoint_schemas import DeliveryResponse, EndpointResponse
from .event_schemas import EventResponse
from .families import FAMILIES_BY_NAME
from .schemas import ConnectionDetail, ConnectionSummary, NamedItem


def connection_summary(connection: Connection) -> ConnectionSummary:
    family = FAMILIES_BY_NAME.get(connection.family)  # None after a downgrade, for a newer family.
    profile = next((a for a in connection.accounts if a.kind != "advertiser"), None)
    return ConnectionSummary(
        id=connection.id,
        user_id=connection.user_id,
        family=connection.family,
        family_title=family.display_name if family else connection.family,
        has_advertisers=family is not None and family.has_advertisers,
        status=connection.status,
        is_active=connection.is_active,
        is_ended=not connection.is_active,
        advertiser=named_item(connection.selected_advertiser),
        advertiser_lost=connection.advertiser_lost,
        account=named_item(profile),
        tiktok_user_id=connection.tiktok_user_id,
        scopes=list(connection.scopes),
        expires_at=connection.expires_at,
        refresh_expires_at=connection.refresh_expires_at,
        verified_at=connection.verified_at,
        next_check_at=connection.due_at,
        failure=connection.last_failure,
        connected_at=connection.connected_at,
        created_at=connection.created_at,
        updated_at=connection.updated_at,
    )


def connection_detail(connection: Connection) -> ConnectionDetail:
    advertisers = [
        NamedItem(id=account.id, name=account.name)
        for account in connection.accounts
        if account.kind == "advertiser"
    ]
    return ConnectionDetail(**dict(connection_summary(connection)), advertisers=advertisers)


def named_item(account: Account | None) -> NamedItem | None:
    return None if account is None else NamedItem(id=account.id, name=account.name)


def endpoint_response(endpoint: EndpointRow) -> EndpointResponse:
    return EndpointResponse(
        **endpoint.model_dump(exclude={"encrypted_secrets"}),
        from_settings=endpoint.id == CONFIGURED_ENDPOINT_ID,
    )


def delivery_response(delivery: DeliveryRow) -> DeliveryResponse:
    return DeliveryResponse(**dict(delivery))


def event_response(event: EventRow) -> EventResponse:
    return EventResponse(
        id=event.id, seq=event.seq, type=event.type, timestamp=event.created_at, data=event.data
    )
