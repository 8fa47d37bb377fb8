"""The activity of the last day is cached for each scope."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector.app import Service
from connector.connections import ACTIVITY_CACHE_TTL, Scope
from tests.credentials import ANNA
from tests.manual_clock import ManualClock
from tests.running_service import settings_for
from tests.store.builders import connect, new_user_id

EVERYONE = Scope.everyone()


async def attempt_count(service: Service, scope: Scope) -> int:
    activity = await service.statistics.activity(scope)
    return sum(count.count for count in activity.counts)


async def test_the_activity_of_each_user_is_counted_again_after_ten_seconds(tmp_path: Path) -> None:
    clock, ben = ManualClock(), new_user_id()
    async with Service.build(settings_for(tmp_path, "http://127.0.0.1:9"), clock=clock) as service:
        scopes = (Scope.user(ANNA), EVERYONE, Scope.user(ben))
        await connect(service.store, ANNA)
        assert [await attempt_count(service, scope) for scope in scopes[:2]] == [1, 1]
        await connect(service.store, ANNA)
        await connect(service.store, ben)
        assert [await attempt_count(service, scope) for scope in scopes] == [1, 1, 1]
        clock.advance(ACTIVITY_CACHE_TTL.total_seconds())
        assert [await attempt_count(service, scope) for scope in scopes] == [2, 3, 1]


async def test_concurrent_requests_share_one_count(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Service.build(settings_for(tmp_path, "http://127.0.0.1:9"), clock=clock) as service:
        await connect(service.store, ANNA)
        first, second = await asyncio.gather(
            *(service.statistics.activity(EVERYONE) for _ in range(2))
        )
        assert first is second
