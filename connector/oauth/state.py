"""The signed OAuth state: names the user and the family, and is verified when TikTok returns the person.

A state is base64url(JSON), the format that hand-written frontends have always used, plus a signature over
all other fields. There are three rules. A wrong signature is rejected for every caller. A state without a
signature proves nothing, so another proof is needed: the request is authenticated as the user in the state
or as a server, or the operator accepts unsigned states by a setting. A signed-in user never connects for
another user.
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

from connector.clock import Clock
from connector.errors import InvalidRequest, InvalidState, StateExpired, WrongUser
from connector.model import OAuthState, Principal, UserId, parse_user_id
from connector.tiktok import DEFAULT_FAMILY

MAX_STATE_LENGTH = 4096
MAX_CLOCK_SKEW = timedelta(minutes=5)
MILLISECOND_THRESHOLD = 1e11
"""This is the year 5138 in seconds and 1973 in milliseconds: a larger `ts` came from `Date.now()`."""

MAX_TIMESTAMP = 1e15

SIGNED_ONLY_FIELDS = {"family", "redirect_uri", "nonce"}
"""If a state has all these fields and no signature, its signature was removed."""

BASE64_TRANSLATION = str.maketrans("-_ ", "+/+")
"""A "+" of the standard alphabet is received as a space, because the query string was decoded."""

Payload = dict[str, Any]


class OAuthStates:
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
        """The first key signs, and all keys verify. An unsigned state may name one of `families`."""
        self._keys = keys
        self._clock = clock
        self.max_age = max_age
        self._accept_unsigned = accept_unsigned
        self._default_redirect_uri = default_redirect_uri
        self._families = families

    def issue(
        self,
        user_id: UserId,
        *,
        family: str,
        redirect_uri: str,
        return_to: str | None = None,
        browser_hash: str | None = None,
    ) -> str:
        """A state with a `browser_hash` is bound to a browser: see `web/browser_binding`."""
        payload: Payload = {
            "user_id": user_id,
            "ts": int(self._clock.now().timestamp()),
            "family": family,
            "redirect_uri": redirect_uri,
            "nonce": secrets.token_urlsafe(12),
        }
        if return_to is not None:
            payload["return_to"] = return_to
        if browser_hash is not None:
            payload["browser"] = browser_hash
        signed = payload | {"sig": _signature(self._keys[0], payload)}
        return _encode(STATE_ENCODER.encode(signed).encode())

    def verify(self, state: str, principal: Principal | None) -> OAuthState:
        payload = _decode(state)
        is_signed = "sig" in payload or payload.keys() >= SIGNED_ONLY_FIELDS
        signature = payload.pop("sig", None)
        if is_signed:
            self._verify_signature(payload, signature)
        user_id = _user_id(payload)
        if principal and principal.kind == "user" and principal.user_id != user_id:
            raise WrongUser(
                "This connection was started by another user. Start again from your own account."
            )
        if not is_signed and not principal and not self._accept_unsigned:
            raise InvalidState(
                "This state is not signed, so its user cannot be verified. Get a state from "
                "POST /oauth/start, or send the user's token with the request. The operator can "
                "also turn on CONNECTOR_ACCEPT_UNSIGNED_STATE."
            )
        issued_at = self._issued_at(payload)
        if is_signed:
            return _signed_state(payload, user_id, issued_at)
        return self._unsigned_state(payload, user_id, issued_at)

    def _verify_signature(self, payload: Payload, signature: object) -> None:
        received = signature.encode(errors="replace") if isinstance(signature, str) else b""
        matches = [
            hmac.compare_digest(_signature(key, payload).encode(), received) for key in self._keys
        ]
        if not any(matches):
            raise InvalidState(
                "This state was changed after it was issued, or another service issued it. "
                "Start again."
            )

    def _issued_at(self, payload: Payload) -> datetime:
        ts = payload.get("ts")
        if isinstance(ts, bool) or not isinstance(ts, int | float) or not 0 <= ts < MAX_TIMESTAMP:
            raise InvalidState("The state contains no valid ts: seconds since 1970 are expected.")
        seconds = ts / 1000 if ts > MILLISECOND_THRESHOLD else ts
        age = self._clock.now().timestamp() - seconds
        if age < -MAX_CLOCK_SKEW.total_seconds():
            raise InvalidState(
                "The ts of the state is in the future. Check the clock of the issuer."
            )
        if age > self.max_age.total_seconds():
            raise StateExpired("This attempt to connect is too old. Please start again.")
        return datetime.fromtimestamp(seconds, UTC)

    def _unsigned_state(self, payload: Payload, user_id: UserId, issued_at: datetime) -> OAuthState:
        """Ignores the redirect and return addresses, because they are not verified."""
        family = payload.get("family", DEFAULT_FAMILY)
        if not isinstance(family, str) or family not in self._families:
            raise InvalidState(f"The state's family must be one of {', '.join(self._families)}.")
        return OAuthState(
            user_id=user_id,
            issued_at=issued_at,
            family=family,
            redirect_uri=self._default_redirect_uri,
            is_signed=False,
        )


def _signed_state(payload: Payload, user_id: UserId, issued_at: datetime) -> OAuthState:
    family, redirect_uri = payload.get("family"), payload.get("redirect_uri")
    return_to, nonce = payload.get("return_to"), payload.get("nonce")
    browser_hash = payload.get("browser")
    if not isinstance(family, str) or not isinstance(redirect_uri, str):
        raise InvalidState("The state contains no family or no redirect_uri. Start again.")
    return OAuthState(
        user_id=user_id,
        issued_at=issued_at,
        family=family,
        redirect_uri=redirect_uri,
        return_to=return_to if isinstance(return_to, str) else None,
        browser_hash=browser_hash if isinstance(browser_hash, str) else None,
        nonce=nonce if isinstance(nonce, str) else None,
    )


def _user_id(payload: Payload) -> UserId:
    try:
        return parse_user_id(payload.get("user_id"))
    except InvalidRequest as error:
        raise InvalidState(f"The state contains no valid user id: {error.message}") from None


def _decode(state: str) -> Payload:
    if len(state) > MAX_STATE_LENGTH:
        raise InvalidState(f"The state is longer than {MAX_STATE_LENGTH} characters.")
    text = state.strip().translate(BASE64_TRANSLATION).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        payload = STATE_DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise InvalidState("The state is not valid: base64url of JSON is expected.") from None
    if not isinstance(payload, dict):
        raise InvalidState("The state is not valid: a JSON object is expected.")
    return payload


def _reject_duplicate_keys(pairs: Sequence[tuple[str, Any]]) -> Payload:
    """Two parsers may read different users from {"user_id": a, "user_id": b}."""
    payload = dict(pairs)
    if len(payload) != len(pairs):
        raise ValueError("duplicate key")
    return payload


def _reject_constant(name: str) -> float:
    raise ValueError(name)


STATE_DECODER = json.JSONDecoder(
    object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant
)
STATE_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""Sorted and compact, because the signature is computed over exactly this form of the payload."""


def _signature(key: bytes, payload: Payload) -> str:
    return _encode(hmac.digest(key, STATE_ENCODER.encode(payload).encode(), sha256))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
