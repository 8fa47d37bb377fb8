"""The users, TikTok users and advertisers of the grant machine, and what the machine expects of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hypothesis import strategies as st

from connector.model import Account, UserId

USERS = [UserId("6f1c2a9e-3b7d-4c55-9a0e-00000000000" + digit) for digit in "1112"]
FAMILIES = ["marketing", "marketing", "login_kit"]
TIKTOK_USERS = ["mia", "noah"]
ADVERTISERS = [Account(id=str(number), name=f"Shop {number}") for number in range(3)]

users, families = st.sampled_from(USERS), st.sampled_from(FAMILIES)
tiktok_users = st.sampled_from(TIKTOK_USERS)
granted_advertisers = st.sampled_from(
    [ADVERTISERS[:1], ADVERTISERS[1:2], ADVERTISERS[2:], ADVERTISERS[:2], ADVERTISERS]
)
indexes = st.integers(0, 3)


@dataclass
class Consent:
    """A code that was claimed, and the grant that TikTok returned for it."""

    code_hash: str
    user_id: UserId
    family: str
    tiktok_user_id: str
    advertisers: tuple[Account, ...]
    claimed_at: datetime


@dataclass
class Expected:
    """What a connection must be now, by the events so far."""

    consent: Consent
    ended: bool = False
    disconnected: bool = False
