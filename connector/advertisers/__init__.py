"""Selects advertisers, matches grants to connections, and makes the `user_accounts` token.

Pure decisions, no I/O. An advertiser is never selected and a user is never matched by guessing.
"""

from __future__ import annotations

from .selection import select_automatically
from .user_accounts_token import UserAccountsToken, UserAccountsTokenMode
from .user_matching import is_anonymous, match_user

__all__ = [
    "UserAccountsToken",
    "UserAccountsTokenMode",
    "is_anonymous",
    "match_user",
    "select_automatically",
]
