"""What is told of a file, on the socket and by REST."""

from typing import Any

from messaging.media.models import Media, MediaKind
from messaging.selectors import to_ms


def facts_of(media: Media) -> dict[str, Any]:
    """The fields of the answer to `media.finish`. The four measures are pixels, 0 of what is no image that was decoded;
    `expires_at` is ms since 1970."""
    return {
        "media": media.media_id,
        "kind": "IMAGE" if media.kind == MediaKind.IMAGE else "FILE",
        "name": media.name,
        "size": media.size,
        "type": media.content_type,
        "sha256": media.sha256,
        "width": media.width,
        "height": media.height,
        "thumbnail_width": media.thumbnail_width,
        "thumbnail_height": media.thumbnail_height,
        "expires_at": to_ms(media.expires_at),
    }
