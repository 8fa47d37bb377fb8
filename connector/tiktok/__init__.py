"""What TikTok speaks, without a socket: questions as data, and the way to read each answer.

Three systems of TikTok's, three families, one file each. A fourth is one module here and one word in
`FAMILIES`. What a code in an answer means for us is said in `verdicts` and nowhere else.
"""

from __future__ import annotations

from .accounts import Accounts
from .family import App, Family
from .login_kit import LoginKit
from .marketing import Marketing

__all__ = ["FAMILIES", "Accounts", "App", "Family", "LoginKit", "Marketing"]

FAMILIES = (Marketing, Accounts, LoginKit)
