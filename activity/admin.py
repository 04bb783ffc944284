from typing import Any

import msgspec
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from activity.client_logs import Line
from activity.models import ClientLog, Webhook, WebhookDelivery, make_secret
from activity.services.deliveries import requeue
from messaging.selectors import from_ms


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """The secret is written and never read back."""

    new_secret = forms.CharField(
        required=False,
        min_length=16,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: it stays as it is; a new webhook gets one that is shown once.",
    )

    class Meta:
        model = Webhook
        fields = ["project", "url", "events", "business_id", "is_active"]


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    form = WebhookForm
    list_display = ["url", "project", "business_id", "is_active", "created_at"]
    list_filter = ["is_active", "project"]
    search_fields = ["url", "project__app_id"]
    readonly_fields = ["masked_secret", "created_at"]

    @admin.display(description="secret")
    def masked_secret(self, webhook: Webhook) -> str:
        return f"…{webhook.secret[-4:]}" if webhook.pk is not None else "—"

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        new_secret = form.cleaned_data["new_secret"]
        if new_secret:
            obj.secret = new_secret
        elif not change:
            obj.secret = make_secret()
            messages.info(request, f"The webhook's secret, shown this once: {obj.secret}")
        super().save_model(request, obj, form, change)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """The queue, to look at and to send again from."""

    list_display = ["event", "event_id", "webhook", "state", "attempts", "last_status", "last_error", "created_at"]
    list_filter = ["webhook"]
    list_select_related = ["webhook"]
    search_fields = ["event_id"]
    show_full_result_count = False
    actions = ["send_again"]

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: "QuerySet[WebhookDelivery]") -> None:
        queued = requeue(deliveries=queryset, now=timezone.now())
        messages.success(request, f"{queued} deliveries are queued again.")

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("activity.change_webhookdelivery")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> bool:
        return False


@admin.register(ClientLog)
class ClientLogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """What clients wrote about themselves, to look at."""

    list_display = ["uid", "project", "sdk", "version", "received_at"]
    list_filter = ["project"]
    list_select_related = ["project"]
    search_fields = ["uid"]
    ordering = ["-id"]
    show_full_result_count = False
    fields = ["project", "uid", "sdk", "version", "received_at", "text"]

    @admin.display(description=_("lines"))
    def text(self, log: ClientLog) -> SafeString:
        lines = msgspec.json.decode(log.lines, type=list[Line])
        rows = ((_time(line.ts), line.level, line.text) for line in lines)
        return format_html("<pre>{}</pre>", format_html_join("\n", "{} {} {}", rows))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ClientLog | None = None) -> bool:
        return False


def _time(ms: int) -> str:
    return from_ms(ms).isoformat(sep=" ", timespec="milliseconds")
