"""`connector check`: reports every problem, each with its remedy.

A problem prevents some part of the service from working and makes the exit code 1. A warning is for a
person to judge. Invalid settings do not hide other problems: the remaining checks use placeholders for
invalid settings. The only request to TikTok reads the time.
"""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import get_args

import aiohttp

from connector.app import Service
from connector.encryption import EncryptionKey
from connector.errors import ConnectorError, EndpointRefused
from connector.identity import ApiKey
from connector.maintenance import KeyRotation, describe_step, find_missing_keys
from connector.model import KeyScope
from connector.settings import InvalidSettings, Problem, Settings
from connector.tiktok import LoginKitApi
from connector.webhooks import WEBHOOK_PATH

from . import logging_setup
from .bootstrap import open_store_only
from .mounts import network_file_system
from .setting_checks import DEVELOPER_PORTAL, readable_dotenv, setting_errors, setting_warnings
from .terminal import print_result, replace_control_characters

TIME_REQUEST_TIMEOUT_SECONDS = 5.0
MAX_CLOCK_SKEW_SECONDS = 30.0
ENCRYPTION_KEYS_SETTING = "CONNECTOR_ENCRYPTION_KEYS"

PLACEHOLDERS = {
    "TIKTOK_APP_ID": "1",
    "TIKTOK_APP_SECRET": "1",
    "TIKTOK_CLIENT_KEY": "",
    "TIKTOK_CLIENT_SECRET": "",
}
"""Replace the credentials if any of them is invalid, so that the service can be built and checked."""


@dataclass
class Findings:
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)

    def add_problem(self, name: str, message: str, remedy: str) -> None:
        self.problems.append(Problem(name, message, remedy))

    def add_warning(self, name: str, message: str, remedy: str) -> None:
        self.warnings.append(Problem(name, message, remedy))

    def print(self) -> None:
        lines = [f"ok       {text}" for text in self.passed]
        lines += [f"warning  {warning}" for warning in self.warnings]
        lines += [f"PROBLEM  {problem}" for problem in self.problems]
        for line in lines:
            print_result(replace_control_characters(line))
        if self.problems or self.warnings:
            print_result(f"Problems: {len(self.problems)}, warnings: {len(self.warnings)}.")
        else:
            print_result("No problems found.")


def check(options: Namespace) -> int:
    logging_setup.configure("error")
    findings = Findings()
    settings = _check_settings(findings)
    if settings is not None:
        asyncio.run(_run_checks(settings, findings))
    findings.print()
    return 1 if findings.problems else 0


def _check_settings(findings: Findings) -> Settings | None:
    findings.warnings += readable_dotenv(Path(".env"))
    replaced: set[str] = set()
    try:
        settings = Settings.read(os.environ)
        findings.warnings += settings.warnings
    except InvalidSettings as error:
        findings.problems += error.problems
        findings.warnings += error.warnings
        replaced = {problem.name for problem in error.problems}
        if replaced & PLACEHOLDERS.keys():
            replaced |= PLACEHOLDERS.keys()
        readable = _with_placeholders(os.environ, replaced)
        if readable is None:
            return None
        settings = readable
    findings.problems += [p for p in setting_errors(settings) if p.name not in replaced]
    findings.warnings += [p for p in setting_warnings(settings) if p.name not in replaced]
    if not findings.problems:
        findings.passed.append("settings")
    if settings.api_keys:
        findings.passed.append(f"API keys: {', '.join(map(_describe_key, settings.api_keys))}")
    return settings


def _describe_key(key: ApiKey) -> str:
    return f"{key.name} ({' '.join(scope for scope in get_args(KeyScope) if scope in key.scopes)})"


def _with_placeholders(environ: Mapping[str, str], names: set[str]) -> Settings | None:
    """Reads the settings without the invalid settings. Returns None if they are still invalid."""
    replaced = dict(environ) | {name: PLACEHOLDERS.get(name, "") for name in names}
    if ENCRYPTION_KEYS_SETTING in names:
        replaced[ENCRYPTION_KEYS_SETTING] = EncryptionKey.generate("placeholder").format()
    try:
        return Settings.read(replaced)
    except InvalidSettings:
        return None


async def _run_checks(settings: Settings, findings: Findings) -> None:
    try:
        service = Service.build(settings)
    except InvalidSettings as error:
        findings.problems += error.problems
        return
    await _check_store(service, findings)
    await _check_journal(service, findings)
    await _check_clock(service, findings)
    await _check_issuers(service, findings)
    await _check_endpoint_of_settings(service, findings)


async def _check_store(service: Service, findings: Findings) -> None:
    settings = service.settings
    labels = {
        "sqlite": ("CONNECTOR_DATABASE", f"SQLite, {settings.database}"),
        "supabase": ("SUPABASE_URL", f"Supabase, {settings.supabase_url}"),
        "postgres": ("SUPABASE_DB_URL", "Postgres, directly"),
    }
    setting, label = labels[service.store.name]
    try:
        async with open_store_only(service):
            await service.store.require_schema()
            findings.passed.append(f"store: {label}")
            await _check_encryption_keys(service, findings)
            await _check_warnings(service, findings)
            await _check_webhooks(service, findings)
    except ConnectorError as error:
        findings.add_problem(setting, error.detail, "Nothing works without the database.")


async def _check_encryption_keys(service: Service, findings: Findings) -> None:
    """Does nothing if the keys are placeholders, because placeholders cannot decrypt a token."""
    if any(problem.name == ENCRYPTION_KEYS_SETTING for problem in findings.problems):
        return
    rotation = KeyRotation(store=service.store, cipher=service.cipher)
    counts, key_ids = await rotation.count_by_key(), service.cipher.key_ids
    if missing := find_missing_keys(key_ids, counts):
        findings.add_problem(ENCRYPTION_KEYS_SETTING, missing.message, missing.remedy)
        return
    undecryptable = await rotation.sample_undecryptable()
    if undecryptable:
        findings.add_problem(
            ENCRYPTION_KEYS_SETTING,
            f"{len(undecryptable)} of the checked tokens cannot be decrypted. "
            f"{next(iter(undecryptable.values()))}",
            "Set the keys with these ids to the keys that encrypted the tokens.",
        )
        return
    step = describe_step(key_ids, counts)
    findings.passed.append(f"encryption keys: {step}" if step else "encryption keys")


async def _check_warnings(service: Service, findings: Findings) -> None:
    """Adds the warnings of /readyz. Here they are problems, so that the exit code tells a script."""
    warnings = await service.warnings.find()
    for warning in warnings:
        findings.add_problem(warning.kind, warning.message, warning.remedy)
    if not warnings:
        findings.passed.append("database privileges and user_accounts")


async def _check_webhooks(service: Service, findings: Findings) -> None:
    """Only TikTok's portal can set the address for login_kit, and no API returns this address."""
    login_kit = service.families.get(LoginKitApi.name)
    if login_kit is None:
        return
    address = f"{service.settings.public_url}{WEBHOOK_PATH}"
    last_by_app = {app.app: app.last_webhook_at for app in await service.store.list_webhook_apps()}
    last = last_by_app.get(login_kit.app.id)
    arrived = f"the last one arrived at {last:%Y-%m-%d %H:%M:%S}Z" if last else "none has arrived"
    findings.passed.append(f"webhooks for login_kit: {address}, {arrived}")
    if last or not address.startswith("https://"):
        return
    counts = await service.store.count_connections()
    if any(c.family == login_kit.name and c.status == "active" and c.count for c in counts):
        findings.add_warning(
            "webhooks",
            "TikTok has never sent a webhook for login_kit, so the service learns late that a person "
            "disconnected the app in TikTok.",
            f"Enter {address} as the callback URL of the app at {DEVELOPER_PORTAL}, under Webhooks.",
        )


async def _check_journal(service: Service, findings: Findings) -> None:
    if file_system := network_file_system(service.settings.journal):
        findings.add_problem(
            "CONNECTOR_JOURNAL",
            f"{service.settings.journal} is on a network file system ({file_system}), on which the "
            "journal's locks do not work.",
            "Choose a folder on a local disk.",
        )
        return
    try:
        await service.journal.open()
        try:
            async with service.journal.reserve():
                findings.passed.append(f"journal: {service.settings.journal}")
        finally:
            await service.journal.close()
    except ConnectorError as error:
        findings.add_problem(
            "CONNECTOR_JOURNAL",
            error.detail,
            "Choose a folder that the service can write to, on a local disk with free space.",
        )


async def _check_clock(service: Service, findings: Findings) -> None:
    """With a wrong clock, the service would refuse valid states and webhooks because of their age."""
    name, url = "TIKTOK_BUSINESS_API_URL", service.settings.business_api_url
    if service.settings.app_id is None:
        name, url = "TIKTOK_OPEN_API_URL", service.settings.open_api_url
    try:
        server_time = await _server_time(url)
    except (aiohttp.ClientError, OSError, TimeoutError, KeyError, ValueError) as error:
        findings.add_warning(
            name,
            f"{url} did not respond ({type(error).__name__}).",
            "Check that this machine can reach the address; refreshing tokens needs it.",
        )
        return
    skew = (service.clock.now() - server_time).total_seconds()
    if abs(skew) <= MAX_CLOCK_SKEW_SECONDS:
        findings.passed.append(f"TikTok responds at {url}, and the clocks agree")
        return
    findings.add_problem(
        "clock",
        f"This machine's clock is {abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} "
        f"{url}.",
        "Synchronize the clock with NTP: the expiry of tokens is calculated from it.",
    )


async def _check_issuers(service: Service, findings: Findings) -> None:
    """A failure is a warning, because only the users of this issuer are affected."""
    for tokens in service.other_issuers:
        error = await tokens.fetch_error()
        await tokens.close()
        if error is None:
            findings.passed.append(f"keys of {tokens.issuer}")
            continue
        findings.add_warning(
            "CONNECTOR_JWT_ISSUERS",
            f"The keys of {tokens.issuer} cannot be fetched: {error}.",
            "Write the issuer exactly as in the iss of its tokens, with or without a slash at the end.",
        )


async def _check_endpoint_of_settings(service: Service, findings: Findings) -> None:
    """The service starts with an address that it refuses, because a name can lead elsewhere later."""
    if service.settings.webhook_url is None:
        return
    try:
        await service.events.outbound.check(service.settings.webhook_url)
        findings.passed.append("CONNECTOR_WEBHOOK_URL")
    except EndpointRefused as error:
        findings.add_problem(
            "CONNECTOR_WEBHOOK_URL", error.message, "Until then no event is delivered there."
        )
    finally:
        await service.events.close()


async def _server_time(url: str) -> datetime:
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIME_REQUEST_TIMEOUT_SECONDS)
        ) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        # An HTTP date is always in GMT, even if the header omits the time zone.
        return parsedate_to_datetime(response.headers["Date"]).replace(tzinfo=UTC)
