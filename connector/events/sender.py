"""Sends one event to one endpoint, signed, and turns the response into the result of the attempt.

The body is rendered from the stored event at each attempt: the content and `webhook-id` are equal, the bytes need not
be. Success is a status 2xx. A redirect is a failure.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic_core import to_json

from connector.clock import Clock
from connector.model import Ciphertext, format_utc
from connector.outbound import OutboundError, OutboundResponse
from connector.store import DeliveryResult, EndpointRow, LeasedDelivery

from .catalogue import TEST_TYPE
from .endpoint_secrets import SigningKeys
from .retry_schedule import RetrySchedule, parse_retry_after
from .signing import signed_headers

log = logging.getLogger(__name__)

GONE = 410


class Outbound(Protocol):
    """The part of `OutboundClient` that events need."""

    async def check(self, url: str) -> None: ...

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> OutboundResponse: ...


@dataclass(frozen=True)
class _RequestResult:
    """The result of one request. `error` is None only after a success."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    timed_out: bool = False
    retry_after: str | None = None


@dataclass(frozen=True)
class TestResult:
    delivered: bool
    status: int | None
    error: str | None
    duration_ms: int


class DeliverySender:
    def __init__(
        self,
        *,
        outbound: Outbound,
        signing_keys: SigningKeys,
        schedule: RetrySchedule,
        clock: Clock,
    ) -> None:
        self._outbound = outbound
        self._signing_keys = signing_keys
        self._schedule = schedule
        self._clock = clock

    async def send(self, delivery: LeasedDelivery) -> DeliveryResult:
        """Raises `DecryptionFailed` before anything is sent."""
        result = await self._post(
            url=delivery.url,
            endpoint_id=delivery.endpoint_id,
            encrypted_secrets=delivery.encrypted_secrets,
            message_id=delivery.event_id,
            body=render_body(
                type=delivery.type,
                created_at=delivery.created_at,
                seq=delivery.seq,
                data_json=delivery.data_json.encode(),
            ),
        )
        if result.error is None:
            return DeliveryResult(
                id=delivery.id,
                state="delivered",
                status=result.status,
                duration_ms=result.duration_ms,
            )
        pause = self._schedule.next_pause(
            delivery.attempts + 1,
            status=result.status,
            timed_out=result.timed_out,
            retry_after=parse_retry_after(result.retry_after, now=self._clock.now()),
        )
        return DeliveryResult(
            id=delivery.id,
            state="exhausted" if pause is None else "pending",
            delay_seconds=pause,
            status=result.status,
            error=result.error,
            duration_ms=result.duration_ms,
            endpoint_gone=result.status == GONE,
        )

    async def send_test(self, endpoint: EndpointRow) -> TestResult:
        result = await self._post(
            url=endpoint.url,
            endpoint_id=endpoint.id,
            encrypted_secrets=endpoint.encrypted_secrets,
            message_id=str(uuid.uuid4()),
            body=render_body(
                type=TEST_TYPE,
                created_at=self._clock.now(),
                seq=None,
                data_json=to_json({"endpoint": {"id": endpoint.id, "url": endpoint.url}}),
            ),
        )
        return TestResult(result.error is None, result.status, result.error, result.duration_ms)

    async def _post(
        self,
        *,
        url: str,
        endpoint_id: str,
        encrypted_secrets: Ciphertext,
        message_id: str,
        body: bytes,
    ) -> _RequestResult:
        now = self._clock.now()
        headers = signed_headers(
            self._signing_keys.find(endpoint_id, encrypted_secrets, now=now),
            message_id=message_id,
            timestamp=int(now.timestamp()),
            body=body,
        )
        headers["Content-Type"] = "application/json"
        started = self._clock.ticks()
        try:
            response = await self._outbound.post(url, body, headers)
        except OutboundError as error:
            return _RequestResult(
                self._milliseconds_since(started), error=error.sentence, timed_out=error.timed_out
            )
        except Exception:
            log.exception("unexpected error in a delivery endpoint_id=%s", endpoint_id)
            return _RequestResult(
                self._milliseconds_since(started), error="The request was not sent."
            )
        is_success = 200 <= response.status < 300
        return _RequestResult(
            self._milliseconds_since(started),
            status=response.status,
            error=None if is_success else f"The endpoint responded with {response.status}.",
            retry_after=response.retry_after,
        )

    def _milliseconds_since(self, started: float) -> int:
        return round((self._clock.ticks() - started) * 1000)


def render_body(*, type: str, created_at: datetime, seq: int | None, data_json: bytes) -> bytes:
    timestamp = format_utc(created_at).replace("+00:00", "Z")
    head = to_json({"type": type, "timestamp": timestamp, "seq": seq})
    return head[:-1] + b',"data":' + data_json + b"}"
