"""Each kind of ticket is accepted only for its own purpose, and only until it expires."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from connector.errors import Unauthenticated
from connector.identity.api_keys import ApiKey, ApiKeys
from connector.identity.tickets import Ticket, Tickets
from connector.model import Principal, UserId
from tests.credentials import ANNA, ANNA_PRINCIPAL
from tests.manual_clock import NOON, ManualClock

API_KEYS = (
    ApiKey.parse("a:read+write:first-key-0123456"),
    ApiKey.parse("b:read:second-key-012345"),
)
CONNECTION_ID = "0b5a7c1e-4d3f-4a7b-8c9d-112233445566"
SELECTION = Principal("user", "user", ANNA, CONNECTION_ID)
NAME = "Anna Schmidt"
NAMED_PRINCIPAL = Principal("user", "user", ANNA, display_name=NAME)
SECOND_SERVER = Principal("server", "b", scopes=frozenset({"read"}), api_key="b")


def build_tickets(
    *keys: bytes, api_keys: tuple[ApiKey, ...] = API_KEYS, clock: ManualClock | None = None
) -> Tickets:
    return Tickets(keys or (b"key",), api_keys=ApiKeys(api_keys), clock=clock or ManualClock())


def issue_all_kinds(tickets: Tickets) -> dict[str, Ticket]:
    return {
        "user": tickets.issue(ANNA),
        "selection": tickets.issue(ANNA, connection_id=CONNECTION_ID),
        "bound user": tickets.issue(ANNA, api_key="a"),
        "named user": tickets.issue(ANNA, display_name=NAME),
        "session": tickets.issue_session(ANNA_PRINCIPAL),
        "named session": tickets.issue_session(NAMED_PRINCIPAL),
        "server session": tickets.issue_session(SECOND_SERVER),
    }


def test_each_kind_of_ticket_authenticates_its_principal() -> None:
    tickets = build_tickets()
    texts = {kind: ticket.text for kind, ticket in issue_all_kinds(tickets).items()}
    assert tickets.verify(texts["user"]) == ANNA_PRINCIPAL
    assert tickets.verify(texts["named user"]) == NAMED_PRINCIPAL
    assert tickets.verify(texts["selection"]) == SELECTION
    assert tickets.verify_session(texts["session"]) == ANNA_PRINCIPAL
    assert tickets.verify_session(texts["named session"]) == NAMED_PRINCIPAL
    assert tickets.verify_session(texts["server session"]) == SECOND_SERVER


def test_a_user_id_of_any_length_keeps_its_display_name_apart() -> None:
    tickets = build_tickets()
    for user_id in (UserId("~"), UserId("u" * 128)):
        ticket = tickets.issue(user_id, display_name="\u00c5sa \u2013 \U0001f600")
        principal = tickets.verify(ticket.text)
        assert (principal.user_id, principal.display_name) == (
            user_id,
            "\u00c5sa \u2013 \U0001f600",
        )
        assert tickets.verify_session(tickets.issue_session(principal).text) == principal
    assert tickets.verify(tickets.issue(ANNA).text).display_name is None


def test_a_ticket_is_not_a_session_and_a_session_is_not_a_ticket() -> None:
    tickets = build_tickets()
    texts = {kind: ticket.text for kind, ticket in issue_all_kinds(tickets).items()}
    for kind in ("session", "named session", "server session"):
        with pytest.raises(Unauthenticated):
            tickets.verify(texts[kind])
    for kind in ("user", "bound user", "named user", "selection"):
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
    minutes_by_kind = {
        "user": 30,
        "bound user": 30,
        "named user": 30,
        "selection": 30,
        "session": 8 * 60,
        "named session": 8 * 60,
        "server session": 8 * 60,
    }
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


def test_a_session_lasts_as_long_as_its_credentials_and_at_most_eight_hours() -> None:
    tickets = build_tickets()
    for hours, expected in ((2, 2), (1 / 60, 1 / 60), (87_600, 8)):
        principal = Principal("user", "user", ANNA, expires_at=NOON + timedelta(hours=hours))
        assert tickets.issue_session(principal).expires_at == NOON + timedelta(hours=expected)


def test_two_sessions_of_the_same_second_differ() -> None:
    tickets = build_tickets()
    for principal in (ANNA_PRINCIPAL, SECOND_SERVER):
        assert tickets.issue_session(principal).text != tickets.issue_session(principal).text


WITHDRAWN = (API_KEYS[0],)
REPLACED = (API_KEYS[0], ApiKey.parse("b:read:another-key-01234"))
OTHER_SCOPES = (API_KEYS[0], ApiKey.parse("b:read+write:second-key-012345"))


@pytest.mark.parametrize("api_keys", [WITHDRAWN, REPLACED, OTHER_SCOPES])
def test_what_a_key_issued_is_invalid_once_the_key_is_withdrawn_or_its_scopes_change(
    api_keys: tuple[ApiKey, ...],
) -> None:
    before, after = build_tickets(), build_tickets(api_keys=api_keys)
    ticket = before.issue(ANNA, api_key="b").text
    user_session = before.issue_session(before.verify(ticket)).text
    server_session = before.issue_session(SECOND_SERVER).text
    with pytest.raises(Unauthenticated, match="withdrawn"):
        after.verify(ticket)
    for session in (user_session, server_session):
        assert before.verify_session(session)
        with pytest.raises(Unauthenticated, match="withdrawn"):
            after.verify_session(session)


def test_what_a_key_issued_stays_valid_when_the_key_gets_another_name_or_place() -> None:
    before = build_tickets()
    renamed = build_tickets(api_keys=(ApiKey.parse("c:read:second-key-012345"), API_KEYS[0]))
    assert renamed.verify(before.issue(ANNA, api_key="b").text).api_key == "c"
    assert renamed.verify_session(before.issue_session(SECOND_SERVER).text).actor == "c"


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
