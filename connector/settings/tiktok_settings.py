"""The settings of TikTok, as fields of `Settings`: the apps, the addresses, and the proxy on the way to TikTok."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import SecretStr

from . import parsers
from .sources import Setting


@dataclass(frozen=True, kw_only=True)
class TikTokSettings:
    app_id: Annotated[
        str | None,
        Setting(
            "TIKTOK_APP_ID",
            parsers.single_word,
            "Your app at business-api.tiktok.com; turns on marketing and accounts.",
        ),
    ]
    app_secret: Annotated[
        SecretStr | None,
        Setting("TIKTOK_APP_SECRET", parsers.secret, "The secret of that app.", secret=True),
    ]
    client_key: Annotated[
        str | None,
        Setting(
            "TIKTOK_CLIENT_KEY",
            parsers.single_word,
            "Your app at developers.tiktok.com; turns on login_kit.",
            alias="TIKTOK_CLIENT_ID",
        ),
    ]
    client_secret: Annotated[
        SecretStr | None,
        Setting("TIKTOK_CLIENT_SECRET", parsers.secret, "The secret of that app.", secret=True),
    ]
    scopes: Annotated[
        tuple[str, ...],
        Setting(
            "TIKTOK_SCOPES",
            parsers.comma_separated(parsers.single_word),
            "The scopes that login_kit and accounts request, comma-separated.",
            default="user.info.basic,video.list",
        ),
    ]
    business_api_url: Annotated[
        str,
        Setting(
            "TIKTOK_BUSINESS_API_URL",
            parsers.origin_url,
            "TikTok's business API; the sandbox is https://sandbox-ads.tiktok.com.",
            default="https://business-api.tiktok.com",
        ),
    ]
    open_api_url: Annotated[
        str,
        Setting(
            "TIKTOK_OPEN_API_URL",
            parsers.origin_url,
            "TikTok's API for developers.",
            default="https://open.tiktokapis.com",
        ),
    ]
    business_consent_url: Annotated[
        str,
        Setting(
            "TIKTOK_BUSINESS_CONSENT_URL",
            parsers.page_url,
            "The page where an advertiser consents.",
            default="https://business-api.tiktok.com/portal/auth",
        ),
    ]
    consent_url: Annotated[
        str,
        Setting(
            "TIKTOK_CONSENT_URL",
            parsers.page_url,
            "The page where an account holder consents.",
            default="https://www.tiktok.com/v2/auth/authorize/",
        ),
    ]
    tiktok_proxy: Annotated[
        SecretStr | None,
        Setting(
            "TIKTOK_PROXY",
            parsers.proxy_url,
            "An HTTP proxy for all calls to TikTok: http://user:password@proxy.example.com:3128.",
            secret=True,
        ),
    ]
