"""Builds the parts of this package and connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Self

from pydantic import SecretStr

from connector.clock import Clock
from connector.encryption import TokenCipher
from connector.metrics import Metrics
from connector.outbound import Network, OutboundClient
from connector.store import Store

from .configured_endpoint import ConfiguredEndpoint
from .dispatcher import Dispatcher
from .endpoint_secrets import SigningKeys
from .endpoints import EndpointService
from .feed import EventFeed
from .last_seq import LastSeq
from .numbering import EventNumbering
from .retry_schedule import PAUSES, RetrySchedule
from .sender import DeliverySender


@dataclass(frozen=True)
class Events:
    endpoints: EndpointService
    feed: EventFeed
    dispatcher: Dispatcher
    outbound: OutboundClient

    @classmethod
    def build(
        cls,
        *,
        store: Store,
        cipher: TokenCipher,
        metrics: Metrics,
        clock: Clock,
        random: Random,
        has_foreground_requests: Callable[[], bool] = lambda: False,
        private_networks: Sequence[Network] = (),
        allow_loopback: bool = False,
        url: str | None = None,
        secret: SecretStr | None = None,
        pauses: tuple[float, ...] = PAUSES,
    ) -> Self:
        """`url` and `secret` are those of the endpoint in the settings."""
        outbound = OutboundClient(private_networks=private_networks, allow_loopback=allow_loopback)
        last_seq = LastSeq()
        sender = DeliverySender(
            outbound=outbound,
            signing_keys=SigningKeys(cipher),
            schedule=RetrySchedule(random=random, pauses=pauses),
            clock=clock,
        )
        configured = ConfiguredEndpoint(
            url=url, secret=secret, store=store, cipher=cipher, clock=clock
        )
        numbering = EventNumbering(
            store=store,
            last_seq=last_seq,
            metrics=metrics,
            clock=clock,
            prepare=configured.ensure,
        )
        return cls(
            endpoints=EndpointService(
                store=store, cipher=cipher, outbound=outbound, sender=sender, clock=clock
            ),
            feed=EventFeed(store=store, last_seq=last_seq, clock=clock),
            dispatcher=Dispatcher(
                store=store,
                numbering=numbering,
                sender=sender,
                metrics=metrics,
                clock=clock,
                has_foreground_requests=has_foreground_requests,
            ),
            outbound=outbound,
        )

    async def close(self) -> None:
        await self.outbound.close()
