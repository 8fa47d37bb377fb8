"""`connector check`: everything that is not right, at once, each with its remedy.

A problem keeps something from working and makes the exit code 1; a warning is for a person to judge.
Settings that cannot be read do not hide what else is wrong: the rest is looked at with harmless
values in their place. Nothing is asked of TikTok but the time.
"""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from connector.app import House
from connector.errors import ConnectorError
from connector.resealing import Resealing
from connector.seal import Key
from connector.settings import Problem, Settings, SettingsWrong

from . import logs
from .advice import problems, warnings
from .once import remembering
from .terminal import printable, say

PATIENCE = 5.0
MOST_SKEW = 30.0
KEYS = "CONNECTOR_ENCRYPTION_KEYS"

STAND_INS = {
    "TIKTOK_APP_ID": "1",
    "TIKTOK_APP_SECRET": "1",
    "TIKTOK_CLIENT_KEY": "",
    "TIKTOK_CLIENT_SECRET": "",
}
"""For an app whose settings are wrong: enough for the house to be built and looked at."""


@dataclass
class Findings:
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    well: list[str] = field(default_factory=list)

    def problem(self, name: str, sentence: str, remedy: str) -> None:
        self.problems.append(Problem(name, sentence, remedy))

    def warning(self, name: str, sentence: str, remedy: str) -> None:
        self.warnings.append(Problem(name, sentence, remedy))

    def tell(self) -> None:
        for line in self.well:
            say(f"ok       {printable(line)}")
        for warning in self.warnings:
            say(f"warning  {printable(str(warning))}")
        for problem in self.problems:
            say(f"PROBLEM  {printable(str(problem))}")
        counts = f"Problems: {len(self.problems)}, warnings: {len(self.warnings)}."
        say(counts if self.problems or self.warnings else "Everything is well.")


def check(options: Namespace) -> int:
    logs.configure("error")
    found = Findings()
    settings = _settings(found)
    if settings is not None:
        asyncio.run(_look_around(settings, found))
    found.tell()
    return 1 if found.problems else 0


def _settings(found: Findings) -> Settings | None:
    stood_in: set[str] = set()
    try:
        settings = Settings.read(os.environ)
        found.warnings += settings.warnings
    except SettingsWrong as wrong:
        found.problems += wrong.problems
        found.warnings += wrong.warnings
        stood_in = {problem.name for problem in wrong.problems}
        if stood_in & STAND_INS.keys():
            stood_in |= STAND_INS.keys()
        mended = _mended(os.environ, stood_in)
        if mended is None:
            return None
        settings = mended
    found.problems += [one for one in problems(settings) if one.name not in stood_in]
    found.warnings += [one for one in warnings(settings) if one.name not in stood_in]
    if not found.problems:
        found.well.append("settings")
    return settings


def _mended(environ: Mapping[str, str], names: set[str]) -> Settings | None:
    """As if what is wrong were not set, so that the rest can be looked at."""
    mended = dict(environ) | {name: STAND_INS.get(name, "") for name in names}
    if KEYS in names:
        mended[KEYS] = Key.new("stand-in").text()
    try:
        return Settings.read(mended)
    except SettingsWrong:
        return None


async def _look_around(settings: Settings, found: Findings) -> None:
    try:
        house = House.build(settings)
    except SettingsWrong as wrong:
        found.problems += wrong.problems
        return
    await _store(house, found)
    await _journal(house, found)
    await _clock(house, found)


async def _store(house: House, found: Findings) -> None:
    settings, name = house.settings, house.store.name
    where = {
        "sqlite": ("CONNECTOR_DATABASE", f"SQLite, {settings.database}"),
        "supabase": ("SUPABASE_URL", f"Supabase, {settings.supabase_url}"),
        "postgres": ("SUPABASE_DB_URL", "Postgres, directly"),
    }
    setting, title = where[name]
    try:
        async with remembering(house):
            await house.store.ready()
            found.well.append(f"store: {title}")
            await _sealed(house, found)
    except ConnectorError as error:
        found.problem(setting, error.detail, "Until it answers as it should, nothing works.")


async def _sealed(house: House, found: Findings) -> None:
    """Under keys that were stood in for, nothing opens, and that says nothing."""
    if any(problem.name == KEYS for problem in found.problems):
        return
    stuck = await Resealing(store=house.store, seal=house.seal).sample()
    if stuck:
        found.problem(
            KEYS,
            f"{len(stuck)} of the tokens looked at cannot be opened. {next(iter(stuck.values()))}",
            "Add the key they were sealed with; the first in the list seals, all of them open.",
        )
    else:
        found.well.append("encryption keys")


async def _journal(house: House, found: Findings) -> None:
    try:
        await house.journal.open()
        try:
            async with house.journal.room():
                found.well.append(f"journal: {house.settings.journal}")
        finally:
            await house.journal.close()
    except ConnectorError as error:
        found.problem(
            "CONNECTOR_JOURNAL",
            error.detail,
            "Name a place on a disk with room that we may write.",
        )


async def _clock(house: House, found: Findings) -> None:
    """A state and a webhook are refused by their age, so a wrong clock looks like forgery."""
    name, url = "TIKTOK_BUSINESS_API_URL", house.settings.business_api_url
    if house.settings.app_id is None:
        name, url = "TIKTOK_OPEN_API_URL", house.settings.open_api_url
    try:
        told = await _time_at(url)
    except (aiohttp.ClientError, OSError, TimeoutError, KeyError, ValueError) as error:
        found.warning(
            name,
            f"{url} did not answer ({type(error).__name__}).",
            "See whether this machine may reach it; refreshing needs it.",
        )
        return
    skew = (house.clock.now() - told).total_seconds()
    if abs(skew) <= MOST_SKEW:
        found.well.append(f"TikTok answers at {url}, and the clocks agree")
        return
    found.problem(
        "clock",
        f"This machine's clock is {abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} "
        f"{url}.",
        "Let it be set by NTP: expiries are reckoned by it.",
    )


async def _time_at(url: str) -> datetime:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        # HTTP's dates are always GMT, whatever one may leave out.
        return parsedate_to_datetime(answer.headers["Date"]).replace(tzinfo=UTC)
