"""The TikTok Accounts API: JSON, `act.` and `rft.`, a refresh window that only shrinks."""

from .conftest import ADS, BACK, Tap

ROOT = "/open_api/v1.3/"
CLIENT = {"client_id": ADS.id, "client_secret": ADS.secret}
APP = {"app_id": ADS.id, "secret": ADS.secret}


async def test_an_exchange_answers_the_documented_tokens(tap: Tap) -> None:
    tokens = await tap.account(scopes=["user.info.basic", "video.list"])
    assert sorted(tokens) == [
        "access_token",
        "expires_in",
        "open_id",
        "refresh_token",
        "refresh_token_expires_in",
        "scope",
        "token_type",
    ]
    assert tokens["access_token"].startswith("act.")
    assert tokens["refresh_token"].startswith("rft.")
    assert tokens["scope"] == "user.info.basic,video.list"
    assert (tokens["expires_in"], tokens["refresh_token_expires_in"]) == (86_400, 31_536_000)


async def test_the_redirect_uri_must_be_the_one_the_person_was_sent_to(tap: Tap) -> None:
    code = await tap.consent("accounts", redirect_uri=BACK)
    assert (await tap.account_exchange(code, redirect_uri=BACK + "/"))["code"] == 40002
    assert (await tap.account_exchange(code))["code"] == 0


async def test_every_field_of_an_exchange_is_required(tap: Tap) -> None:
    code = await tap.consent("accounts")
    for field in ("client_id", "client_secret", "grant_type", "auth_code", "redirect_uri"):
        answer = await tap.account_exchange(code, **{field: ""})
        assert (answer["code"], field in answer["message"]) == (40002, True)


async def test_another_grant_type_is_refused(tap: Tap) -> None:
    code = await tap.consent("accounts")
    assert (await tap.account_exchange(code, grant_type="implicit"))["code"] == 40108


async def test_an_ads_code_is_refused_here(tap: Tap) -> None:
    assert (await tap.account_exchange(await tap.consent()))["code"] == 40115


async def test_a_refresh_shrinks_the_window_and_does_not_renew_it(tap: Tap) -> None:
    tokens = await tap.account()
    tap.clock.seconds += 8_686
    answer = await tap.account_refresh(tokens["refresh_token"])
    assert answer["data"]["refresh_token_expires_in"] == 31_527_314
    assert answer["data"]["expires_in"] == 86_400


async def test_a_rotated_refresh_token_is_invalid(tap: Tap) -> None:
    tokens = await tap.account()
    await tap.account_refresh(tokens["refresh_token"])
    assert (await tap.account_refresh(tokens["refresh_token"]))["code"] == 40107


async def test_an_expired_refresh_token_has_its_own_code(tap: Tap) -> None:
    tokens = await tap.account()
    tap.clock.seconds += 31_536_000
    assert (await tap.account_refresh(tokens["refresh_token"]))["code"] == 40103


async def test_an_expired_access_token_has_its_own_code(tap: Tap) -> None:
    tokens = await tap.account()
    tap.clock.seconds += 86_400
    answer = await tap.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert answer["code"] == 40102


async def test_revoking_ends_both_tokens(tap: Tap) -> None:
    tokens = await tap.account()
    revoke = ROOT + "tt_user/oauth2/revoke/"
    answer = await tap.post(revoke, access_token=tokens["access_token"], **CLIENT)
    assert (answer["code"], answer["data"]) == (0, {})
    assert (await tap.account_refresh(tokens["refresh_token"]))["code"] == 40107
    again = await tap.post(revoke, access_token=tokens["access_token"], **CLIENT)
    assert again["code"] == 40105


async def test_token_info_tells_the_scope_and_whose_it_is(tap: Tap) -> None:
    tokens = await tap.account()
    answer = await tap.post(
        ROOT + "tt_user/token_info/get/", app_id=ADS.id, access_token=tokens["access_token"]
    )
    assert answer["data"] == {
        "app_id": ADS.id,
        "scope": tokens["scope"],
        "creator_id": tokens["open_id"],
    }


async def test_the_business_profile_has_two_fields_by_default(tap: Tap) -> None:
    tokens = await tap.account()
    answer = await tap.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert sorted(answer["data"]) == ["display_name", "profile_image"]


async def test_somebody_elses_business_id_is_refused(tap: Tap) -> None:
    tokens, other = await tap.account(), await tap.account(person="sam")
    answer = await tap.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=other["open_id"]
    )
    assert answer["code"] == 40001


async def test_a_scope_the_person_declined_is_missed(tap: Tap) -> None:
    tokens = await tap.account(scopes="user.info.basic")
    answer = await tap.get(
        ROOT + "business/video/list/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert answer["code"] == 40131


async def test_every_video_is_listed_once_by_following_the_cursor(tap: Tap) -> None:
    tokens = await tap.account()
    seen, cursor, more = [], 0, True
    while more:
        answer = await tap.get(
            ROOT + "business/video/list/",
            token=tokens["access_token"],
            business_id=tokens["open_id"],
            max_count="20",
            cursor=str(cursor),
        )
        seen += [video["item_id"] for video in answer["data"]["videos"]]
        cursor, more = answer["data"]["cursor"], answer["data"]["has_more"]
    assert len(seen) == len(set(seen)) == 45


async def test_a_published_video_is_followed_to_its_end(tap: Tap) -> None:
    tokens = await tap.account()
    asked = {"token": tokens["access_token"], "business_id": tokens["open_id"]}
    answer = await tap.post(
        ROOT + "business/video/publish/", video_url="https://v.example/1.mp4", **asked
    )
    share = answer["data"]["share_id"]
    states = [
        (await tap.get(ROOT + "business/publish/status/", publish_id=share, **asked))["data"]
        for _ in range(2)
    ]
    assert [state["status"] for state in states] == ["PROCESSING_DOWNLOAD", "PUBLISH_COMPLETE"]


async def test_a_webhook_address_is_kept_listed_and_deleted(tap: Tap) -> None:
    event = {"event_type": "DEFAULT"}
    url = "https://customer.example/hook"
    await tap.post(ROOT + "business/webhook/update/", callback_url=url, **APP, **event)
    listed = await tap.get(ROOT + "business/webhook/list/", **APP, **event)
    await tap.post(ROOT + "business/webhook/delete/", **APP, **event)
    after = await tap.get(ROOT + "business/webhook/list/", **APP, **event)
    assert (listed["data"]["callback_url"], after["data"]["callback_url"]) == (url, None)
