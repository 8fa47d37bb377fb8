"""The signed state: who set out to connect what, told again when TikTok sends them back.

A state is base64url(JSON), as hand-written frontends have always made it, grown by a signature over
everything else in it. Three rules hold here. A signature that does not fit is refused, whoever asks.
A state without one proves nothing by itself, so somebody must vouch for it: the very user it names,
a server, or the operator by a setting. And a signed-in user never connects for another.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from .clock import Clock
from .errors import InvalidRequest, InvalidState, SlowDown, StateExpired, WrongUser
from .model import Intent, Principal, UserId, as_user_id

LONGEST = 4096
AHEAD = timedelta(minutes=5)
MILLISECONDS_FROM = 1e11
"""In seconds this is the year 5138, in milliseconds 1973: a larger `ts` came from `Date.now()`."""

LATEST = 1e15

ONLY_WE_SAY = {"family", "redirect_uri", "nonce"}
"""A state that has all of these but no signature was signed once, and lost it to somebody."""

HANDFUL = 8
BREATHER = timedelta(minutes=10)
MOST_BRAKED = 10_000

URL_SAFE = str.maketrans("-_ ", "+/+")
"""A "+" of the older alphabet has become a space by the time a query string was decoded."""


class Intents:
    def __init__(
        self,
        keys: tuple[bytes, ...],
        *,
        clock: Clock,
        max_age: timedelta,
        accept_unsigned: bool,
        default_redirect_uri: str,
        families: Collection[str],
    ) -> None:
        """The first key signs, all of them verify; `families` are those an unsigned state may name."""
        self._keys = keys
        self._clock = clock
        self._max_age = max_age
        self._accept_unsigned = accept_unsigned
        self._default_redirect_uri = default_redirect_uri
        self._families = families

    def issue(
        self, user_id: UserId, *, family: str, redirect_uri: str, return_to: str | None = None
    ) -> str:
        said: dict[str, Any] = {
            "user_id": user_id,
            "ts": int(self._clock.now().timestamp()),
            "family": family,
            "redirect_uri": redirect_uri,
            "nonce": secrets.token_urlsafe(12),
        }
        if return_to is not None:
            said["return_to"] = return_to
        return _encoded(_canonical(said | {"sig": _signature(self._keys[0], said)}))

    def read(self, state: str, principal: Principal | None) -> Intent:
        said = _decoded(state)
        signed = "sig" in said or said.keys() >= ONLY_WE_SAY
        if signed:
            self._verify(said)
        user_id = _user(said)
        if principal and principal.kind == "user" and principal.user_id != user_id:
            raise WrongUser(
                "This connection was started by another user. Start again from your own account."
            )
        if not signed and not principal and not self._accept_unsigned:
            raise InvalidState(
                "This state is not signed, so it does not prove whose it is. Get one from "
                "POST /oauth/start, or send that user's token with the request; the operator can "
                "also switch on CONNECTOR_ACCEPT_UNSIGNED_STATE."
            )
        issued_at = self._issued_at(said)
        if signed:
            return _signed_intent(said, user_id, issued_at)
        return self._unsigned_intent(said, user_id, issued_at)

    def _verify(self, said: dict[str, Any]) -> None:
        sig = said.pop("sig", None)
        presented = sig.encode(errors="replace") if isinstance(sig, str) else b""
        fits = [
            hmac.compare_digest(_signature(key, said).encode(), presented) for key in self._keys
        ]
        if not any(fits):
            raise InvalidState(
                "This state was changed on its way, or another service issued it. Start again."
            )

    def _issued_at(self, said: dict[str, Any]) -> datetime:
        ts = said.get("ts")
        if isinstance(ts, bool) or not isinstance(ts, int | float) or not 0 <= ts < LATEST:
            raise InvalidState("The state has no usable ts: seconds since 1970 are expected.")
        seconds = ts / 1000 if ts > MILLISECONDS_FROM else ts
        age = self._clock.now().timestamp() - seconds
        if age < -AHEAD.total_seconds():
            raise InvalidState("The state says it was issued in the future. Check the clock there.")
        if age > self._max_age.total_seconds():
            raise StateExpired("This attempt to connect is too old. Please start again.")
        return datetime.fromtimestamp(seconds, UTC)

    def _unsigned_intent(
        self, said: dict[str, Any], user_id: UserId, issued_at: datetime
    ) -> Intent:
        """Only what cannot be turned against anybody is taken over from such a state."""
        family = said.get("family", "marketing")
        if not isinstance(family, str) or family not in self._families:
            raise InvalidState(f"The state's family must be one of {', '.join(self._families)}.")
        return Intent(
            user_id=user_id,
            issued_at=issued_at,
            family=family,
            redirect_uri=self._default_redirect_uri,
            signed=False,
        )


class Brake:
    """Every code costs a call at TikTok, and with one state codes could be invented without end.

    So of one state's codes TikTok may refuse a handful. Counted by the nonce, as the same state can
    be spelt in many ways, and in this process alone.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[str, list[datetime]] = {}

    def refused(self, intent: Intent) -> None:
        if intent.nonce is not None:
            times = [*self._refused.pop(intent.nonce, ()), self._clock.now()]
            self._refused[intent.nonce] = times[-HANDFUL:]
            if len(self._refused) > MOST_BRAKED:
                del self._refused[next(iter(self._refused))]

    def check(self, intent: Intent) -> None:
        times = self._refused.get(intent.nonce or "", [])
        wait = times[0] + BREATHER - self._clock.now() if len(times) == HANDFUL else timedelta(0)
        if wait > timedelta(0):
            raise SlowDown(
                "TikTok knew none of the codes that came with this link. Start again.",
                retry_after=wait.total_seconds(),
            )


def _signed_intent(said: dict[str, Any], user_id: UserId, issued_at: datetime) -> Intent:
    family, redirect_uri, return_to = map(said.get, ("family", "redirect_uri", "return_to"))
    nonce = said.get("nonce")
    if not isinstance(family, str) or not isinstance(redirect_uri, str):
        raise InvalidState("The state lacks its family or redirect_uri. Start again.")
    return Intent(
        user_id=user_id,
        issued_at=issued_at,
        family=family,
        redirect_uri=redirect_uri,
        return_to=return_to if isinstance(return_to, str) else None,
        nonce=nonce if isinstance(nonce, str) else None,
    )


def _user(said: dict[str, Any]) -> UserId:
    try:
        return as_user_id(said.get("user_id"))
    except InvalidRequest as wrong:
        raise InvalidState(f"The state names no usable user: {wrong.message}") from None


def _decoded(state: str) -> dict[str, Any]:
    if len(state) > LONGEST:
        raise InvalidState(f"The state is longer than {LONGEST} characters.")
    text = state.strip().translate(URL_SAFE).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        said = READER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise InvalidState("The state is mangled: base64url of JSON is expected.") from None
    if not isinstance(said, dict):
        raise InvalidState("The state is mangled: a JSON object is expected.")
    return said


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of {"user_id": a, "user_id": b} may see different users, so nobody sees any."""
    said = dict(pairs)
    if len(said) != len(pairs):
        raise ValueError("a key twice")
    return said


def _no_constant(name: str) -> float:
    raise ValueError(name)


READER = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_constant)
WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def _canonical(said: dict[str, Any]) -> bytes:
    return WRITER.encode(said).encode()


def _signature(key: bytes, said: dict[str, Any]) -> str:
    return _encoded(hmac.digest(key, _canonical(said), sha256))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
