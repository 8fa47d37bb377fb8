"""Builds the service for a command, and opens only the parts that the command needs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.app import Service
from connector.settings import Settings

from .logging_setup import configure_for_command

ACTOR = "command line"
"""Attempts show this name for calls that a command caused."""


def build_service() -> Service:
    """Builds the service from the environment and sets up the log. Does not open any part."""
    settings = Settings.read(os.environ)
    configure_for_command(settings.log_level, format=settings.log_format)
    return Service.build(settings)


@asynccontextmanager
async def open_store_only(service: Service) -> AsyncIterator[Service]:
    """Opens the store only, for commands that need neither the journal nor TikTok."""
    await service.database.open()
    try:
        yield service
        await service.audit.close()
    finally:
        await service.database.close()
