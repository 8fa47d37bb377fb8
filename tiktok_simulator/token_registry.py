"""Authorization codes and tokens: to whom they belong and when they expire.

Rules of this registry:
- a code can be redeemed once, within the lifetime of its family, by the app and the flow that it was
  issued for;
- an access token ends when it expires or when its grant is revoked, not when a newer one is issued;
- refresh token rotation is `strict` (the old token is invalid immediately), `grace` (for a limited time
  the old token returns the same response again) or `none` (the refresh token stays the same);
- the refresh window is absolute: it starts with the consent, and a refresh does not extend it;
- revoking one grant ends every grant of the same family, app and person. TikTok documents neither this
  nor the opposite, so a client has to expect it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from .model import (
    DOCUMENTED_CODE_SECONDS,
    DOCUMENTED_LIFETIMES,
    Consent,
    Family,
    Grant,
    IssuedTokens,
    SimulatorSettings,
    TimeSource,
)
from .sample_data import tiktok_user_id

InvalidCodeReason = Literal[
    "unknown", "used", "expired", "other_app", "other_flow", "redirect_uri", "code_verifier"
]
InvalidTokenReason = Literal["unknown", "expired", "revoked", "rotated"]


class InvalidCode(Exception):
    def __init__(self, reason: InvalidCodeReason) -> None:
        self.reason = reason


class InvalidToken(Exception):
    def __init__(self, reason: InvalidTokenReason) -> None:
        self.reason = reason


@dataclass
class _IssuedCode:
    consent: Consent
    issued_at: float
    configured_seconds: float | None
    used: bool = False


@dataclass
class _RefreshToken:
    issued: IssuedTokens
    rotated_at: float | None = None
    successor: IssuedTokens | None = field(default=None, repr=False)


class TokenRegistry:
    def __init__(
        self, *, now: TimeSource, settings: SimulatorSettings, counts: Counter[str]
    ) -> None:
        self._now = now
        self._settings = settings
        self._counts = counts
        self._codes: dict[str, _IssuedCode] = {}
        self._access_tokens: dict[str, IssuedTokens] = {}
        self._refresh_tokens: dict[str, _RefreshToken] = {}
        self._grants: dict[str, list[Grant]] = defaultdict(list)

    def issue_code(self, consent: Consent) -> str:
        self._counts["consents"] += 1
        code = secrets.token_hex(20)
        if consent.family != "marketing":
            # Codes of tiktok.com contain `*` and `!`, which a client must decode exactly once.
            code = (
                f"{secrets.token_urlsafe(24)}*{secrets.randbelow(10)}!{secrets.randbelow(9000)}.va"
            )
        self._codes[code] = _IssuedCode(consent, self._now(), self._settings.code_seconds)
        return code

    def redeem(
        self,
        code: str,
        *,
        family: Family,
        app_id: str,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> IssuedTokens:
        issued_code = self._codes.get(code)
        reason = self._invalid_code_reason(issued_code, family=family, app_id=app_id)
        if issued_code is not None and reason is None:
            reason = _binding_mismatch(
                issued_code.consent,
                family,
                redirect_uri=redirect_uri,
                code_verifier=code_verifier,
            )
        if issued_code is None or reason:
            self._counts["exchanges_refused"] += 1
            self._counts["used_code_presented"] += reason == "used"
            raise InvalidCode(reason or "unknown")
        issued_code.used = True
        self._counts["exchanges"] += 1
        return self._issue(self._create_grant(issued_code.consent, family))

    def _invalid_code_reason(
        self, code: _IssuedCode | None, *, family: Family, app_id: str
    ) -> InvalidCodeReason | None:
        if code is None:
            return "unknown"
        consented_family = code.consent.family
        if consented_family != family and (consented_family is not None or family == "marketing"):
            return "other_flow"
        if code.consent.app_id != app_id:
            return "other_app"
        if code.used:
            return "used"
        seconds = code.configured_seconds or DOCUMENTED_CODE_SECONDS[family]
        return "expired" if self._now() >= code.issued_at + seconds else None

    def _create_grant(self, consent: Consent, family: Family) -> Grant:
        user_id = tiktok_user_id(family, app_id=consent.app_id, person=consent.person)
        documented = DOCUMENTED_LIFETIMES[family].refresh
        configured = self._settings.refresh_seconds if documented is not None else None
        lifetime = documented if configured is None else configured
        grant = Grant(
            family=family,
            app_id=consent.app_id,
            person=consent.person,
            tiktok_user_id=user_id,
            scopes=consent.scopes,
            advertisers=consent.advertisers,
            refresh_expires_at=None if lifetime is None else self._now() + lifetime,
        )
        for key in {user_id, consent.person}:
            self._grants[key].append(grant)
        return grant

    def _issue(self, grant: Grant, *, refresh_token: str | None = None) -> IssuedTokens:
        documented = DOCUMENTED_LIFETIMES[grant.family].access
        if documented is None:
            issued = IssuedTokens(grant, access_token=secrets.token_hex(20))
        else:
            configured = self._settings.access_seconds
            issued = IssuedTokens(
                grant,
                access_token=_new_token("act"),
                refresh_token=refresh_token or _new_token("rft"),
                access_expires_at=self._now() + (documented if configured is None else configured),
                refresh_expires_at=grant.refresh_expires_at,
            )
        self._access_tokens[issued.access_token] = issued
        if issued.refresh_token:
            self._refresh_tokens[issued.refresh_token] = _RefreshToken(issued)
        return issued

    def find_access_token(self, token: str) -> IssuedTokens:
        """Raises `InvalidToken` if the token does not work now."""
        issued = self._access_tokens.get(token)
        if issued is None:
            raise InvalidToken("unknown")
        if not issued.grant.is_active:
            raise InvalidToken("revoked")
        if issued.access_expires_at is not None and self._now() >= issued.access_expires_at:
            raise InvalidToken("expired")
        return issued

    def refresh(self, token: str, *, family: Family, app_id: str) -> IssuedTokens:
        try:
            issued = self._issue_from_refresh_token(token, family=family, app_id=app_id)
        except InvalidToken as error:
            self._counts["refreshes_refused"] += 1
            self._counts["dead_refresh_token_presented"] += error.reason == "rotated"
            raise
        self._counts["refreshes"] += 1
        return issued

    def _issue_from_refresh_token(self, token: str, *, family: Family, app_id: str) -> IssuedTokens:
        current = self._refresh_tokens.get(token)
        if current is None:
            raise InvalidToken("unknown")
        grant = current.issued.grant
        if (grant.family, grant.app_id) != (family, app_id):
            raise InvalidToken("unknown")
        if current.rotated_at is not None:
            return self._repeat_refresh(current)
        if not grant.is_active:
            raise InvalidToken("revoked")
        if grant.refresh_expires_at is not None and self._now() >= grant.refresh_expires_at:
            raise InvalidToken("expired")
        if self._settings.refresh_window == "sliding":
            documented = DOCUMENTED_LIFETIMES[family].refresh
            lifetime = self._settings.refresh_seconds or documented or 0
            grant.refresh_expires_at = self._now() + lifetime
        if self._settings.rotation == "none":
            return self._issue(grant, refresh_token=token)
        issued = self._issue(grant)
        current.rotated_at, current.successor = self._now(), issued
        return issued

    def _repeat_refresh(self, rotated: _RefreshToken) -> IssuedTokens:
        """Returns the same tokens during the grace time, while the newer one is unused."""
        issued, rotated_at = rotated.successor, rotated.rotated_at
        if self._settings.rotation != "grace" or issued is None or rotated_at is None:
            raise InvalidToken("rotated")
        newer = self._refresh_tokens.get(issued.refresh_token or "")
        in_grace_time = self._now() < rotated_at + self._settings.grace_seconds
        newer_is_unused = newer is not None and newer.rotated_at is None
        if not in_grace_time or not issued.grant.is_active or not newer_is_unused:
            raise InvalidToken("rotated")
        return issued

    def find_grant(self, token: str) -> Grant:
        """The grant of an access or refresh token, also if the token has expired or was revoked."""
        if token in self._access_tokens:
            return self._access_tokens[token].grant
        if token in self._refresh_tokens:
            return self._refresh_tokens[token].issued.grant
        raise InvalidToken("unknown")

    def grants_of(self, user_id_or_person: str) -> list[Grant]:
        return self._grants.get(user_id_or_person, [])

    def has_granted(self, scopes: Iterable[str], *, app_id: str, person: str) -> bool:
        """True if the person granted all of these scopes to the app's Accounts API before."""
        return any(
            (grant.family, grant.app_id) == ("accounts", app_id)
            and set(scopes) <= set(grant.scopes)
            for grant in self.grants_of(person)
        )

    def revoke(self, grants: Iterable[Grant]) -> list[Grant]:
        """Revokes and returns all active grants of the same families, apps and people."""
        owners = {(grant.family, grant.app_id, grant.person) for grant in grants}
        revoked = [
            grant
            for family, app_id, person in sorted(owners)
            for grant in self.grants_of(person)
            if grant.is_active and (grant.family, grant.app_id) == (family, app_id)
        ]
        for grant in revoked:
            grant.is_active = False
        self._counts["revoked"] += len(revoked)
        return revoked

    def counts(self) -> dict[str, int]:
        now = self._now()
        return {
            # Each grant is listed twice: under its TikTok user id and under its person.
            "grants": sum(len(grants) for grants in self._grants.values()) // 2,
            "live_access_tokens": sum(
                issued.grant.is_active
                and (issued.access_expires_at is None or now < issued.access_expires_at)
                for issued in self._access_tokens.values()
            ),
            "live_refresh_tokens": sum(
                token.issued.grant.is_active
                and token.rotated_at is None
                and now < (token.issued.grant.refresh_expires_at or 0)
                for token in self._refresh_tokens.values()
            ),
        }


def _new_token(prefix: str) -> str:
    return f"{prefix}.{secrets.token_urlsafe(32)}!{secrets.randbelow(9000)}.va"


def _binding_mismatch(
    consent: Consent, family: Family, *, redirect_uri: str | None, code_verifier: str | None
) -> InvalidCodeReason | None:
    if family != "marketing" and consent.redirect_uri not in (None, redirect_uri):
        return "redirect_uri"
    if consent.code_challenge and _challenge_of(code_verifier or "") != consent.code_challenge:
        return "code_verifier"
    return None


def _challenge_of(code_verifier: str) -> str:
    """TikTok's PKCE differs from RFC 7636: the challenge is the SHA-256 digest in hexadecimal."""
    return hashlib.sha256(code_verifier.encode()).hexdigest()
