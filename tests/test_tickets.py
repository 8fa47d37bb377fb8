"""Tickets of our own: each kind good for its own door, and for as long as it says."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from connector.errors import Unauthenticated
from connector.model import Principal
from connector.tickets import Ticket, Tickets

from .clocks import NOON, TurnedClock
from .people import ANNA, AS_ANNA

SERVERS = {"server key 1": b"1" * 32, "server key 2": b"2" * 32}
CONNECTION = "0b5a7c1e-4d3f-4a7b-8c9d-112233445566"
PICKER = Principal("user", "user", ANNA, CONNECTION)
SECOND = Principal("server", "server key 2")


def office(
    *keys: bytes, servers: dict[str, bytes] = SERVERS, clock: TurnedClock | None = None
) -> Tickets:
    return Tickets(keys or (b"key",), servers=servers, clock=clock or TurnedClock())


def minted(tickets: Tickets) -> dict[str, Ticket]:
    return {
        "user": tickets.mint(ANNA),
        "picker": tickets.mint(ANNA, connection_id=CONNECTION),
        "session": tickets.mint_session(AS_ANNA),
        "server session": tickets.mint_session(SECOND),
    }


def test_each_kind_says_whose_it_is_at_its_own_door() -> None:
    tickets = office()
    of = {kind: ticket.text for kind, ticket in minted(tickets).items()}
    assert tickets.read(of["user"]) == AS_ANNA
    assert tickets.read(of["picker"]) == PICKER
    assert tickets.read_session(of["session"]) == AS_ANNA
    assert tickets.read_session(of["server session"]) == SECOND


def test_no_kind_passes_at_anothers_door() -> None:
    tickets = office()
    of = {kind: ticket.text for kind, ticket in minted(tickets).items()}
    for kind in ("session", "server session"):
        with pytest.raises(Unauthenticated):
            tickets.read(of[kind])
    for kind in ("user", "picker"):
        with pytest.raises(Unauthenticated):
            tickets.read_session(of[kind])


def test_the_kind_cannot_be_changed() -> None:
    tickets = office()
    for ticket in minted(tickets).values():
        signed = base64.urlsafe_b64decode(ticket.text[3:] + "==")
        for kind in b"upsS":
            forged = bytes([kind]) + signed[1:]
            text = "ct_" + base64.urlsafe_b64encode(forged).decode().rstrip("=")
            if forged == signed:
                continue
            for read in (tickets.read, tickets.read_session):
                with pytest.raises(Unauthenticated):
                    read(text)


def test_every_ticket_ends_when_it_says() -> None:
    clock = TurnedClock()
    tickets = office(clock=clock)
    lasts = {"user": 30, "picker": 30, "session": 30, "server session": 8 * 60}
    made = minted(tickets)
    for kind, minutes in sorted(lasts.items(), key=lambda each: each[1]):
        assert made[kind].expires_at == NOON + timedelta(minutes=minutes)
        read = tickets.read_session if "session" in kind else tickets.read
        clock.turn((made[kind].expires_at - clock.now()).total_seconds() - 1)
        assert read(made[kind].text).expires_at == made[kind].expires_at
        clock.turn(1)
        with pytest.raises(Unauthenticated, match="expired"):
            read(made[kind].text)
        clock.turn(-1)


def test_a_session_outlives_neither_what_opened_it_nor_falls_far_short() -> None:
    tickets = office()
    for hours, lasts in ((2, timedelta(hours=2)), (0, timedelta(minutes=30))):
        opened_by = Principal("user", "user", ANNA, expires_at=NOON + timedelta(hours=hours))
        assert tickets.mint_session(opened_by).expires_at == NOON + lasts


def test_a_servers_session_ends_when_its_key_is_withdrawn() -> None:
    text = office().mint_session(SECOND).text
    moved = office(servers={"server key 1": SERVERS["server key 2"]})
    assert moved.read_session(text) == Principal("server", "server key 1")
    with pytest.raises(Unauthenticated):
        office(servers={"server key 1": b"1" * 32}).read_session(text)


def test_tickets_outlive_a_new_key_in_front_of_the_old_one() -> None:
    text = office(b"old").mint_session(SECOND).text
    assert office(b"new", b"old").read_session(text) == SECOND
    with pytest.raises(Unauthenticated):
        office(b"new").read_session(text)


def test_a_picker_gets_no_session() -> None:
    with pytest.raises(ValueError, match="picker"):
        office().mint_session(PICKER)


def test_a_ticket_stays_out_of_logs() -> None:
    assert all(ticket.text not in repr(ticket) for ticket in minted(office()).values())


@pytest.mark.parametrize("text", ["", "ct_", "ct_AA", "nonsense", "ct_\u00e4", "ct_" + "A" * 200])
def test_nonsense_is_refused(text: str) -> None:
    for read in (office().read, office().read_session):
        with pytest.raises(Unauthenticated):
            read(text)
