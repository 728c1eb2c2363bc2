"""The public pictures: which sizes there are and where, in the bucket and at the edge alike."""

from uuid import UUID

from services.common.buckets import IMAGES

SIZES = (64, 300, 640, 1500)
"""Sides of the squares, in pixels."""
ENDINGS = ("webp", "jpg")
SHOWN = 640
"""The size that resources name; clients put another one into the path."""


def key(artwork_id: UUID) -> str:
    """Say where a picture's sizes are, as databases keep it: bucket and folder."""
    return f"{IMAGES}/{artwork_id}"


def file_name(size: int, ending: str) -> str:
    """Name one image in the folder of its picture."""
    return f"{size}.{ending}"


def uri(key: str | None, size: int = SHOWN, ending: str = "webp") -> str:
    """Write the path of an image at the edge; empty when there is no picture."""
    return f"/{key}/{file_name(size, ending)}" if key else ""
