from django.contrib import admin
from django.http import HttpRequest

from projects.models import Project


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    list_display = ["name", "app_id", "is_active", "certificate_enabled", "stream_count", "created_at"]
    list_filter = ["is_active", "certificate_enabled"]
    search_fields = ["name", "app_id"]
    readonly_fields = ["stream_count", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        """The App ID may be chosen once: clients know the project by it."""
        return self.readonly_fields if obj is None else ["app_id", *self.readonly_fields]
