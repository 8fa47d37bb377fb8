"""The people of the simulated TikTok, invented from their names.

Nothing is stored and nothing is random: the same person is the same TikTok user with the same ad
accounts after every restart, and another name is somebody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from .nouns import Family, Json

DEFAULT = "robin"
KNOWN = {"robin": "Robin Taylor", "sam": "Sam Okafor", "noa": "Noa Lindqvist"}
"""Who can be chosen on the consent page; any other name works too."""

_FIRST_WORDS = """
Northwind Juniper Saltwater Lantern Copper Maple Harbour Quartz Willow Ember Orchard Summit
Velvet Cobalt Meadow Anchor Saffron Birch Canyon Marble Indigo Falcon Clover Tidal Sparrow
Granite Hazel Aurora Pepper Cedar Riverside Golden Little Urban Nordic Sunny Paper Wild Silver
Honest
"""
_SECOND_WORDS = """
Bakery Cycles Studio Outfitters Coffee Ceramics Florist Fitness Books Optics Travel Interiors
Kitchen Records Skincare Toys Vintage Brewing Audio Gardens Jewellery Footwear Pets Games
Stationery Eyewear Surf Tailors Tea Yoga Bikes Candles Denim Foods Lighting Luggage Music Soap
Watches Wines
"""
_FIRST, _SECOND = _FIRST_WORDS.split(), _SECOND_WORDS.split()
_PLACES = (
    ("US", "USD", "America/Los_Angeles", "Etc/GMT+8"),
    ("DE", "EUR", "Europe/Berlin", "Europe/Berlin"),
    ("JP", "JPY", "Asia/Tokyo", "Etc/GMT-9"),
    ("BR", "BRL", "America/Sao_Paulo", "America/Sao_Paulo"),
)


def number(*parts: object, below: int) -> int:
    """The same parts give the same number, today and after a restart."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % below


def snowflake(*parts: object) -> str:
    """An id as TikTok makes them: 19 digits, beyond 2^53."""
    return str(7_000_000_000_000_000_000 + number(*parts, below=500_000_000_000_000_000))


def subject(family: Family, *, app_id: str, person: str) -> str:
    """Who the person is to this app: a core_user_id for ads, an open_id everywhere else."""
    if family == "marketing":
        return snowflake("core", person)
    digest = hashlib.blake2b(f"{app_id}\x1f{person}".encode(), digest_size=16).hexdigest()
    return f"-000{digest}"


@dataclass(frozen=True)
class Profile:
    display_name: str
    username: str
    email: str
    avatar_url: str
    union_id: str
    joined: int


@lru_cache(maxsize=4_096)
def profile(person: str) -> Profile:
    display_name = KNOWN.get(person, person.replace("_", " ").title())
    username = "".join(c for c in display_name.lower() if c.isalnum()) or "user"
    return Profile(
        display_name=display_name,
        username=username,
        email=f"{username[:1]}***@e***.com",
        avatar_url=f"https://p16-sign.tiktokcdn.example/{snowflake('avatar', person)}~100x100.webp",
        union_id=snowflake("union", person),
        joined=1_560_000_000 + number("joined", person, below=150_000_000),
    )


@lru_cache(maxsize=1_024)
def advertisers(person: str, count: int) -> Mapping[str, str]:
    """The person's first `count` ad accounts, id to name; a larger count only adds to them."""
    start = number("name", person, below=len(_FIRST) * len(_SECOND))
    return MappingProxyType(
        {snowflake("advertiser", person, n): _name(start + 41 * n, n) for n in range(count)}
    )


def _name(at: int, n: int) -> str:
    first, second = _FIRST[at % len(_FIRST)], _SECOND[at // len(_FIRST) % len(_SECOND)]
    place = _PLACES[n // 2 % len(_PLACES)][0]
    return f"{first} {second} {place}" if n < len(_FIRST) else f"{first} {second} {place} {n}"


def advertiser_info(id: str, name: str) -> Json:
    """Contacts come masked, nulls are common, and `timezone` may have its sign the wrong way."""
    country, currency, display_timezone, timezone = _PLACES[number("place", id, below=4)]
    return {
        "advertiser_id": id,
        "name": name,
        "company": f"{name} Ltd",
        "status": "STATUS_LIMIT" if number("status", id, below=20) == 0 else "STATUS_ENABLE",
        "role": "ROLE_ADVERTISER",
        "currency": currency,
        "timezone": timezone,
        "display_timezone": display_timezone,
        "country": country,
        "language": "en",
        "industry": str(290_000 + number("industry", id, below=9_999)),
        "balance": number("balance", id, below=10_000_000) / 100,
        "create_time": 1_600_000_000 + number("created", id, below=150_000_000),
        "email": "a***@e***.com",
        "telephone_number": "+1******42",
        "cellphone_number": None,
        "contacter": "R****r",
        "address": None,
        "description": "",
        "rejection_reason": "",
        "license_no": None,
        "license_url": None,
        "owner_bc_id": snowflake("bc", country),
        "advertiser_account_type": "AUCTION",
        "can_use_custom_identity": True,
        "ads_only_mode": False,
        "company_name_editable": True,
    }


def videos(person: str, count: int = 45) -> list[Json]:
    """Newest first, one every two days before a fixed evening."""
    return [_video(person, n) for n in range(count)]


def _video(person: str, n: int) -> Json:
    id = snowflake("video", person, n)
    views = number("views", id, below=3_000_000_000)
    return {
        "id": id,
        "create_time": 1_793_000_000 - n * 172_800,
        "cover_image_url": f"https://p16-sign.tiktokcdn.example/{id}.jpeg",
        "share_url": f"https://www.tiktok.com/@{profile(person).username}/video/{id}",
        "video_description": f"Video number {n + 1} #smallbusiness",
        "duration": 9 + number("duration", id, below=50),
        "height": 1_024,
        "width": 576,
        "title": f"Video number {n + 1}",
        "embed_html": f'<blockquote class="tiktok-embed" data-video-id="{id}"></blockquote>',
        "embed_link": f"https://www.tiktok.com/player/v1/{id}",
        "like_count": views // 40 % 2_147_483_648,
        "comment_count": views // 900,
        "share_count": views // 2_000,
        "view_count": views,
    }
