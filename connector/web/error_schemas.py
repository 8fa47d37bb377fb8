"""The response models of errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .schemas import ResponseModel


class TikTokErrorBody(ResponseModel):
    code: int | str | None
    message: str
    request_id: str | None


class ErrorResponse(ResponseModel):
    """Every error. `tiktok` is present only if TikTok returned an error."""

    success: Literal[False] = False
    error: str
    code: str
    retryable: bool
    request_id: str


class TikTokErrorResponse(ErrorResponse):
    tiktok: TikTokErrorBody


class EventsGoneResponse(ErrorResponse):
    oldest: Annotated[int, Field(description="The seq of the oldest event that still exists.")]
