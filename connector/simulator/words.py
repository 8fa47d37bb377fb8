"""Every text a person reads on the simulator's pages."""

from __future__ import annotations

from collections.abc import Mapping

SCOPES: Mapping[str, tuple[str, str]] = {
    "user.info.basic": ("See your profile", "Your display name and avatar"),
    "user.info.profile": ("See more of your profile", "Your bio, username and profile link"),
    "user.info.username": ("See your username", "The name others find you by"),
    "user.info.stats": ("See your profile's figures", "Followers, likes and number of videos"),
    "user.insights": ("See insights about your account", "Views, reach and audience"),
    "video.list": ("See your public videos", "And how often they were viewed and liked"),
    "video.insights": ("See insights about your videos", "Views, watch time and audience"),
    "video.publish": ("Post content to your account", "Videos and photos, in your name"),
    "video.upload": ("Send drafts to your inbox", "You decide what becomes of them"),
}
"""What each scope means, and what a person grants when nobody says otherwise."""

PERMISSIONS = (
    ("See your ad accounts", "Their names, currency, country and status"),
    ("Read your campaigns and ads", "With their budgets and settings"),
    ("Read reports", "Spend, impressions, clicks and conversions"),
    ("Read audiences and creatives", "As far as you may see them yourself"),
)
"""The Marketing API asks for no scopes in the address: the app's settings decide."""

BANNER = "This is the simulator, not TikTok."
BANNER_MORE = "No real account is involved."

ADS_TITLE = "Give {app} access to your ad accounts"
ADS_LEDE = "{person}, the app “{app}” is asking to work with your TikTok ads."
PROFILE_TITLE = "Connect {app} to your TikTok account"
PROFILE_LEDE = "{person}, the app “{app}” is asking for access to your TikTok account."

WILL = "{app} will be able to"
REQUIRED = "Required"
ACCOUNTS = "Ad accounts to share"
ACCOUNTS_NONE = (
    "{person} has no ad account. You can still allow access, but there is nothing to share."
)
ACCOUNTS_HELP = "Only the accounts you tick can be seen."
FILTER = "Find an account by name or id"
ALL, NONE = "Select all", "Select none"
ALLOW, CANCEL = "Allow", "Cancel"
RETURNS = "Either way you return to"

STAGE = "Simulator controls"
STAGE_LEDE = "The real TikTok does not have these. They choose who is sitting in front of the page."
WHO = "Signed in as"
HOW_MANY = "Ad accounts this person has"
SHOW = "Apply"

BROKEN_TITLE = "Something went wrong"
BROKEN_LEDE = (
    "We couldn't log in with TikTok. This may be due to specific app settings. "
    "If you are a developer, correct the following and try again:"
)
PROBLEMS: Mapping[str, str] = {
    "client_key": "No app with this client key or app id is registered.",
    "redirect_uri": "The redirect URI is missing or is not one the app has registered.",
    "response_type": "The response type must be “code”.",
    "scope": "The scope is missing.",
    "code_challenge": "The code challenge method must be “S256”.",
}

HOME_TITLE = "The TikTok simulator is running"
HOME_LEDE = (
    "Both API hosts, both consent pages and the upload host are served from this address. "
    "Controls are under /_sim."
)
DENIED = "The user has denied the authorization request."
