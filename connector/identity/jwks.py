"""The public keys of one issuer of tokens, fetched as a JSON Web Key Set (JWKS) and cached.

The set is fetched again after ten minutes, so that a withdrawn key is no longer accepted. The set is also
fetched again for an unknown key id, so that a new key is accepted immediately. The set is fetched at most
once a minute, with one request at a time, whatever key ids callers send. If a fetch fails, the cached
keys stay valid.
"""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import jwt

from connector.clock import Clock
from connector.errors import Busy

log = logging.getLogger(__name__)

PUBLIC_KEY_ALGORITHMS = ("ES256", "RS256", "EdDSA")
CHUNK_BYTES = 16 * 1024
FETCH_ERRORS = (aiohttp.ClientError, TimeoutError, ValueError, RecursionError)


class JwksCache:
    MAX_AGE = 600.0
    MIN_REFETCH_INTERVAL = 60.0
    EMPTY_REFETCH_INTERVAL = 5.0
    TIMEOUT = aiohttp.ClientTimeout(total=5)
    MAX_BYTES = 256 * 1024

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._fetch_lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._fetched_at = 0.0
        self._last_attempt: float | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        is_cached = key_id in (self._keys or {})
        if not is_cached or (self._is_stale() and not self._fetch_lock.locked()):
            async with self._fetch_lock:
                # A caller that waited for the lock finds the keys just fetched.
                if self._refetch_allowed():
                    await self._refetch()
        if self._keys is None:
            raise Busy(
                "Your sign-in could not be checked: the project that issued it does not respond. "
                "Try again in a moment.",
                retry_after=self.EMPTY_REFETCH_INTERVAL,
            )
        return self._keys.get(key_id)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def _is_stale(self) -> bool:
        return self._clock.ticks() - self._fetched_at >= self.MAX_AGE

    def _refetch_allowed(self) -> bool:
        if self._last_attempt is None:
            return True
        interval = self.EMPTY_REFETCH_INTERVAL if self._keys is None else self.MIN_REFETCH_INTERVAL
        return self._clock.ticks() - self._last_attempt >= interval

    async def _refetch(self) -> None:
        try:
            self._keys = parse_jwks(await self._fetch_jwks())
            self._fetched_at = self._clock.ticks()
        except FETCH_ERRORS as error:
            log.warning("could not fetch signing keys url=%s error=%r", self._url, error)
        finally:
            self._last_attempt = self._clock.ticks()

    async def _fetch_jwks(self) -> bytes:
        return await self._fetch(self._url)

    async def _fetch(self, url: str) -> bytes:
        self._session = self._session or aiohttp.ClientSession(timeout=self.TIMEOUT)
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > self.MAX_BYTES:
                    raise ValueError("the response is too large")
            return bytes(body)


def parse_jwks(body: bytes) -> dict[str, jwt.PyJWK]:
    """Returns the keys that may verify a user's token. Skips unusable keys, above all shared secrets."""
    document = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the response contains no keys")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            continue
        if key.algorithm_name in PUBLIC_KEY_ALGORITHMS and entry.get("use", "sig") == "sig":
            keys[entry["kid"]] = key
    return keys
