from typing import Any

from django.contrib import admin
from django.contrib.messages import ERROR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from messaging.media.purge import delete_media
from messaging.media.storage import StorageUnavailable, media_storage
from messaging.models import Media


@admin.register(Media)
class MediaAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Files and images that users have sent: to look at what there is, and to delete. Their bytes go first."""

    list_display = ["name", "project", "uid", "kind", "size", "state", "content_type", "created_at", "expires_at"]
    list_filter = ["state", "kind", "project"]
    list_select_related = ["project"]
    search_fields = ["=media_id", "=uid", "name"]
    ordering = ["-id"]
    show_full_result_count = False
    fields = [
        "project",
        "uid",
        "media_id",
        "kind",
        "name",
        "size",
        "state",
        "refusal",
        "content_type",
        "width",
        "height",
        "created_at",
        "expires_at",
    ]
    actions = ["delete_with_bytes"]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Django's own way to delete many knows nothing of the bytes."""
        found = super().get_actions(request)
        found.pop("delete_selected", None)
        return found

    @admin.action(description=_("Delete the selected files and images"), permissions=["delete"])
    def delete_with_bytes(self, request: HttpRequest, queryset: "QuerySet[Media]") -> None:
        try:
            deleted = delete_media(media_storage(), queryset)
        except StorageUnavailable:
            self.message_user(request, _("The storage is out of reach. Not everything is deleted."), ERROR)
            return
        text = ngettext("{count} file or image is deleted.", "{count} files or images are deleted.", deleted)
        self.message_user(request, text.format(count=deleted))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        """By the list's action alone, which deletes the bytes: so no project is deleted that has some."""
        return obj is None and super().has_delete_permission(request)
