"""Finds the public keys of an OpenID Connect issuer (OpenID Connect Discovery 1.0, section 4).

The discovery document names the address of the keys. It must also name the issuer exactly as configured:
otherwise the keys of one issuer could be published for another one. Both documents are fetched over https,
or over http between two addresses of this machine.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.origins import is_loopback

from .jwks import FETCH_ERRORS, JwksCache, parse_jwks

DISCOVERY_PATH = "/.well-known/openid-configuration"
MAX_NAMED_ISSUER_LENGTH = 200


class DiscoveredKeys(JwksCache):
    """Reads the discovery document each time before the keys, because the address of the keys may change."""

    TIMEOUT_SECONDS = 5.0
    """For both documents together."""

    def __init__(self, issuer: str, *, clock: Clock) -> None:
        # The issuer of Auth0 ends with a slash, and the path must not start with two.
        super().__init__(issuer.removesuffix("/") + DISCOVERY_PATH, clock=clock)
        self._issuer = issuer

    async def fetch_error(self) -> str | None:
        """Fetches the keys without caching them, and returns why that is impossible."""
        try:
            keys = parse_jwks(await self._fetch_jwks())
        except FETCH_ERRORS as error:
            return str(error) or type(error).__name__
        return None if keys else "it publishes no usable key"

    async def _fetch_jwks(self) -> bytes:
        async with asyncio.timeout(self.TIMEOUT_SECONDS):
            document = await self._fetch(self._url)
            return await self._fetch(self._jwks_uri(document))

    def _jwks_uri(self, body: bytes) -> str:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("the discovery document is not a JSON object")
        if document.get("issuer") != self._issuer:
            named = str(document.get("issuer"))[:MAX_NAMED_ISSUER_LENGTH]
            raise ValueError(f"the discovery document names another issuer, {named!r}")
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str) or not self._may_fetch(jwks_uri):
            raise ValueError("the jwks_uri of the discovery document is not an https URL")
        return jwks_uri

    def _may_fetch(self, url: str) -> bool:
        is_local = is_loopback(self._issuer) and is_loopback(url)
        return urlsplit(url).scheme in (("https", "http") if is_local else ("https",))
