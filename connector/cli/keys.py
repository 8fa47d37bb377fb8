"""Encryption keys: a fresh one, and everything sealed again under the newest."""

from __future__ import annotations

import asyncio
import secrets
from argparse import Namespace

from connector.app import House
from connector.clock import Clock
from connector.resealing import Resealed, Resealing
from connector.seal import Key

from .once import built
from .terminal import bar, complain, say

MOST_SHOWN = 20


def new(options: Namespace) -> int:
    """The day in the id tells an operator which of two keys is the older."""
    say(Key.new(f"k{Clock().now():%Y%m%d}-{secrets.token_hex(3)}").text())
    return 0


def rotate(options: Namespace) -> int:
    done = asyncio.run(_rotate(built()))
    say(f"{done.rows} sealed under the newest key, {len(done.stuck)} could not be opened.")
    for place, why in list(done.stuck.items())[:MOST_SHOWN]:
        complain(f"{place}: {why}")
    if len(done.stuck) > MOST_SHOWN:
        complain(f"... and {len(done.stuck) - MOST_SHOWN} more.")
    if done.restless:
        complain(
            "A running service goes on sealing under an old key: restart it with the newest key "
            "first in CONNECTOR_ENCRYPTION_KEYS, then run this again."
        )
    if done.stuck or done.restless:
        return 1
    complain(
        "Once every service runs with the newest key first, and an hour later, for the links and "
        "consents that are under way, the old keys can be taken out."
    )
    return 0


async def _rotate(house: House) -> Resealed:
    """The whole house, because what a dead process left in the journal is sealed too."""
    resealing = Resealing(store=house.store, seal=house.seal)
    with bar("Sealing") as drawn:
        async with house:
            drawn.expect(await resealing.count())
            return await resealing.run(tell=drawn.advance)
