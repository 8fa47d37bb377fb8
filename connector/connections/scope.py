"""Whose connections a caller may see: one user's, or everyone's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from connector.model import UserId


@dataclass(frozen=True)
class Scope:
    user_id: UserId | None
    """None for everyone's. Create a scope with `everyone()` or `user()`, which cannot be confused."""

    @classmethod
    def everyone(cls) -> Self:
        """For servers and the command line."""
        return cls(None)

    @classmethod
    def user(cls, user_id: UserId) -> Self:
        return cls(user_id)

    def includes(self, user_id: UserId) -> bool:
        return self.user_id is None or self.user_id == user_id
