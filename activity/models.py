import secrets
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from activity.events import EVENTS
from messaging.models import Entry
from projects.models import Project


class VendorEvent(models.Model):
    """A login, logout, join or leave that the project's owner has not asked for yet (docs/contract.md 10). The
    newest of each kind are kept; who takes one, deletes it."""

    class Kind(models.TextChoices):
        USER = "user"
        CHANNEL = "channel"

    class Type(models.TextChoices):
        """The vendor's words."""

        LOGIN = "Login"
        LOGOUT = "Logout"
        JOIN = "Join"
        LEAVE = "Leave"

    project = models.ForeignKey(Project, models.CASCADE, related_name="vendor_events", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    type = models.CharField(max_length=8, choices=Type)
    uid = models.CharField(max_length=64)
    room = models.CharField(max_length=64, blank=True)
    happened_at = models.DateTimeField()
    event_id = models.CharField(max_length=64, unique=True)

    class Meta:
        indexes = [models.Index(fields=["project", "kind", "id"], name="vendor_event_newest")]

    def __str__(self) -> str:
        return f"{self.type} {self.uid}"


class OpenRoom(models.Model):
    """A room that has members, as far as its owner was told: the row is made when it is created and deleted when
    it is closed. `life` names this life of it in the ids of both events."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="open_rooms", db_index=False)
    name = models.CharField(max_length=64)
    life = models.CharField(max_length=24)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="open_room_name")]

    def __str__(self) -> str:
        return self.name


class BusinessId(models.Model):
    """Who had which business id when: `until` None is now. Kept a while after its end, for what is told late."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="business_ids", db_index=False)
    uid = models.CharField(max_length=64)
    business_id = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "uid", "since"], name="business_id_since")]

    def __str__(self) -> str:
        return f"{self.uid}: {self.business_id}"


class ClientLog(models.Model):
    """A batch of lines that a client's SDK wrote about itself (docs/rest.md). `lines`: a JSON list of objects with
    `ts` (ms since 1970, the client's clock), `level` and `text`; `size`: their bytes. `source` is the same for what
    comes from the same address, and does not tell which."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="client_logs", db_index=False, verbose_name=_("project")
    )
    uid = models.CharField(_("user id"), max_length=64)
    source = models.CharField(max_length=32, blank=True, editable=False)
    sdk = models.CharField("SDK", max_length=64, blank=True)
    version = models.CharField(_("version"), max_length=32, blank=True)
    lines = models.TextField(_("lines"))
    size = models.PositiveIntegerField(default=0, editable=False)
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("client log")
        verbose_name_plural = _("client logs")
        # With the sizes, so that what is kept is counted without reading it.
        indexes = [
            models.Index(fields=["project", "id", "size"], name="client_log_kept"),
            models.Index(fields=["project", "source", "id", "size"], name="client_log_kept_of_source"),
        ]

    def __str__(self) -> str:
        return self.uid


MAX_WEBHOOKS: Final = 16
"""Of a project."""


def make_secret() -> str:
    return secrets.token_hex(32)


def newest_entry() -> int:
    """The key of the newest entry: a new webhook tells of what comes after it."""
    return Entry.objects.aggregate(newest=models.Max("pk"))["newest"] or 0


def validate_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not value.isascii() or any(character <= " " for character in value):
        raise ValidationError("An address is http:// or https://, a host, and a path in ASCII characters.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValidationError("An address has no user, password or fragment: deliveries are signed.")


def validate_events(value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValidationError("Events are a list of names.")
    unknown = sorted(set(value) - set(EVENTS))
    if unknown:
        raise ValidationError(f"Unknown events: {', '.join(unknown)}")


class Webhook(models.Model):
    """An address of the project's owner that is told what happens. `entry_cursor`: the log is told up to this key;
    while it is not active the log waits for it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    url = models.CharField("URL", max_length=500, validators=[validate_url])
    secret = models.CharField(max_length=128, default=make_secret, help_text="Deliveries are signed with it.")
    events = models.JSONField(default=list, blank=True, validators=[validate_events], help_text="Empty: all of them.")
    business_id = models.CharField(
        max_length=64, blank=True, help_text="Only what users with this business id do. Empty: everything."
    )
    is_active = models.BooleanField(default=True)
    entry_cursor = models.BigIntegerField(default=newest_entry, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["project", "id"]

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        if not isinstance(self.events, list):  # validators pass over what is empty, and `{}` is
            raise ValidationError({"events": "Events are a list of names."})
        others = Webhook.objects.filter(project_id=self.project_id).exclude(pk=self.pk)
        if others.count() >= MAX_WEBHOOKS:
            raise ValidationError(f"A project has at most {MAX_WEBHOOKS} webhooks.")

    def wants(self, event: str, business_id: str) -> bool:
        return (not self.events or event in self.events) and self.business_id in ("", business_id)


class WebhookDelivery(models.Model):
    """One event for one webhook, from when it is known to when it is taken or given up.

    It waits while it has a `next_attempt_at`, which is also the end of the lease of whoever is sending it. Without
    one it was delivered (`delivered_at`), or it is given up.
    """

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", db_index=False)
    event_id = models.CharField(max_length=64)
    event = models.CharField(max_length=40)
    payload = models.TextField()
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["webhook", "event_id"], name="webhook_delivery_event")]
        indexes = [
            models.Index(
                fields=["webhook", "next_attempt_at", "id"],
                name="webhook_delivery_waiting",
                condition=models.Q(next_attempt_at__isnull=False),
            ),
            models.Index(fields=["webhook", "created_at"], name="webhook_delivery_created"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.event_id}"

    @property
    def state(self) -> str:
        if self.next_attempt_at is not None:
            return "waiting"
        return "delivered" if self.delivered_at is not None else "given up"
