"""The log contains every call of TikTok's addresses and never contains a secret."""

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, Client

EXCHANGE_PATH = "/open_api/v1.3/oauth2/access_token/"


async def test_the_log_contains_time_path_operation_and_result_of_a_call(client: Client) -> None:
    await client.exchange_marketing("unknown")
    (line,) = (await client.get("/_sim/log"))["calls"]
    assert (line["at"], line["method"], line["path"]) == (client.clock(), "POST", EXCHANGE_PATH)
    assert (line["verdict"], line["what"], line["app"]) == ("40110", "exchange", BUSINESS_APP.id)


async def test_the_log_contains_no_token_code_or_secret(client: Client) -> None:
    code = await client.consent()
    token = (await client.exchange_marketing(code))["data"]["access_token"]
    await client.get(
        "/open_api/v1.3/oauth2/advertiser/get/",
        token=token,
        app_id=BUSINESS_APP.id,
        secret=BUSINESS_APP.secret,
    )
    tokens = await client.login_kit_tokens()
    await client.refresh_login_kit(tokens["refresh_token"])
    _, log = await client.request("GET", "/_sim/log")
    for secret in (
        code,
        token,
        BUSINESS_APP.secret,
        LOGIN_KIT_APP.secret,
        tokens["access_token"],
        tokens["refresh_token"],
    ):
        assert secret.encode() not in log


async def test_the_log_can_be_filtered_and_cleared(client: Client) -> None:
    await client.exchange_marketing("x")
    await client.refresh_login_kit("x")
    assert len((await client.get("/_sim/log", path="/v2/"))["calls"]) == 1
    assert len((await client.get("/_sim/log", limit="1"))["calls"]) == 1
    await client.request("DELETE", "/_sim/log")
    assert (await client.get("/_sim/log"))["calls"] == []


async def test_calls_of_the_controls_are_not_logged(client: Client) -> None:
    await client.stats()
    assert (await client.get("/_sim/log"))["calls"] == []


async def test_calls_of_unknown_addresses_are_counted_by_one_counter(client: Client) -> None:
    for number in range(3):
        await client.request("GET", f"/nowhere/{number}")
    by_path = (await client.stats())["by_path"]
    assert list(by_path.values()) == [3]
