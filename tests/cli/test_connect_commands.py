"""`connector auth-url`, `exchange` and `ticket`: connecting a person without a browser session."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from tests.credentials import ANNA
from tests.running_service import Simulator

from .runner import CommandRunner


async def test_the_consent_url_uses_the_first_redirect_uri_unless_another_allowed_one_is_named(
    cli: CommandRunner,
) -> None:
    cli.environment["TIKTOK_REDIRECT_URI"] = "https://a.example/back,https://b.example/back"
    first = parse_qs(urlsplit((await cli.run("auth-url", "--user", ANNA)).out.strip()).query)
    assert first["redirect_uri"] == ["https://a.example/back"]
    other = await cli.run("auth-url", "--user", ANNA, "--redirect-uri", "https://b.example/back")
    assert parse_qs(urlsplit(other.out).query)["redirect_uri"] == ["https://b.example/back"]
    unlisted = await cli.run("auth-url", "--user", ANNA, "--redirect-uri", "https://c.example/back")
    assert (unlisted.code, unlisted.out) == (2, "")
    assert "TIKTOK_REDIRECT_URI" in unlisted.err


async def test_a_family_without_an_app_is_refused_and_the_error_lists_the_available_families(
    cli: CommandRunner,
) -> None:
    cli.environment["TIKTOK_CLIENT_KEY"] = cli.environment["TIKTOK_CLIENT_SECRET"] = ""
    result = await cli.run("auth-url", "--user", ANNA, "--family", "login_kit")
    assert result.code == 2
    assert "marketing, accounts" in result.err


async def test_a_user_id_that_is_not_printable_ascii_is_refused(cli: CommandRunner) -> None:
    for command in ("auth-url", "ticket", "connections"):
        result = await cli.run(command, "--user", "Søren")
        assert (result.code, result.out) == (2, "")
        assert "--user must be a text of 1 to 128 printable ASCII characters" in result.err


async def test_exchanging_the_same_code_again_prints_the_first_reply(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    state = await cli.state()
    code = await tiktok.consent()
    first = await cli.run("exchange", code, "--state", state)
    again = await cli.run("exchange", code, "--state", state)
    assert first.code == again.code == 0
    assert json.loads(first.out) == json.loads(again.out)
    assert (await tiktok.stats())["exchanges"] == 1


async def test_exchange_prints_a_link_for_the_selection_of_one_of_several_advertisers(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    state = await cli.state()
    result = await cli.run("exchange", await tiktok.consent(advertisers=3), "--state", state)
    assert len(json.loads(result.out)["advertisers"]) == 3
    assert "/connect#ticket=" in result.err


async def test_a_forged_state_is_refused_with_a_message(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    result = await cli.run("exchange", await tiktok.consent(), "--state", "bm9uc2Vuc2U")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("connector: The state ")


async def test_ticket_prints_a_link_with_the_secret_in_the_fragment(cli: CommandRunner) -> None:
    result = await cli.run("ticket", "--user", ANNA)
    parts = urlsplit(result.out.strip())
    assert (parts.path, parts.query) == ("/connect", "")
    assert parts.fragment.startswith("ticket=ct_")


async def test_ticket_takes_a_name_for_the_page_and_refuses_control_characters(
    cli: CommandRunner,
) -> None:
    plain = await cli.run("ticket", "--user", ANNA)
    named = await cli.run("ticket", "--user", ANNA, "--display-name", "Anna Schmidt")
    assert len(named.out) > len(plain.out)
    refused = await cli.run("ticket", "--user", ANNA, "--display-name", "Anna\x1b[2J")
    assert (refused.code, refused.out) == (2, "")
    assert "--display-name must be a text of 1 to 100 characters" in refused.err
