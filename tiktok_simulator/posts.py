"""Posts that are being published, and the progress of each.

A post is finished after `publish_polls` status calls or after `publish_seconds` of the simulator's
clock, whichever comes first, so a test never has to wait.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

from .model import Grant, SimulatorSettings, TimeSource
from .sample_data import snowflake_id

PostStatus = Literal[
    "PROCESSING_UPLOAD",
    "PROCESSING_DOWNLOAD",
    "SEND_TO_USER_INBOX",
    "PUBLISH_COMPLETE",
    "FAILED",
]
PostKind = Literal["DIRECT_PUBLISH", "INBOX_SHARE"]
UPLOAD_LINK_SECONDS = 3_600
MAX_PEOPLE_OF_UNAUDITED_APP = 5


@dataclass(frozen=True)
class UploadPlan:
    """The sizes in bytes that the app announced. The last chunk also contains the remainder."""

    size: int
    chunk_size: int
    chunk_count: int


@dataclass
class Upload:
    """A video whose chunks must arrive in order."""

    plan: UploadPlan
    expires_at: float
    token: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(16))
    received: int = 0

    @property
    def is_complete(self) -> bool:
        return self.received == self.plan.size

    @property
    def next_chunk_size(self) -> int:
        is_last = self.received // self.plan.chunk_size == self.plan.chunk_count - 1
        return self.plan.size - self.received if is_last else self.plan.chunk_size


@dataclass
class Post:
    id: str
    grant: Grant
    kind: PostKind
    created_at: float
    is_public: bool = True
    upload: Upload | None = None
    status: PostStatus = "PROCESSING_DOWNLOAD"
    fail_reason: str | None = None
    polls: int = 0

    @property
    def is_finished(self) -> bool:
        return self.status in ("SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED")

    @property
    def has_all_bytes(self) -> bool:
        return self.upload is None or self.upload.is_complete

    @property
    def post_ids(self) -> list[int]:
        """TikTok sends these as bare int64, which a float cannot represent."""
        is_visible = self.status == "PUBLISH_COMPLETE" and self.is_public
        return [int(snowflake_id("post", self.id))] if is_visible else []


class Posts:
    def __init__(self, *, now: TimeSource, settings: SimulatorSettings) -> None:
        self._now = now
        self._settings = settings
        self._posts: dict[str, Post] = {}
        self._unfinished: dict[str, Post] = {}

    def create(
        self,
        grant: Grant,
        kind: PostKind,
        *,
        is_public: bool = True,
        upload_plan: UploadPlan | None = None,
    ) -> Post:
        prefix = "p" if kind == "DIRECT_PUBLISH" else "v"
        now = self._now()
        post = Post(
            id=f"{prefix}_pub_{secrets.token_hex(12)}",
            grant=grant,
            kind=kind,
            created_at=now,
            is_public=is_public,
        )
        if upload_plan is not None:
            post.upload = Upload(upload_plan, expires_at=now + UPLOAD_LINK_SECONDS)
            post.status = "PROCESSING_UPLOAD"
        self._posts[post.id] = self._unfinished[post.id] = post
        return post

    def exceeds_user_cap(self, grant: Grant) -> bool:
        """True if this person would be one too many of those for whom the app posted in 24 hours."""
        since = self._now() - 86_400
        people = {
            post.grant.person
            for post in self._posts.values()
            if post.kind == "DIRECT_PUBLISH"
            and (post.grant.family, post.grant.app_id) == (grant.family, grant.app_id)
            and post.created_at > since
        }
        return len({*people, grant.person}) > MAX_PEOPLE_OF_UNAUDITED_APP

    def get(self, post_id: str) -> Post | None:
        return self._posts.get(post_id)

    def poll(self, post: Post) -> bool:
        """Counts one status call. Returns True if this call finished the post."""
        if post.is_finished or not post.has_all_bytes:
            return False
        post.polls += 1
        if post.polls < self._settings.publish_polls and not self._is_due(post):
            return False
        self._finish(post)
        return True

    def finish_due(self) -> list[Post]:
        """Finishes and returns the posts whose time has passed."""
        due = [
            post for post in self._unfinished.values() if self._is_due(post) and post.has_all_bytes
        ]
        for post in due:
            self._finish(post)
        return due

    def _is_due(self, post: Post) -> bool:
        return self._now() - post.created_at >= self._settings.publish_seconds

    def cancel(self, post: Post) -> bool:
        if post.is_finished:
            return False
        self._finish(post, fail_reason="publish_cancelled")
        return True

    def _finish(self, post: Post, *, fail_reason: str | None = None) -> None:
        post.fail_reason = fail_reason or self._settings.publish_fail_reason
        if not post.grant.is_active:
            post.fail_reason = "auth_removed"
        if post.fail_reason:
            post.status = "FAILED"
        else:
            post.status = (
                "PUBLISH_COMPLETE" if post.kind == "DIRECT_PUBLISH" else "SEND_TO_USER_INBOX"
            )
        self._unfinished.pop(post.id, None)
