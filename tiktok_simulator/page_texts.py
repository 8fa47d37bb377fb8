"""Every text on the simulator's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PermissionText(NamedTuple):
    title: str
    detail: str


SCOPES: Mapping[str, PermissionText] = {
    "user.info.basic": PermissionText("See your profile", "Your display name and avatar"),
    "user.info.profile": PermissionText(
        "See more of your profile", "Your bio, username and profile link"
    ),
    "user.info.username": PermissionText("See your username", "The name that others search for"),
    "user.info.stats": PermissionText(
        "See your profile's figures", "Followers, likes and number of videos"
    ),
    "user.insights": PermissionText("See insights about your account", "Views, reach and audience"),
    "video.list": PermissionText("See your public videos", "With their views and likes"),
    "video.insights": PermissionText(
        "See insights about your videos", "Views, watch time and audience"
    ),
    "video.publish": PermissionText(
        "Post content to your account", "Videos and photos, in your name"
    ),
    "video.upload": PermissionText(
        "Send drafts to your inbox", "You decide whether to post each draft"
    ),
}
"""The text of each scope. `/_sim/consent` grants all of these if the request names no scope."""

ADS_PERMISSIONS = (
    PermissionText("See your ad accounts", "Their names, currency, country and status"),
    PermissionText("Read your campaigns and ads", "With their budgets and settings"),
    PermissionText("Read reports", "Spend, impressions, clicks and conversions"),
    PermissionText("Read audiences and creatives", "Those that you can see yourself"),
)
"""A Marketing API link contains no scopes: the app's settings at TikTok define them."""

BANNER = "This is the simulator, not TikTok."
BANNER_DETAIL = "No real account is involved."

ADS_TITLE = "Give {app} access to your ad accounts"
ADS_INTRO = "{person}, the app “{app}” is asking to work with your TikTok ads."
PROFILE_TITLE = "Connect {app} to your TikTok account"
PROFILE_INTRO = "{person}, the app “{app}” is asking for access to your TikTok account."

PERMISSIONS_TITLE = "{app} will be able to"
REQUIRED = "Required"
ADVERTISERS_TITLE = "Ad accounts to share"
NO_ADVERTISERS = (
    "{person} has no ad account. You can still allow access, but there is nothing to share."
)
ADVERTISERS_HELP = "The app can see only the accounts that you select."
FILTER = "Find an account by name or id"
SELECT_ALL, SELECT_NONE = "Select all", "Select none"
ALLOW, CANCEL = "Allow", "Cancel"
RETURN_ADDRESS = "In both cases you return to"

CONTROLS_TITLE = "Simulator controls"
CONTROLS_INTRO = (
    "TikTok does not have these controls. Use them to choose the person who is signed in."
)
SIGNED_IN_AS = "Signed in as"
ADVERTISER_COUNT = "Number of ad accounts"
APPLY = "Apply"

INVALID_LINK_TITLE = "Something went wrong"
INVALID_LINK_INTRO = (
    "We couldn't log in with TikTok. This may be due to specific app settings. "
    "If you are a developer, correct the following and try again:"
)
INVALID_PARAMETERS: Mapping[str, str] = {
    "client_key": "No app with this client key or app id is registered.",
    "redirect_uri": "The redirect URI is missing or is not one the app has registered.",
    "response_type": "The response type must be “code”.",
    "scope": "The scope is missing.",
    "logo": "The app has no logo.",
    "code_challenge": "The code challenge method must be “S256”.",
}

START_TITLE = "The TikTok simulator is running"
START_INTRO = (
    "Both API hosts, both consent pages and the upload host are served from this address. "
    "Controls are under /_sim."
)
DENIED = "The user has denied the authorization request."
