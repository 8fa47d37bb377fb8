"""Who is asking: the customer's server, one of their users, or nobody.

A server shows an API key, a user a Supabase token or a ticket we minted. Nobody is somebody by
halves: no credentials is a fair answer (`None`), but credentials that do not hold are refused with
a sentence, never ignored; save that a public address may look whether it is but the key that
everybody has (`is_everybodys`). The project's own keys are JWTs too, signed by the same secret as its
users' tokens; they are no user, and the role in them tells. Which algorithm may verify a token hangs
on the key, not on what the token says of itself: the shared secret HS256, a published key its own.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NoReturn

import aiohttp
import jwt
from pydantic import SecretStr

from .clock import Clock
from .errors import Busy, InvalidRequest, Unauthenticated
from .model import Principal, UserId, as_user_id
from .tickets import PREFIX as TICKET_PREFIX
from .tickets import TICKET_LIFE, Ticket, Tickets

log = logging.getLogger(__name__)

LONGEST = 8192
LATEST = 32_503_680_000
"""The year 3000: an expiry may be any number, a date may not."""

PUBLISHABLE = "sb_publishable_"
OWN_KEY = (
    "This is one of the project's own keys, not a user's token. "
    "A server identifies itself with one of CONNECTOR_API_KEYS."
)
LEEWAY = 10
AUDIENCE = "authenticated"
SHARED = "HS256"
PUBLISHED = ("ES256", "RS256", "EdDSA")
SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT would ask the machine what time it is; the claims are read here, by our clock."""


class Jwks:
    """A project's published keys, cached; nobody can make us ask for them in a hurry.

    Asked again after ten minutes, so that a withdrawn key stops counting, and for a key never seen,
    so that a new one counts at once; but at most once a minute, and one request at a time. When the
    project does not answer, the keys we have go on counting.
    """

    FRESH = 600.0
    AT_MOST_EVERY = 60.0
    WHILE_EMPTY_EVERY = 5.0
    TIMEOUT = aiohttp.ClientTimeout(total=5)
    LARGEST = 256 * 1024

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._flight = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._fetched_at = 0.0
        self._asked_at: float | None = None

    async def key(self, kid: str) -> jwt.PyJWK | None:
        known = kid in (self._keys or {})
        if not known or (self._stale() and not self._flight.locked()):
            async with self._flight:
                if self._may_ask():
                    await self._ask()
        if self._keys is None:
            raise Busy(
                "Your sign-in could not be checked just now: the project that issued it does not "
                "answer. Try again in a moment.",
                retry_after=self.WHILE_EMPTY_EVERY,
            )
        return self._keys.get(kid)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def _stale(self) -> bool:
        return self._clock.ticks() - self._fetched_at >= self.FRESH

    def _may_ask(self) -> bool:
        """Whoever waited for the flight finds it just landed, and does not start another."""
        pause = self.WHILE_EMPTY_EVERY if self._keys is None else self.AT_MOST_EVERY
        return self._asked_at is None or self._clock.ticks() - self._asked_at >= pause

    async def _ask(self) -> None:
        try:
            self._keys = _published(await self._fetch())
            self._fetched_at = self._clock.ticks()
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            log.warning("could not fetch signing keys url=%s error=%r", self._url, error)
        finally:
            self._asked_at = self._clock.ticks()

    async def _fetch(self) -> bytes:
        self._session = self._session or aiohttp.ClientSession(timeout=self.TIMEOUT)
        async with self._session.get(self._url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > self.LARGEST:
                    raise ValueError("the answer is too large")
            return bytes(body)


class Identity:
    def __init__(
        self,
        *,
        api_keys: tuple[SecretStr, ...],
        ticket_keys: tuple[bytes, ...],
        jwt_secret: SecretStr | None,
        jwks: Jwks | None,
        issuer: str | None,
        clock: Clock,
    ) -> None:
        """`issuer` None: the project is known by its secret alone, and its name is not checked."""
        digests = [_digest(key.get_secret_value()) for key in api_keys]
        self._servers = {f"server key {n}": digest for n, digest in enumerate(digests, start=1)}
        self._tickets = Tickets(ticket_keys, servers=self._servers, clock=clock)
        self._jwt_secret = jwt_secret
        self._jwks = jwks
        self._issuer = issuer
        self._clock = clock

    async def principal(self, authorization: str | None, x_api_key: str | None) -> Principal | None:
        if authorization and x_api_key:
            raise Unauthenticated(
                "Two credentials were sent: send either Authorization or X-API-Key, not both."
            )
        if x_api_key:
            return self._server(x_api_key.strip()) or _refuse("This API key is not known here.")
        if authorization:
            return await self._bearer(authorization)
        return None

    def session(self, cookie: str) -> Principal:
        """Who a browser's cookie says it is; refused like any other credential that does not hold."""
        return self._tickets.read_session(cookie)

    def mint(
        self, user_id: UserId, *, connection_id: str | None = None, life: timedelta = TICKET_LIFE
    ) -> Ticket:
        return self._tickets.mint(user_id, connection_id=connection_id, life=life)

    def mint_session(self, principal: Principal) -> Ticket:
        return self._tickets.mint_session(principal)

    async def _bearer(self, authorization: str) -> Principal:
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST:
            _refuse("The Authorization header must read: Bearer, a space, and one token.")
        if server := self._server(token):
            return server
        if token.startswith(TICKET_PREFIX):
            return self._tickets.read(token)
        if is_everybodys(authorization):
            _refuse(OWN_KEY)
        if token.count(".") == 2:
            return await self._supabase_user(token)
        return _refuse("This token is neither an API key, nor a ticket, nor a user's token.")

    def _server(self, presented: str) -> Principal | None:
        """Looks at every key, however early one fits, so that time tells nothing."""
        digest = _digest(presented)
        fits = [n for n, key in self._servers.items() if hmac.compare_digest(digest, key)]
        return Principal("server", fits[0]) if fits else None

    async def _supabase_user(self, token: str) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = await self._verifier(header.get("alg"), header.get("kid"))
            claims = jwt.decode(token, key, algorithms=[algorithm], options=SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, RecursionError):
            _refuse("This user's token is damaged or was not signed by this project.")
        if wrong := self._wrong_with(claims):
            _refuse(wrong)
        try:
            user_id = as_user_id(claims.get("sub"), field="sub")
        except InvalidRequest as error:
            _refuse(f"This user's token names nobody: {error.message}")
        expires_at = datetime.fromtimestamp(min(claims["exp"], LATEST), UTC)
        return Principal("user", "user", user_id, expires_at=expires_at)

    async def _verifier(self, algorithm: object, kid: object) -> tuple[Any, str]:
        """The key that may verify, and the one algorithm it may be used with."""
        if algorithm == SHARED:
            if self._jwt_secret is None:
                _refuse("Users' tokens signed with HS256 need SUPABASE_JWT_SECRET to be set here.")
            return self._jwt_secret.get_secret_value(), SHARED
        if algorithm not in PUBLISHED:
            _refuse(f"A user's token is signed with {SHARED} or one of {', '.join(PUBLISHED)}.")
        if self._jwks is None:
            _refuse("Users' tokens signed with a published key need SUPABASE_URL to be set here.")
        key = await self._jwks.key(kid) if isinstance(kid, str) else None
        if key is None:
            _refuse("This user's token is signed with a key the project does not publish.")
        return key, key.algorithm_name

    def _wrong_with(self, claims: dict[str, Any]) -> str | None:
        now = self._clock.now().timestamp()
        if claims.get("role") in ("service_role", "anon"):
            return OWN_KEY
        if not now < _seconds(claims, "exp", absent=math.nan) + LEEWAY:
            return "This user's token has expired. Sign in again."
        if not all(_seconds(claims, name, absent=now) <= now + LEEWAY for name in ("nbf", "iat")):
            return "This user's token is not valid yet. Check the clocks of both machines."
        audience = claims.get("aud")
        if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
            return f"This token is not for signed-in users: its aud is not {AUDIENCE}."
        if self._issuer and claims.get("iss") != self._issuer:
            return f"This user's token was issued by another project than {self._issuer}."
        return None


def is_everybodys(authorization: str | None) -> bool:
    """Whether this is the project's anon or publishable key, which every visitor's browser has.

    Not verified: it is worth as much as no credentials at all, forged or not.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > LONGEST:
        return False
    if token.startswith(PUBLISHABLE):
        return True
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False
    return claims.get("role") == "anon"


def _published(body: bytes) -> dict[str, jwt.PyJWK]:
    """The keys that may verify a user's token; what we cannot use is left out, a secret above all."""
    document = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the answer holds no keys")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            continue
        if key.algorithm_name in PUBLISHED and entry.get("use", "sig") == "sig":
            keys[entry["kid"]] = key
    return keys


def _seconds(claims: dict[str, Any], name: str, *, absent: float) -> float:
    """What is no plain number becomes NaN, which is neither before nor after anything."""
    value = claims.get(name, absent)
    plain = isinstance(value, int | float) and not isinstance(value, bool) and value < math.inf
    return value if plain else math.nan


def _digest(text: str) -> bytes:
    """Equal length for whatever was sent; a header may hold bytes that are no UTF-8."""
    return sha256(text.encode(errors="surrogatepass")).digest()


def _refuse(sentence: str) -> NoReturn:
    raise Unauthenticated(sentence)
