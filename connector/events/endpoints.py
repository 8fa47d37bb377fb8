"""The endpoints of customers: create, change, test and replay.

A secret is returned once, when it is created. The endpoint that the settings name has a fixed id, and only the
settings change its address and its secret.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from pydantic import SecretStr

from connector.clock import Clock
from connector.encryption import TokenCipher
from connector.errors import Busy, EndpointDisabled, EventsGone, InvalidRequest, NotFound
from connector.model import UUID_PATTERN, Ciphertext
from connector.store import (
    DeliveryRow,
    DeliveryState,
    EndpointRow,
    EndpointState,
    ReplayResult,
    Store,
)

from .catalogue import DEFAULT_PATTERNS, parse_patterns
from .configured_endpoint import CONFIGURED_ENDPOINT_ID
from .endpoint_secrets import EndpointSecret, decrypt_secrets, encrypt_secrets
from .feed import EVENT_RETENTION
from .sender import DeliverySender, Outbound, TestResult
from .signing import new_secret

log = logging.getLogger(__name__)

MAX_DESCRIPTION_LENGTH = 200
DEFAULT_GRACE_HOURS = 24
MAX_GRACE_HOURS = 168
MAX_REPLAYED_EVENTS = 10_000
DEFAULT_DELIVERIES = 50
MAX_DELIVERIES = 200
MAX_DELIVERY_ID = 2**53
PENDING_CACHE_SECONDS = 30.0
ROTATION_ATTEMPTS = 3


@dataclass(frozen=True)
class EndpointWithSecret:
    endpoint: EndpointRow
    secret: SecretStr


@dataclass(frozen=True)
class DeliveryPage:
    deliveries: tuple[DeliveryRow, ...]
    next: int | None
    """The value of `after` for the next page; None on the last page."""


class EndpointService:
    def __init__(
        self,
        *,
        store: Store,
        cipher: TokenCipher,
        outbound: Outbound,
        sender: DeliverySender,
        clock: Clock,
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._outbound = outbound
        self._sender = sender
        self._clock = clock
        self._pending = 0
        self._count_pending_at = clock.ticks()

    async def create(
        self,
        *,
        url: str,
        events: Sequence[str] = DEFAULT_PATTERNS,
        description: str = "",
    ) -> EndpointWithSecret:
        patterns = parse_patterns(events, field="events")
        _check_description(description)
        await self._outbound.check(url)
        endpoint_id, secret = str(uuid.uuid4()), new_secret()
        await self._store.save_endpoint(
            endpoint_id,
            url=url,
            events=patterns,
            description=description,
            encrypted_secrets=encrypt_secrets(
                [EndpointSecret(secret)], endpoint_id=endpoint_id, cipher=self._cipher
            ),
            now=self._clock.database_time(),
        )
        log.info("endpoint created endpoint_id=%s", endpoint_id)
        return EndpointWithSecret(await self.get(endpoint_id), secret)

    async def list(self) -> list[EndpointRow]:
        return await self._store.list_endpoints(now=self._clock.database_time())

    async def count_pending(self) -> int:
        """Returns the number of deliveries that are not finished, counted within the last 30 seconds."""
        now = self._clock.ticks()
        if now >= self._count_pending_at:
            self._pending = sum(endpoint.pending for endpoint in await self.list())
            self._count_pending_at = now + PENDING_CACHE_SECONDS
        return self._pending

    async def get(self, endpoint_id: str) -> EndpointRow:
        if not UUID_PATTERN.fullmatch(endpoint_id):
            _raise_not_found()
        endpoint = await self._store.get_endpoint(endpoint_id, now=self._clock.database_time())
        return endpoint or _raise_not_found()

    async def update(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        state: EndpointState | None = None,
    ) -> EndpointRow:
        """Changes what is given. An endpoint that is enabled again gets new events only, until a replay."""
        await self.get(endpoint_id)
        if (url, events, description, state) == (None, None, None, None):
            raise InvalidRequest("Name what to change: url, events, description or state.")
        if (url, events, description) != (None, None, None):
            _refuse_configured(endpoint_id)
        patterns = None if events is None else parse_patterns(events, field="events")
        if description is not None:
            _check_description(description)
        if url is not None:
            await self._outbound.check(url)
        if not await self._store.update_endpoint(
            endpoint_id,
            url=url,
            events=patterns,
            description=description,
            state=state,
            now=self._clock.database_time(),
        ):
            _raise_not_found()
        log.info("endpoint changed endpoint_id=%s", endpoint_id)
        return await self.get(endpoint_id)

    async def delete(self, endpoint_id: str) -> None:
        _refuse_configured((await self.get(endpoint_id)).id)
        if not await self._store.delete_endpoint(endpoint_id):
            _raise_not_found()
        log.info("endpoint deleted endpoint_id=%s", endpoint_id)

    async def rotate_secret(
        self, endpoint_id: str, *, grace_hours: int = DEFAULT_GRACE_HOURS
    ) -> EndpointWithSecret:
        """Until the end of the grace time every request has two signatures. An older secret ends at once."""
        if not 0 <= grace_hours <= MAX_GRACE_HOURS:
            raise InvalidRequest(f"grace_hours must be a whole number from 0 to {MAX_GRACE_HOURS}.")
        _refuse_configured(endpoint_id)
        grace = timedelta(hours=grace_hours)
        for _ in range(ROTATION_ATTEMPTS):
            endpoint, secret = await self.get(endpoint_id), new_secret()
            new = self._secrets_after_rotation(endpoint, secret, grace)
            if await self._store.replace_endpoint_secrets(
                endpoint_id,
                old=endpoint.encrypted_secrets,
                new=new,
                now=self._clock.database_time(),
            ):
                log.info("endpoint secret rotated endpoint_id=%s", endpoint_id)
                # Not read again: if that failed, nobody would get the secret.
                rotated = {"encrypted_secrets": new, "updated_at": self._clock.now()}
                return EndpointWithSecret(endpoint.model_copy(update=rotated), secret)
        raise Busy("Somebody else is changing the secret of this endpoint.", retry_after=1)

    def _secrets_after_rotation(
        self, endpoint: EndpointRow, secret: SecretStr, grace: timedelta
    ) -> Ciphertext:
        secrets = [EndpointSecret(secret)]
        if grace:
            current, *_ = decrypt_secrets(
                endpoint.encrypted_secrets, endpoint_id=endpoint.id, cipher=self._cipher
            )
            secrets.append(EndpointSecret(current.secret, until=self._clock.now() + grace))
        return encrypt_secrets(secrets, endpoint_id=endpoint.id, cipher=self._cipher)

    async def send_test(self, endpoint_id: str) -> TestResult:
        """Sends `endpoint.test` once, also to a disabled endpoint. Nothing is stored."""
        return await self._sender.send_test(await self.get(endpoint_id))

    async def replay(
        self,
        endpoint_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        events: Sequence[str] | None = None,
        again: bool = False,
    ) -> ReplayResult:
        """Queues events again, oldest first. Without `again` only those that were not delivered."""
        endpoint = await self.get(endpoint_id)
        patterns = None if events is None else parse_patterns(events, field="events")
        if until is not None and until <= since:
            raise InvalidRequest("until must be later than since.")
        if endpoint.state == "disabled":
            raise EndpointDisabled("This endpoint is disabled. Enable it, then replay.")
        if since < self._clock.now() - EVENT_RETENTION:
            bounds = await self._store.get_event_bounds()
            raise EventsGone(
                f"Events are kept for {EVENT_RETENTION.days} days. Choose a later since.",
                oldest=bounds.oldest,
            )
        return await self._store.replay_deliveries(
            endpoint_id,
            since=since,
            until=until,
            patterns=patterns,
            again=again,
            max_rows=MAX_REPLAYED_EVENTS,
            now=self._clock.database_time(),
        )

    async def list_deliveries(
        self,
        endpoint_id: str | None = None,
        *,
        state: DeliveryState | None = None,
        after: int | None = None,
        limit: int = DEFAULT_DELIVERIES,
    ) -> DeliveryPage:
        """Lists the newest first. `after` is the id of the last delivery of the page before."""
        if endpoint_id is not None:
            await self.get(endpoint_id)
        if not 1 <= limit <= MAX_DELIVERIES:
            raise InvalidRequest(f"limit must be a number from 1 to {MAX_DELIVERIES}.")
        if after is not None and not 0 <= after <= MAX_DELIVERY_ID:
            raise InvalidRequest("after must be the id of a delivery.")
        rows = await self._store.list_deliveries(
            endpoint_id=endpoint_id,
            state=state,
            before_id=after,
            max_rows=limit + 1,
        )
        page = tuple(rows[:limit])
        return DeliveryPage(page, page[-1].id if len(rows) > limit else None)


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_LENGTH:
        raise InvalidRequest(f"description must have at most {MAX_DESCRIPTION_LENGTH} characters.")


def _refuse_configured(endpoint_id: str) -> None:
    if endpoint_id == CONFIGURED_ENDPOINT_ID:
        raise InvalidRequest(
            "CONNECTOR_WEBHOOK_URL and CONNECTOR_WEBHOOK_SECRET set this endpoint. Change or remove them and "
            "restart the service."
        )


def _raise_not_found() -> NoReturn:
    raise NotFound("There is no such endpoint.")
