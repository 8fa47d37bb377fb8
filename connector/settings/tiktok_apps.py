"""The TikTok families whose app is configured.

The class variables of a family describe its differences, so a new family needs no line in this module.
"""

from __future__ import annotations

from connector.tiktok import FAMILIES, ApiFamily, AppConfig

from .table import Settings


def build_families(settings: Settings) -> dict[str, ApiFamily]:
    """Returns the configured families by name, in the order of `FAMILIES`."""
    credentials = {
        "app": (settings.app_id, settings.app_secret),
        "client": (settings.client_key, settings.client_secret),
    }
    families: dict[str, ApiFamily] = {}
    for family in FAMILIES:
        id, secret = credentials[family.credentials]
        if id is None or secret is None:
            continue
        app = AppConfig(
            id=id,
            secret=secret,
            api=getattr(settings, family.api_url_setting),
            consent=getattr(settings, family.consent_url_setting),
            scopes=settings.scopes if family.scopes_in_link else (),
        )
        families[family.name] = family(app)
    return families
