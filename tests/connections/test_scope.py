"""A scope includes the connections of one user or of all users."""

from __future__ import annotations

from connector.connections import Scope
from connector.model import UserId
from tests.credentials import ANNA

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")


def test_a_users_scope_includes_only_that_user() -> None:
    assert Scope.user(ANNA).includes(ANNA)
    assert not Scope.user(ANNA).includes(BEN)


def test_everyones_scope_includes_each_user() -> None:
    assert Scope.everyone().includes(ANNA)
    assert Scope.everyone().includes(BEN)
