"""Limits the connections that a caller may see: those of one user, or those of all users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from connector.model import UserId


@dataclass(frozen=True)
class Scope:
    user_id: UserId | None
    """None for all users. Create a scope with `everyone()` or `user()`, so that None is never written by
    mistake."""

    @classmethod
    def everyone(cls) -> Self:
        """For servers and the command line."""
        return cls(None)

    @classmethod
    def user(cls, user_id: UserId) -> Self:
        return cls(user_id)

    def includes(self, user_id: UserId) -> bool:
        return self.user_id is None or self.user_id == user_id
