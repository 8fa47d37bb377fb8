"""Each kind of ticket is accepted only for its own purpose, and only until it expires."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from connector.errors import Unauthenticated
from connector.identity.tickets import Ticket, Tickets
from connector.model import Principal
from tests.credentials import ANNA, ANNA_PRINCIPAL
from tests.manual_clock import NOON, ManualClock

API_KEYS = {"server key 1": b"1" * 32, "server key 2": b"2" * 32}
CONNECTION_ID = "0b5a7c1e-4d3f-4a7b-8c9d-112233445566"
SELECTION = Principal("user", "user", ANNA, CONNECTION_ID)
SECOND_SERVER = Principal("server", "server key 2")


def build_tickets(
    *keys: bytes, api_keys: dict[str, bytes] = API_KEYS, clock: ManualClock | None = None
) -> Tickets:
    return Tickets(keys or (b"key",), api_keys=api_keys, clock=clock or ManualClock())


def issue_all_kinds(tickets: Tickets) -> dict[str, Ticket]:
    return {
        "user": tickets.issue(ANNA),
        "selection": tickets.issue(ANNA, connection_id=CONNECTION_ID),
        "session": tickets.issue_session(ANNA_PRINCIPAL),
        "server session": tickets.issue_session(SECOND_SERVER),
    }


def test_each_kind_of_ticket_authenticates_its_principal() -> None:
    tickets = build_tickets()
    texts = {kind: ticket.text for kind, ticket in issue_all_kinds(tickets).items()}
    assert tickets.verify(texts["user"]) == ANNA_PRINCIPAL
    assert tickets.verify(texts["selection"]) == SELECTION
    assert tickets.verify_session(texts["session"]) == ANNA_PRINCIPAL
    assert tickets.verify_session(texts["server session"]) == SECOND_SERVER


def test_a_ticket_is_not_a_session_and_a_session_is_not_a_ticket() -> None:
    tickets = build_tickets()
    texts = {kind: ticket.text for kind, ticket in issue_all_kinds(tickets).items()}
    for kind in ("session", "server session"):
        with pytest.raises(Unauthenticated):
            tickets.verify(texts[kind])
    for kind in ("user", "selection"):
        with pytest.raises(Unauthenticated):
            tickets.verify_session(texts[kind])


def test_the_kind_of_a_ticket_cannot_be_changed() -> None:
    tickets = build_tickets()
    for ticket in issue_all_kinds(tickets).values():
        raw = base64.urlsafe_b64decode(ticket.text[3:] + "==")
        for kind in b"upsS":
            forged = bytes([kind]) + raw[1:]
            text = "ct_" + base64.urlsafe_b64encode(forged).decode().rstrip("=")
            if forged == raw:
                continue
            for verify in (tickets.verify, tickets.verify_session):
                with pytest.raises(Unauthenticated):
                    verify(text)


def test_every_ticket_is_rejected_from_its_expiry_on() -> None:
    clock = ManualClock()
    tickets = build_tickets(clock=clock)
    minutes_by_kind = {"user": 30, "selection": 30, "session": 30, "server session": 8 * 60}
    ticket_by_kind = issue_all_kinds(tickets)
    for kind, minutes in sorted(minutes_by_kind.items(), key=lambda item: item[1]):
        assert ticket_by_kind[kind].expires_at == NOON + timedelta(minutes=minutes)
        verify = tickets.verify_session if "session" in kind else tickets.verify
        clock.advance((ticket_by_kind[kind].expires_at - clock.now()).total_seconds() - 1)
        assert verify(ticket_by_kind[kind].text).expires_at == ticket_by_kind[kind].expires_at
        clock.advance(1)
        with pytest.raises(Unauthenticated, match="expired"):
            verify(ticket_by_kind[kind].text)
        clock.advance(-1)


def test_a_session_lasts_as_long_as_its_credentials_and_at_least_thirty_minutes() -> None:
    tickets = build_tickets()
    for hours, expected in ((2, timedelta(hours=2)), (0, timedelta(minutes=30))):
        principal = Principal("user", "user", ANNA, expires_at=NOON + timedelta(hours=hours))
        assert tickets.issue_session(principal).expires_at == NOON + expected


def test_a_servers_session_is_invalid_after_its_api_key_is_removed() -> None:
    text = build_tickets().issue_session(SECOND_SERVER).text
    renamed = build_tickets(api_keys={"server key 1": API_KEYS["server key 2"]})
    assert renamed.verify_session(text) == Principal("server", "server key 1")
    with pytest.raises(Unauthenticated):
        build_tickets(api_keys={"server key 1": b"1" * 32}).verify_session(text)


def test_a_session_stays_valid_after_a_new_ticket_key_is_put_first() -> None:
    text = build_tickets(b"old").issue_session(SECOND_SERVER).text
    assert build_tickets(b"new", b"old").verify_session(text) == SECOND_SERVER
    with pytest.raises(Unauthenticated):
        build_tickets(b"new").verify_session(text)


def test_a_selection_ticket_cannot_be_exchanged_for_a_session() -> None:
    with pytest.raises(ValueError, match="selection"):
        build_tickets().issue_session(SELECTION)


def test_no_kind_of_ticket_is_part_of_its_repr() -> None:
    assert all(
        ticket.text not in repr(ticket) for ticket in issue_all_kinds(build_tickets()).values()
    )


@pytest.mark.parametrize("text", ["", "ct_", "ct_AA", "nonsense", "ct_\u00e4", "ct_" + "A" * 200])
def test_text_that_is_not_a_ticket_is_rejected(text: str) -> None:
    for verify in (build_tickets().verify, build_tickets().verify_session):
        with pytest.raises(Unauthenticated):
            verify(text)
