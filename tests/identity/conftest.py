"""Two issuers on real sockets, and an authenticator that trusts both of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.identity import Authenticator
from tests.manual_clock import ManualClock

from .oidc_issuer import OidcIssuer, running_issuer, trusting


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running_issuer() as issuer:
        yield issuer


@pytest.fixture
async def second_issuer() -> AsyncIterator[OidcIssuer]:
    async with running_issuer("/realms/shop") as issuer:
        yield issuer


@pytest.fixture
async def authenticator(
    issuer: OidcIssuer, second_issuer: OidcIssuer, clock: ManualClock
) -> AsyncIterator[Authenticator]:
    async with trusting(issuer, second_issuer, clock=clock) as authenticator:
        yield authenticator
