"""`connector webhooks`, and what `connector check` says about webhooks."""

from __future__ import annotations

import pytest

from connector.cli.event_parser import WEBHOOK_TYPES
from connector.tiktok import WEBHOOK_EVENT_TYPES
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP, Simulator

from .runner import CommandRunner

HTTPS = "https://connector.example.com"


async def test_the_callback_is_the_public_url_of_the_service_and_is_set_for_video_events(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    cli.environment["CONNECTOR_PUBLIC_URL"] = HTTPS
    result = await cli.run("webhooks", "set")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"TikTok sends webhooks of the type VIDEO to {HTTPS}/webhooks/tiktok.\n"
    assert tiktok.state.webhook_urls == {
        (BUSINESS_APP.id, "VIDEO"): f"{HTTPS}/webhooks/tiktok",
    }


async def test_another_event_type_and_another_address_can_be_set(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    url = "https://tunnel.example.com/webhooks/tiktok"
    result = await cli.run("webhooks", "set", "--event", "comment", "--url", url)
    assert result.code == 0
    assert tiktok.state.webhook_urls == {(BUSINESS_APP.id, "COMMENT"): url}


async def test_the_list_shows_every_event_type_and_a_deleted_callback_no_more(
    cli: CommandRunner,
) -> None:
    await cli.run("webhooks", "set", "--url", f"{HTTPS}/hook")
    before = await cli.run("webhooks", "list")
    assert before.code == 0
    rows = [line.split() for line in before.out.splitlines()[1:]]
    assert rows[0] == ["VIDEO", f"{HTTPS}/hook"]
    assert rows[1:] == [[type, "-"] for type in WEBHOOK_EVENT_TYPES[1:]]
    deleted = await cli.run("webhooks", "delete")
    assert deleted.out == "TikTok no longer sends webhooks of the type VIDEO.\n"
    after = await cli.run("webhooks", "list", "--event", "VIDEO")
    assert after.out.splitlines()[1].split() == ["VIDEO", "-"]


def test_the_options_name_the_event_types_of_tiktok() -> None:
    assert WEBHOOK_TYPES == WEBHOOK_EVENT_TYPES


async def test_an_event_type_that_tiktok_does_not_document_is_wrong_usage(
    cli: CommandRunner,
) -> None:
    assert (await cli.run("webhooks", "set", "--event", "DEFAULT")).code == 2


@pytest.mark.parametrize(
    ("public_url", "api"),
    [
        ("http://connector.example.com", None),
        ("http://connector.example.com", "https://business-api.tiktok.com"),
        ("http://localhost:8080", "https://business-api.tiktok.com"),
    ],
)
async def test_an_address_that_tiktok_cannot_use_is_refused_with_a_sentence(
    cli: CommandRunner, tiktok: Simulator, public_url: str, api: str | None
) -> None:
    cli.environment["CONNECTOR_PUBLIC_URL"] = public_url
    cli.environment |= {"TIKTOK_BUSINESS_API_URL": api} if api else {}
    result = await cli.run("webhooks", "set")
    assert (result.code, result.out) == (2, "")
    assert f"{public_url}/webhooks/tiktok does not begin with https" in result.err
    assert tiktok.state.webhook_urls == {}


async def test_a_text_that_is_no_address_is_refused(cli: CommandRunner) -> None:
    result = await cli.run("webhooks", "set", "--url", "example.com")
    assert (result.code, result.err) == (2, "connector: --url must be a web address.\n")


async def test_a_simulator_may_send_webhooks_to_this_machine(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    assert (await cli.run("webhooks", "set")).code == 0
    address = f"http://localhost:{cli.environment['CONNECTOR_PORT']}/webhooks/tiktok"
    assert tiktok.state.webhook_urls == {(BUSINESS_APP.id, "VIDEO"): address}


async def test_without_an_app_of_the_business_api_the_commands_say_what_to_set(
    cli: CommandRunner,
) -> None:
    del cli.environment["TIKTOK_APP_ID"], cli.environment["TIKTOK_APP_SECRET"]
    for action in ("set", "list", "delete"):
        result = await cli.run("webhooks", action)
        assert result.code == 2
        assert "TIKTOK_APP_ID" in result.err


async def test_a_refusal_of_tiktok_is_printed_with_its_code(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    for action in ("set", "list", "delete"):
        await tiktok.fault("business/webhook", "code", 40002, times=-1)
        result = await cli.run("webhooks", action)
        assert (result.code, result.out) == (1, "")
        assert "TikTok says:" in result.err
        assert "(40002)" in result.err


async def test_an_event_type_that_tiktok_refuses_does_not_hide_the_others(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await tiktok.fault("business/webhook", "code", 40002)
    result = await cli.run("webhooks", "list")
    assert result.code == 0
    assert result.err.startswith("connector: VIDEO: ")
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == list(
        WEBHOOK_EVENT_TYPES[1:]
    )


async def test_an_unreachable_tiktok_is_a_failure(cli: CommandRunner) -> None:
    cli.environment["TIKTOK_BUSINESS_API_URL"] = "http://127.0.0.1:9"
    result = await cli.run("webhooks", "set")
    assert result.code == 1
    assert "TikTok could not be reached" in result.err


# connector check.


async def test_check_prints_the_address_to_enter_in_tiktoks_portal(cli: CommandRunner) -> None:
    address = f"http://localhost:{cli.environment['CONNECTOR_PORT']}/webhooks/tiktok"
    result = await cli.run("check")
    assert result.code == 0
    assert f"ok       webhooks for login_kit: {address}, none has arrived\n" in result.out


async def test_check_says_when_the_last_webhook_arrived(cli: CommandRunner) -> None:
    await cli.run("check")
    insert = "insert into webhook_apps (app, last_webhook_at) values (?, ?)"
    cli.sql(insert, LOGIN_KIT_APP.id, "2026-11-20T12:34:56.000000+00:00")
    cli.sql(insert, BUSINESS_APP.id, "2026-11-21T00:00:00.000000+00:00")
    cli.environment["CONNECTOR_PUBLIC_URL"] = HTTPS
    result = await cli.run("check")
    assert "the last one arrived at 2026-11-20 12:34:56Z" in result.out


async def test_check_says_nothing_about_webhooks_without_login_kit(cli: CommandRunner) -> None:
    del cli.environment["TIKTOK_CLIENT_KEY"], cli.environment["TIKTOK_CLIENT_SECRET"]
    assert "webhooks" not in (await cli.run("check")).out


async def test_check_warns_if_accounts_are_connected_and_no_webhook_has_ever_arrived(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    assert "warning  webhooks" not in (await cli.run("check")).out
    await cli.connect(tiktok, family="login_kit")
    assert "warning  webhooks" not in (await cli.run("check")).out, "the public URL is not https"
    cli.environment |= {
        "CONNECTOR_PUBLIC_URL": HTTPS,
        "TIKTOK_REDIRECT_URI": f"{HTTPS}/oauth/callback",
    }
    result = await cli.run("check")
    assert result.code == 0
    [line] = [line for line in result.out.splitlines() if line.startswith("warning  webhooks")]
    assert f"Enter {HTTPS}/webhooks/tiktok" in line


async def test_check_does_not_warn_while_no_connection_of_login_kit_is_active(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok, family="accounts")
    cli.environment |= {
        "CONNECTOR_PUBLIC_URL": HTTPS,
        "TIKTOK_REDIRECT_URI": f"{HTTPS}/oauth/callback",
    }
    assert "warning  webhooks" not in (await cli.run("check")).out
