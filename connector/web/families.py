"""Finds the API family that a request names."""

from __future__ import annotations

from aiohttp import web

from connector.errors import InvalidRequest
from connector.tiktok import FAMILIES, ApiFamily

from .app_keys import SERVICES

FAMILIES_BY_NAME = {family.name: family for family in FAMILIES}

REQUIRED_SETTINGS = {
    "app": "TIKTOK_APP_ID and TIKTOK_APP_SECRET",
    "client": "TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET",
}


def check_family(name: str) -> None:
    if name not in FAMILIES_BY_NAME:
        raise InvalidRequest(f"family must be one of {', '.join(FAMILIES_BY_NAME)}.")


def configured_family(request: web.Request, name: str) -> ApiFamily:
    check_family(name)
    configured = request.app[SERVICES].families
    if name not in configured:
        settings = REQUIRED_SETTINGS[FAMILIES_BY_NAME[name].credentials]
        raise InvalidRequest(f"family {name} is not configured: it needs {settings}.")
    return configured[name]
