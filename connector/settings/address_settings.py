"""The settings that say where the service listens and at which address it is reached, as fields of `Settings`.

They are the first settings of the table, because defaults of later settings contain their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from . import parsers
from .sources import Setting


@dataclass(frozen=True, kw_only=True)
class AddressSettings:
    host: Annotated[
        str,
        Setting("CONNECTOR_HOST", parsers.single_word, "The listen address.", default="127.0.0.1"),
    ]
    port: Annotated[
        int, Setting("CONNECTOR_PORT", parsers.port, "The listen port.", default="8080")
    ]
    public_url: Annotated[
        str,
        Setting(
            "CONNECTOR_PUBLIC_URL",
            parsers.base_url,
            "The URL at which people reach the service.",
            default="http://localhost:{CONNECTOR_PORT}",
        ),
    ]
    allowed_origins: Annotated[
        tuple[str, ...],
        Setting(
            "CONNECTOR_ALLOWED_ORIGINS",
            parsers.comma_separated(parsers.allowed_origin),
            "The exact origins of your frontends, comma-separated: their pages may call the service.",
            default="",
        ),
    ]
