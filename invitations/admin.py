from django.contrib import admin
from django.http import HttpRequest

from invitations.models import Invitation


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """To be read only: what happens to an invitation is told to both sides, and done by services alone."""

    list_display = ["created_at", "project", "caller", "callee", "state", "caller_reason", "callee_reason", "ended_at"]
    list_filter = ["state", "project"]
    list_select_related = ["project"]
    search_fields = ["=caller", "=callee"]
    show_full_result_count = False
    ordering = ["-id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False
