"""Computes the people, ad accounts and videos of the simulated TikTok from names.

Nothing is stored and nothing is random: after a restart the same person is the same TikTok user
with the same ad accounts, and another name is another user.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from .model import Family, Json

DEFAULT_PERSON = "robin"
NAMED_PEOPLE = {"robin": "Robin Taylor", "sam": "Sam Okafor", "noa": "Noa Lindqvist"}
"""The people offered on the consent page. Every other name works too."""

_FIRST_WORDS_TEXT = """
Northwind Juniper Saltwater Lantern Copper Maple Harbour Quartz Willow Ember Orchard Summit
Velvet Cobalt Meadow Anchor Saffron Birch Canyon Marble Indigo Falcon Clover Tidal Sparrow
Granite Hazel Aurora Pepper Cedar Riverside Golden Little Urban Nordic Sunny Paper Wild Silver
Honest
"""
_SECOND_WORDS_TEXT = """
Bakery Cycles Studio Outfitters Coffee Ceramics Florist Fitness Books Optics Travel Interiors
Kitchen Records Skincare Toys Vintage Brewing Audio Gardens Jewellery Footwear Pets Games
Stationery Eyewear Surf Tailors Tea Yoga Bikes Candles Denim Foods Lighting Luggage Music Soap
Watches Wines
"""
_FIRST_WORDS, _SECOND_WORDS = _FIRST_WORDS_TEXT.split(), _SECOND_WORDS_TEXT.split()


class _Country(NamedTuple):
    code: str
    currency: str
    display_timezone: str
    timezone: str


_COUNTRIES = (
    # TikTok's `timezone` can be an `Etc/GMT` name, whose sign is inverted: GMT+8 means UTC-8.
    _Country("US", "USD", "America/Los_Angeles", "Etc/GMT+8"),
    _Country("DE", "EUR", "Europe/Berlin", "Europe/Berlin"),
    _Country("JP", "JPY", "Asia/Tokyo", "Etc/GMT-9"),
    _Country("BR", "BRL", "America/Sao_Paulo", "America/Sao_Paulo"),
)


def stable_number(*parts: object, below: int) -> int:
    """Equal parts always give the same number, also after a restart."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % below


def snowflake_id(*parts: object) -> str:
    """An id like those of TikTok: 19 digits, greater than 2^53."""
    return str(7_000_000_000_000_000_000 + stable_number(*parts, below=500_000_000_000_000_000))


def tiktok_user_id(family: Family, *, app_id: str, person: str) -> str:
    """The Marketing API's core_user_id is the same for every app; an open_id differs by app."""
    if family == "marketing":
        return snowflake_id("core", person)
    digest = hashlib.blake2b(f"{app_id}\x1f{person}".encode(), digest_size=16).hexdigest()
    return f"-000{digest}"


@dataclass(frozen=True)
class Profile:
    display_name: str
    username: str
    email: str
    avatar_url: str
    union_id: str
    created_at: int


@lru_cache(maxsize=4_096)
def profile_of(person: str) -> Profile:
    display_name = NAMED_PEOPLE.get(person, person.replace("_", " ").title())
    username = "".join(char for char in display_name.lower() if char.isalnum()) or "user"
    avatar_id = snowflake_id("avatar", person)
    return Profile(
        display_name=display_name,
        username=username,
        email=f"{username[:1]}***@e***.com",
        avatar_url=f"https://p16-sign.tiktokcdn.example/{avatar_id}~100x100.webp",
        union_id=snowflake_id("union", person),
        created_at=1_560_000_000 + stable_number("joined", person, below=150_000_000),
    )


@lru_cache(maxsize=1_024)
def advertisers_of(person: str, count: int) -> Mapping[str, str]:
    """The person's first `count` ad accounts, id to name. A larger count only adds accounts."""
    name_offset = stable_number("name", person, below=len(_FIRST_WORDS) * len(_SECOND_WORDS))
    ids = [snowflake_id("advertiser", person, index) for index in range(count)]
    return MappingProxyType(
        {id: _advertiser_name(name_offset, index) for index, id in enumerate(ids)}
    )


def _advertiser_name(name_offset: int, index: int) -> str:
    name_index = name_offset + 41 * index
    first = _FIRST_WORDS[name_index % len(_FIRST_WORDS)]
    second = _SECOND_WORDS[name_index // len(_FIRST_WORDS) % len(_SECOND_WORDS)]
    name = f"{first} {second} {_COUNTRIES[index // 2 % len(_COUNTRIES)].code}"
    return name if index < len(_FIRST_WORDS) else f"{name} {index}"


def advertiser_info(advertiser_id: str, name: str) -> Json:
    """Like at TikTok, contacts are masked, and many fields are null or empty."""
    country = _COUNTRIES[stable_number("place", advertiser_id, below=4)]
    is_limited = stable_number("status", advertiser_id, below=20) == 0
    return {
        "advertiser_id": advertiser_id,
        "name": name,
        "company": f"{name} Ltd",
        "status": "STATUS_LIMIT" if is_limited else "STATUS_ENABLE",
        "role": "ROLE_ADVERTISER",
        "currency": country.currency,
        "timezone": country.timezone,
        "display_timezone": country.display_timezone,
        "country": country.code,
        "language": "en",
        "industry": str(290_000 + stable_number("industry", advertiser_id, below=9_999)),
        "balance": stable_number("balance", advertiser_id, below=10_000_000) / 100,
        "create_time": 1_600_000_000 + stable_number("created", advertiser_id, below=150_000_000),
        "email": "a***@e***.com",
        "telephone_number": "+1******42",
        "cellphone_number": None,
        "contacter": "R****r",
        "address": None,
        "description": "",
        "rejection_reason": "",
        "license_no": None,
        "license_url": None,
        "owner_bc_id": snowflake_id("bc", country.code),
        "advertiser_account_type": "AUCTION",
        "can_use_custom_identity": True,
        "ads_only_mode": False,
        "company_name_editable": True,
    }


def videos_of(person: str, count: int = 45) -> list[Json]:
    """Newest first, one video every two days, ending at a fixed time."""
    return [_video(person, index) for index in range(count)]


@dataclass(frozen=True)
class VideoPage:
    videos: list[Json]
    cursor: int
    has_more: bool


def video_page(person: str, *, cursor: int, count: int) -> VideoPage:
    """The cursor is the creation time, in milliseconds, of the last video of the page before."""
    older = [
        video for video in videos_of(person) if not cursor or video["create_time"] * 1_000 < cursor
    ]
    videos = older[:count]
    next_cursor = videos[-1]["create_time"] * 1_000 if videos else cursor
    return VideoPage(videos, next_cursor, has_more=len(older) > len(videos))


def _video(person: str, index: int) -> Json:
    video_id = snowflake_id("video", person, index)
    views = stable_number("views", video_id, below=3_000_000_000)
    return {
        "id": video_id,
        "create_time": 1_793_000_000 - index * 172_800,
        "cover_image_url": f"https://p16-sign.tiktokcdn.example/{video_id}.jpeg",
        "share_url": f"https://www.tiktok.com/@{profile_of(person).username}/video/{video_id}",
        "video_description": f"Video number {index + 1} #smallbusiness",
        "duration": 9 + stable_number("duration", video_id, below=50),
        "height": 1_024,
        "width": 576,
        "title": f"Video number {index + 1}",
        "embed_html": f'<blockquote class="tiktok-embed" data-video-id="{video_id}"></blockquote>',
        "embed_link": f"https://www.tiktok.com/player/v1/{video_id}",
        "like_count": views // 40 % 2_147_483_648,
        "comment_count": views // 900,
        "share_count": views // 2_000,
        "view_count": views,
    }
