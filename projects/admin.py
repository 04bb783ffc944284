from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.messages import WARNING
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from projects.credentials import create_credential
from projects.models import Project, Removal, RestCredential
from projects.services import ban_user, drop_secondary_certificate, kick_user, lift_ban, rotate_certificate


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    list_display = ["name", "app_id", "is_active", "certificate_enabled", "stream_count", "created_at"]
    list_filter = ["is_active", "certificate_enabled"]
    search_fields = ["name", "app_id"]
    readonly_fields = ["stream_count", "created_at"]
    actions = ["rotate", "drop_secondary"]

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        """The App ID may be chosen once: clients know the project by it. Certificates change by rotation."""
        if obj is None:
            return self.readonly_fields
        return ["app_id", "primary_secret", "secondary_secret", *self.readonly_fields]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        """Files and images have bytes in a storage, which a command deletes: so they go first."""
        first = [
            f"{project.name} has files and images. Make it inactive and run "
            f"manage.py purge_media --project {project.app_id} --all, then it can be deleted."
            for project in objs
            if project.media_bytes
        ]
        return ([], {}, set(), first) if first else super().get_deleted_objects(objs, request)

    def get_exclude(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        return ["secondary_certificate"] if obj is None else ["certificate", "secondary_certificate"]

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> list[Any]:
        """Who may only look at a project does not see its secrets."""
        fields = list(super().get_fields(request, obj))
        if self.has_change_permission(request, obj):
            return fields
        return [field for field in fields if field not in ("primary_secret", "secondary_secret")]

    @admin.display(description="certificate")
    def primary_secret(self, project: Project) -> SafeString | str:
        return _covered(project.certificate)

    @admin.display(description="secondary certificate")
    def secondary_secret(self, project: Project) -> SafeString | str:
        return _covered(project.secondary_certificate)

    @admin.action(
        description="Rotate the certificate: a new one; the present one becomes secondary", permissions=["change"]
    )
    def rotate(self, request: HttpRequest, projects: QuerySet[Project]) -> None:
        for project in projects:
            rotate_certificate(project_id=project.pk)
            self.log_change(request, project, "Rotated the certificate.")
            self.message_user(request, f"{project.name} has a new certificate: its page shows it.")

    @admin.action(description="Drop the secondary certificate", permissions=["change"])
    def drop_secondary(self, request: HttpRequest, projects: QuerySet[Project]) -> None:
        for project in projects:
            drop_secondary_certificate(project_id=project.pk)
            self.log_change(request, project, "Dropped the secondary certificate.")
            self.message_user(request, f"{project.name} accepts tokens of its current certificate only.")


def _covered(secret: str) -> SafeString | str:
    """A secret is shown to who asks for it."""
    return format_html("<details><summary>Show</summary><code>{}</code></details>", secret) if secret else "none"


class RemovalForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.created_at = timezone.now()


@admin.register(Removal)
class RemovalAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """What is added or lifted here works at once, as by command. Rows stay as a record."""

    form = RemovalForm
    list_display = ["uid", "project", "kind", "created_at", "until", "lifted_at", "reason", "by"]
    list_filter = ["kind", "project"]
    search_fields = ["uid", "reason"]
    actions = ["lift"]

    def has_change_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Removal, form: RemovalForm, change: bool) -> None:
        now, by = obj.created_at, request.user.get_username()
        if obj.kind == Removal.Kind.BAN:
            saved = ban_user(project_id=obj.project_id, uid=obj.uid, now=now, until=obj.until, reason=obj.reason, by=by)
        else:
            saved = kick_user(project_id=obj.project_id, uid=obj.uid, now=now, reason=obj.reason, by=by)
        obj.pk = saved.pk

    @admin.action(description="Lift the selected bans", permissions=["add"])
    def lift(self, request: HttpRequest, removals: QuerySet[Removal]) -> None:
        now = timezone.now()
        for removal in removals:
            if removal.holds(now) and lift_ban(project_id=removal.project_id, uid=removal.uid, now=now):
                self.message_user(request, f"{removal.uid} may log in to {removal.project.name} again.")


@admin.register(RestCredential)
class RestCredentialAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """The secret of a new one is shown once, after it was added."""

    list_display = ["customer_id", "name", "project", "is_active", "created_at", "last_used_at"]
    list_filter = ["project", "is_active"]
    search_fields = ["customer_id", "name"]
    readonly_fields = ["customer_id", "created_at", "last_used_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: RestCredential | None = None) -> list[str]:
        return self.readonly_fields if obj is None else ["project", *self.readonly_fields]

    def get_exclude(self, request: HttpRequest, obj: RestCredential | None = None) -> list[str]:
        return ["is_active"] if obj is None else []

    def save_model(self, request: HttpRequest, obj: RestCredential, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = create_credential(project=obj.project, name=obj.name)
        obj.pk, obj.customer_id = made.credential.pk, made.credential.customer_id
        self.message_user(
            request, f"Customer id {obj.customer_id}, secret {made.secret}. The secret is not shown again.", WARNING
        )
