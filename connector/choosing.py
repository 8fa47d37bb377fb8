"""Which advertiser is the chosen one, and what `user_accounts` is told of it.

Nobody's first advertiser is taken silently: one that was chosen before and is still granted stays,
a single one is the choice by itself, and otherwise the person picks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import SecretStr

from .model import Account, Kept, UserId
from .seal import Seal
from .store import Known

TokenPolicy = Literal["sealed", "plain", "none"]


class AccountTokens:
    """What goes into `user_accounts.tiktok_access_token`, as the operator decided."""

    def __init__(self, policy: TokenPolicy, seal: Seal) -> None:
        self._policy = policy
        self._seal = seal

    def text(self, access: SecretStr, user_id: UserId) -> str | None:
        if self._policy == "none":
            return None
        if self._policy == "plain":
            return access.get_secret_value()
        return self._seal.seal_text(access.get_secret_value(), bound_to=f"user_accounts/{user_id}")

    def of(self, kept: Kept) -> str | None:
        if self._policy == "none" or kept.sealed is None:
            return None
        tokens = self._seal.open(kept.sealed, bound_to=kept.bond)
        return self.text(tokens.access, kept.user_id)


def choice(accounts: Sequence[Account], *, earlier: Iterable[str | None]) -> Account | None:
    """`earlier` are the ids chosen before, the most trusted first."""
    if len(accounts) == 1:
        return accounts[0]
    by_id = {account.id: account for account in accounts}
    return next((by_id[id] for id in earlier if id is not None and id in by_id), None)


def subject_among(known: Sequence[Known], said: str | None) -> str:
    """Whose grant it is when TikTok would not say: the one we know, if there is just one."""
    if said is not None:
        return said
    return known[0].subject if len(known) == 1 else ""
