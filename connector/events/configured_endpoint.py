"""The endpoint that the settings name: one endpoint without the API."""

from __future__ import annotations

import logging

from pydantic import SecretStr

from connector.clock import Clock
from connector.encryption import DecryptionFailed, TokenCipher
from connector.store import EndpointRow, Store

from .endpoint_secrets import EndpointSecret, decrypt_secrets, encrypt_secrets

log = logging.getLogger(__name__)

CONFIGURED_ENDPOINT_ID = "00000000-0000-4000-8000-000000000001"
PATTERNS = ("connection.*", "selection.*", "publication.*", "endpoint.*")
"""Every event except those of `tiktok.`."""

DESCRIPTION = "Set by CONNECTOR_WEBHOOK_URL."


class ConfiguredEndpoint:
    def __init__(
        self,
        *,
        url: str | None,
        secret: SecretStr | None,
        store: Store,
        cipher: TokenCipher,
        clock: Clock,
    ) -> None:
        """Without `url` the endpoint is removed."""
        self._url = url
        self._secret = secret
        self._store = store
        self._cipher = cipher
        self._clock = clock

    async def ensure(self) -> None:
        """Writes the endpoint as the settings say, and enables it. An equal endpoint stays unchanged."""
        now = self._clock.database_time()
        stored = await self._store.get_endpoint(CONFIGURED_ENDPOINT_ID, now=now)
        if self._url is None or self._secret is None:
            if stored is not None:
                await self._store.delete_endpoint(CONFIGURED_ENDPOINT_ID)
                log.info("configured endpoint removed")
            return
        if stored is not None and self._is_equal(stored):
            return
        await self._store.save_endpoint(
            CONFIGURED_ENDPOINT_ID,
            url=self._url,
            events=PATTERNS,
            description=DESCRIPTION,
            encrypted_secrets=encrypt_secrets(
                [EndpointSecret(self._secret)],
                endpoint_id=CONFIGURED_ENDPOINT_ID,
                cipher=self._cipher,
            ),
            now=now,
        )
        log.info("configured endpoint saved")

    def _is_equal(self, stored: EndpointRow) -> bool:
        try:
            secrets = decrypt_secrets(
                stored.encrypted_secrets, endpoint_id=stored.id, cipher=self._cipher
            )
        except DecryptionFailed:
            return False
        return (stored.url, stored.events, stored.state, secrets) == (
            self._url,
            PATTERNS,
            "enabled",
            [EndpointSecret(self._secret)] if self._secret else [],
        )
