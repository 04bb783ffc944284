from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from activity.models import Webhook, WebhookDelivery, make_secret
from activity.services.deliveries import requeue


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
