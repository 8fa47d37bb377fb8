"""The picture of the last day is not drawn anew for every look at it."""

from __future__ import annotations

from pathlib import Path

from connector.app import House
from connector.connections import PULSE_AGE
from connector.model import UserId

from .clocks import TurnedClock
from .houses import settings_for
from .people import ANNA
from .store.people import connect, person


async def test_a_pulse_is_counted_anew_once_in_ten_seconds_for_each_user(tmp_path: Path) -> None:
    clock, ben = TurnedClock(), person()
    async with House.build(settings_for(tmp_path, "http://127.0.0.1:9"), clock=clock) as house:

        async def times(of: UserId | None) -> int:
            return sum(beat.times for beat in await house.connections.pulse(of=of))

        await connect(house.store, ANNA)
        assert (await times(ANNA), await times(None)) == (1, 1)
        await connect(house.store, ANNA)
        await connect(house.store, ben)
        assert (await times(ANNA), await times(None), await times(ben)) == (1, 1, 1)
        clock.turn(PULSE_AGE.total_seconds())
        assert (await times(ANNA), await times(None), await times(ben)) == (2, 3, 1)
