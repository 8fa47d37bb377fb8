"""Whose a grant is, which advertiser is the chosen one, and what `user_accounts` is told of it.

Nobody's first advertiser is taken silently: one that was chosen before and is still granted stays,
a single one is the choice by itself, and otherwise the person picks.

Nor is a connection taken for the same person's by guessing, or one person's would overwrite
another's. When TikTok will not say who it is, what it let us into has to tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Literal

from pydantic import SecretStr

from .model import Account, Kept, UserId
from .seal import Seal

TokenPolicy = Literal["sealed", "plain", "none"]

NAMELESS = "advertiser:"
"""How the subject of a connection begins whose TikTok user is not known."""


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


def subject_among(
    known: Mapping[str, Collection[str]], said: str | None, granted: Collection[str]
) -> str:
    """`known` has the advertisers that each subject's connection reaches.

    Without a name it is the one known connection that shares an advertiser, else a new one named
    after the smallest. With a name it may be one that had to do without until now; its row keeps
    the subject it has, to which the tokens there are bound.
    """
    if said is not None and said in known:
        return said
    nameless = {subject for subject in known if said is None or subject.startswith(NAMELESS)}
    alike = [subject for subject in nameless if not set(granted).isdisjoint(known[subject])]
    if len(alike) == 1:
        return alike[0]
    return said or _nameless(known, granted)


def _nameless(known: Mapping[str, Collection[str]], granted: Collection[str]) -> str:
    """The same for the same grant, but never that of a connection which has moved on."""
    smallest = NAMELESS + min(granted, key=lambda each: (len(each), each))
    if smallest not in known or not set(granted).isdisjoint(known[smallest]):
        return smallest
    return next(name for n in count(2) if (name := f"{smallest}.{n}") not in known)
