"""One question, one answer: connecting by hand, looking, using, ending."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.houses import Simulator
from tests.people import ANNA

from .shell import Shell

BEN = "0f0e0d0c-0b0a-4908-8706-050403020100"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("family", ["marketing", "accounts", "login_kit"])
async def test_a_person_is_connected_by_hand_and_their_token_works(
    shell: Shell, tiktok: Simulator, family: str
) -> None:
    id = await shell.connect(tiktok, family=family)
    token = await shell("token", id)
    assert (token.code, token.err) == (0, "")
    assert tiktok.world.ledger.access(token.out.strip()).grant.alive


async def test_on_supabase_it_is_the_same(on_supabase: Shell, tiktok: Simulator) -> None:
    shell = on_supabase
    id = await shell.connect(tiktok, family="login_kit")
    before = (await shell("token", id)).out
    assert (await shell("refresh", id)).code == 0
    after = (await shell("token", id)).out
    assert before != after
    assert tiktok.world.ledger.access(after.strip()).grant.alive
    assert "refresh" in (await shell("attempts", id)).out
    assert (await shell("disconnect", id)).code == 0
    assert (await shell.shown(id))["status"] == "revoked"


async def test_the_consent_url_defaults_to_the_first_redirect_address(shell: Shell) -> None:
    shell.environment["TIKTOK_REDIRECT_URI"] = "https://a.example/back,https://b.example/back"
    first = parse_qs(urlsplit((await shell("auth-url", "--user", ANNA)).out.strip()).query)
    assert first["redirect_uri"] == ["https://a.example/back"]
    other = await shell("auth-url", "--user", ANNA, "--redirect-uri", "https://b.example/back")
    assert parse_qs(urlsplit(other.out).query)["redirect_uri"] == ["https://b.example/back"]
    stranger = await shell("auth-url", "--user", ANNA, "--redirect-uri", "https://c.example/back")
    assert (stranger.code, stranger.out) == (2, "")
    assert "TIKTOK_REDIRECT_URI" in stranger.err


async def test_a_family_that_is_not_set_up_is_refused_with_those_that_are(shell: Shell) -> None:
    shell.environment["TIKTOK_CLIENT_KEY"] = shell.environment["TIKTOK_CLIENT_SECRET"] = ""
    done = await shell("auth-url", "--user", ANNA, "--family", "login_kit")
    assert done.code == 2
    assert "marketing, accounts" in done.err


async def test_a_user_who_is_no_uuid_is_refused(shell: Shell) -> None:
    for command in ("auth-url", "ticket", "connections"):
        done = await shell(command, "--user", "anna")
        assert (done.code, done.out) == (2, "")
        assert "--user must be a UUID" in done.err


async def test_the_same_code_exchanged_again_gets_the_first_ones_answer(
    shell: Shell, tiktok: Simulator
) -> None:
    state = await shell.state()
    code = await tiktok.consent()
    first = await shell("exchange", code, "--state", state)
    again = await shell("exchange", code, "--state", state)
    assert first.code == again.code == 0
    assert json.loads(first.out) == json.loads(again.out)
    assert (await tiktok.stats())["exchanges"] == 1


async def test_several_advertisers_lead_to_a_link_where_the_person_picks(
    shell: Shell, tiktok: Simulator
) -> None:
    state = await shell.state()
    done = await shell("exchange", await tiktok.consent(advertisers=3), "--state", state)
    assert len(json.loads(done.out)["advertisers"]) == 3
    assert "/connect#ticket=" in done.err


async def test_a_forged_state_is_refused_in_a_sentence(shell: Shell, tiktok: Simulator) -> None:
    done = await shell("exchange", await tiktok.consent(), "--state", "bm9uc2Vuc2U")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("connector: The state is mangled")


async def test_a_ticket_is_a_link_with_its_secret_in_the_fragment(shell: Shell) -> None:
    done = await shell("ticket", "--user", ANNA)
    parts = urlsplit(done.out.strip())
    assert (parts.path, parts.query) == ("/connect", "")
    assert parts.fragment.startswith("ticket=ct_")


async def test_the_table_shows_who_is_connected_and_for_how_long(
    shell: Shell, tiktok: Simulator
) -> None:
    ads = await shell.connect(tiktok, advertisers=[{"id": "7", "name": "Northwind"}])
    kit = await shell.connect(tiktok, family="login_kit")
    lines = (await shell("connections")).out.splitlines()
    assert lines[0].split()[:3] == ["id", "user", "family"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert "Northwind" in rows[ads]
    assert "never" in rows[ads]
    assert " 1 h 59 min" in rows[kit]


async def test_one_users_connections_are_shown_alone(shell: Shell, tiktok: Simulator) -> None:
    id = await shell.connect(tiktok)
    assert id in (await shell("connections", "--user", ANNA)).out
    others = await shell("connections", "--user", BEN)
    assert (others.out, others.err) == ("", "connector: Nobody is connected yet.\n")


async def test_as_json_a_connection_looks_as_it_does_over_http(
    shell: Shell, tiktok: Simulator
) -> None:
    id = await shell.connect(tiktok, advertisers=[{"id": "7", "name": "Northwind"}])
    shown = await shell.shown(id)
    assert shown["title"] == "TikTok Ads"
    assert shown["advertiser"] == {"id": "7", "name": "Northwind"}
    assert (shown["status"], shown["expires_at"], shown["failure"]) == ("active", None, None)


async def test_a_name_cannot_command_the_terminal(shell: Shell, tiktok: Simulator) -> None:
    await shell.connect(tiktok, advertisers=[{"id": "7", "name": "\x1b[2J[bold]Boo\x07"}])
    shown = (await shell("connections")).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]Boo" in shown


async def test_every_attempt_is_shown_newest_first(shell: Shell, tiktok: Simulator) -> None:
    id = await shell.connect(tiktok, family="login_kit")
    await shell("refresh", id)
    told = json.loads((await shell("attempts", id, "--json")).out)
    assert [(a["what"], a["who"], a["verdict"]) for a in told] == [
        ("refresh", "command line", "ok"),
        ("exchange", "command line", "ok"),
    ]
    lines = (await shell("attempts", id)).out.splitlines()
    assert ["refresh" in lines[1], "exchange" in lines[2]] == [True, True]


async def test_a_token_that_runs_out_is_refreshed_before_it_is_printed(
    shell: Shell, tiktok: Simulator
) -> None:
    await tiktok.post("/_sim/settings", {"access_seconds": 1})
    id = await shell.connect(tiktok, family="login_kit")
    await tiktok.post("/_sim/settings", {"access_seconds": 7200})
    first = (await shell("token", id)).out
    while (token := (await shell("token", id)).out) == first:
        pass
    assert tiktok.world.ledger.access(token.strip()).grant.alive
    assert (await tiktok.stats())["refreshes"] == 1


async def test_disconnecting_takes_the_grant_back_at_tiktok(
    shell: Shell, tiktok: Simulator
) -> None:
    id = await shell.connect(tiktok)
    done = await shell("disconnect", id)
    assert (done.code, done.out, done.err) == (0, f"Disconnected {id}.\n", "")
    assert (await tiktok.stats())["revoked"] == 1
    token = await shell("token", id)
    assert (token.code, token.out) == (1, "")
    assert "connect the account again" in token.err


async def test_disconnecting_while_tiktok_is_away_says_that_it_goes_on_trying(
    shell: Shell, tiktok: Simulator
) -> None:
    id = await shell.connect(tiktok)
    await tiktok.fault("/oauth2/revoke_token/", "status", 500, times=-1)
    done = await shell("disconnect", id)
    assert done.code == 0
    assert "goes on trying" in done.err


@pytest.mark.parametrize("command", ["token", "attempts", "disconnect", "refresh"])
@pytest.mark.parametrize("id", [NOBODY, "nonsense"])
async def test_what_is_not_there_is_not_found(shell: Shell, command: str, id: str) -> None:
    done = await shell(command, id)
    assert (done.code, done.out) == (1, "")
    assert done.err == "connector: There is no such connection.\n"


async def test_wrong_settings_are_all_told_with_their_remedies(shell: Shell) -> None:
    shell.environment |= {"TIKTOK_APP_SECRET": "", "CONNECTOR_LOG": "loud"}
    done = await shell("connections")
    assert (done.code, done.out) == (2, "")
    assert "TIKTOK_APP_SECRET: It is needed" in done.err
    assert "CONNECTOR_LOG: It is not a word known here. Write one of" in done.err


async def test_a_bad_key_is_not_repeated(shell: Shell) -> None:
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = "canary-of-a-key"
    done = await shell("connections")
    assert done.code == 2
    assert "canary" not in done.err


async def test_settings_are_read_from_the_file_in_the_working_directory(shell: Shell) -> None:
    written = "\n".join(f"{name}={value}" for name, value in shell.environment.items())
    (shell.home / ".env").write_text(written)
    shell.environment = {}
    assert (await shell("connections")).code == 0


async def test_a_store_that_does_not_answer_is_told_in_a_sentence(shell: Shell) -> None:
    shell.environment["CONNECTOR_DATABASE"] = "nowhere/at/all.db"
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = (await shell("keys", "new")).out.strip()
    for command in (["connections"], ["token", NOBODY]):
        done = await shell(*command)
        assert (done.code, done.out) == (1, "")
        assert "The SQLite database does not answer" in done.err


async def test_in_a_pipe_the_token_is_all_there_is(shell: Shell, tiktok: Simulator) -> None:
    id = await shell.connect(tiktok)
    done = await shell.run("token", id)
    assert (done.code, done.err) == (0, "")
    assert done.out == (await shell("token", id)).out


async def test_a_reader_who_has_enough_is_no_error(shell: Shell) -> None:
    process = await shell.start("keys", "new")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    _, err = await process.communicate()
    assert "Traceback" not in err.decode()
