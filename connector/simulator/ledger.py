"""Codes and tokens: who holds what, and when it dies.

The rules of this ledger:
- a code is redeemed once, within its hour, by the app and the flow it was made for;
- an access token dies when its time is up or its grant is revoked, not when a newer one is issued;
- a refresh token is strict (the old one dies at once), under grace (for a while the old one gets
  the same answer again) or not rotated at all;
- the refresh window is absolute: it is counted from the consent, and a refresh does not renew it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from .nouns import LIFETIMES, Consent, Family, Grant, Issued, Now, Settings
from .people import subject

CodeFault = Literal["unknown", "used", "expired", "other_app", "other_flow", "redirect", "verifier"]
TokenFault = Literal["unknown", "expired", "revoked", "rotated"]


class BadCode(Exception):
    def __init__(self, fault: CodeFault) -> None:
        self.fault = fault


class BadToken(Exception):
    def __init__(self, fault: TokenFault) -> None:
        self.fault = fault


@dataclass
class _Code:
    consent: Consent
    until: float
    used: bool = False


@dataclass
class _Refresh:
    issued: Issued
    rotated_at: float | None = None
    successor: Issued | None = field(default=None, repr=False)


class Ledger:
    def __init__(self, *, now: Now, settings: Settings, counts: Counter[str]) -> None:
        self._now = now
        self._settings = settings
        self._counts = counts
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, Issued] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._grants: dict[str, list[Grant]] = defaultdict(list)

    def consent(self, consent: Consent) -> str:
        self._counts["consents"] += 1
        # tiktok.com codes hold `*` and `!`, which a client must decode exactly once.
        code = secrets.token_hex(20)
        if consent.family != "marketing":
            code = (
                f"{secrets.token_urlsafe(24)}*{secrets.randbelow(10)}!{secrets.randbelow(9000)}.va"
            )
        self._codes[code] = _Code(consent, until=self._now() + self._settings.code_seconds)
        return code

    def redeem(
        self,
        code: str,
        *,
        family: Family,
        app_id: str,
        redirect_uri: str | None = None,
        verifier: str | None = None,
    ) -> Issued:
        held = self._codes.get(code)
        fault = self._code_fault(held, family=family, app_id=app_id)
        if held is not None and fault is None:
            fault = _binding_fault(held.consent, family, redirect_uri, verifier)
        if held is None or fault:
            self._counts["exchanges_refused"] += 1
            self._counts["used_code_presented"] += fault == "used"
            raise BadCode(fault or "unknown")
        held.used = True
        self._counts["exchanges"] += 1
        return self._issue(self._grant(held.consent, family))

    def _code_fault(self, held: _Code | None, *, family: Family, app_id: str) -> CodeFault | None:
        if held is None:
            return "unknown"
        made_for = held.consent.family
        if made_for != family and (made_for is not None or family == "marketing"):
            return "other_flow"
        if held.consent.app_id != app_id:
            return "other_app"
        if held.used:
            return "used"
        return "expired" if self._now() >= held.until else None

    def _grant(self, consent: Consent, family: Family) -> Grant:
        who = subject(family, app_id=consent.app_id, person=consent.person)
        _, default = LIFETIMES[family]
        seconds = self._settings.refresh_seconds if default is not None else None
        window = default if seconds is None else seconds
        grant = Grant(
            family=family,
            app_id=consent.app_id,
            person=consent.person,
            subject=who,
            scopes=consent.scopes,
            advertisers=consent.advertisers,
            refresh_until=None if window is None else self._now() + window,
        )
        for key in {who, consent.person}:
            self._grants[key].append(grant)
        return grant

    def _issue(self, grant: Grant, *, refresh: str | None = None) -> Issued:
        default, _ = LIFETIMES[grant.family]
        if default is None:
            issued = Issued(grant, secrets.token_hex(20), None, None, None)
        else:
            seconds = self._settings.access_seconds
            until = self._now() + (default if seconds is None else seconds)
            issued = Issued(
                grant,
                f"act.{secrets.token_urlsafe(32)}!{secrets.randbelow(9000)}.va",
                refresh or f"rft.{secrets.token_urlsafe(32)}!{secrets.randbelow(9000)}.va",
                until,
                grant.refresh_until,
            )
        self._access[issued.access] = issued
        if issued.refresh:
            self._refresh[issued.refresh] = _Refresh(issued)
        return issued

    def access(self, token: str) -> Issued:
        issued = self._access.get(token)
        if issued is None:
            raise BadToken("unknown")
        if not issued.grant.alive:
            raise BadToken("revoked")
        if issued.access_until is not None and self._now() >= issued.access_until:
            raise BadToken("expired")
        return issued

    def refresh(self, token: str, *, family: Family, app_id: str) -> Issued:
        try:
            issued = self._refreshed(token, family=family, app_id=app_id)
        except BadToken as bad:
            self._counts["refreshes_refused"] += 1
            self._counts["dead_refresh_token_presented"] += bad.fault == "rotated"
            raise
        self._counts["refreshes"] += 1
        return issued

    def _refreshed(self, token: str, *, family: Family, app_id: str) -> Issued:
        held = self._refresh.get(token)
        if held is None or (held.issued.grant.family, held.issued.grant.app_id) != (family, app_id):
            raise BadToken("unknown")
        grant = held.issued.grant
        if held.rotated_at is not None:
            return self._again(held)
        if not grant.alive:
            raise BadToken("revoked")
        if grant.refresh_until is not None and self._now() >= grant.refresh_until:
            raise BadToken("expired")
        if self._settings.refresh_window == "sliding":
            seconds = self._settings.refresh_seconds or LIFETIMES[family][1] or 0
            grant.refresh_until = self._now() + seconds
        if self._settings.rotation == "none":
            return self._issue(grant, refresh=token)
        issued = self._issue(grant)
        held.rotated_at, held.successor = self._now(), issued
        return issued

    def _again(self, held: _Refresh) -> Issued:
        """The same answer a second time, while grace lasts and the newer token is unspent."""
        issued, since = held.successor, held.rotated_at
        if self._settings.rotation != "grace" or issued is None or since is None:
            raise BadToken("rotated")
        newer = self._refresh.get(issued.refresh or "")
        within = self._now() < since + self._settings.grace_seconds
        if not within or not issued.grant.alive or newer is None or newer.rotated_at is not None:
            raise BadToken("rotated")
        return issued

    def either(self, token: str) -> Grant:
        """The grant behind an access or a refresh token, dead ones too: what is being revoked."""
        if token in self._access:
            return self._access[token].grant
        if token in self._refresh:
            return self._refresh[token].issued.grant
        raise BadToken("unknown")

    def revoke(self, grants: Iterable[Grant]) -> list[Grant]:
        """Ends the living ones among them and says which those were."""
        ended = [grant for grant in grants if grant.alive]
        for grant in ended:
            grant.alive = False
        self._counts["revoked"] += len(ended)
        return ended

    def grants(self, subject_or_person: str) -> list[Grant]:
        return self._grants.get(subject_or_person, [])

    def living(self) -> dict[str, int]:
        now = self._now()
        return {
            "grants": sum(len(grants) for grants in self._grants.values()) // 2,
            "live_access_tokens": sum(
                i.grant.alive and (i.access_until is None or now < i.access_until)
                for i in self._access.values()
            ),
            "live_refresh_tokens": sum(
                r.issued.grant.alive
                and r.rotated_at is None
                and now < (r.issued.grant.refresh_until or 0)
                for r in self._refresh.values()
            ),
        }


def _binding_fault(
    consent: Consent, family: Family, redirect_uri: str | None, verifier: str | None
) -> CodeFault | None:
    if family != "marketing" and consent.redirect_uri not in (None, redirect_uri):
        return "redirect"
    if consent.challenge and _hex_challenge(verifier or "") != consent.challenge:
        return "verifier"
    return None


def _hex_challenge(verifier: str) -> str:
    """TikTok's PKCE is not RFC 7636: the challenge is the digest in hex."""
    return hashlib.sha256(verifier.encode()).hexdigest()
