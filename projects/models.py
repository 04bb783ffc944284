import re
import secrets
from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from projects.limits import parse_limits
from projects.names import is_user_id

ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]_-]+")
"""Scheme, host and port, in small letters and without a path: as it is compared."""


def make_app_id() -> str:
    """32 hex characters, the form of the vendor's App IDs (docs/contract.md 1)."""
    return secrets.token_hex(16)


def make_certificate() -> str:
    """32 hex characters from the system's randomness."""
    return secrets.token_hex(16)


def validate_limits(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Limits are an object of overrides.")
    try:
        parse_limits(value)
    except (ValueError, AttributeError) as error:
        raise ValidationError(str(error)) from error


is_certificate: Final = RegexValidator(r"\A([0-9a-f]{32})?\Z", "A certificate is 32 hex characters.")


class Project(models.Model):
    """A tenant. Everything else belongs to exactly one project and is never seen from another."""

    app_id = models.CharField(
        max_length=32,
        unique=True,
        default=make_app_id,
        validators=[RegexValidator(r"\A[0-9A-Za-z]{32}\Z", "An App ID is 32 letters and digits.")],
    )
    name = models.CharField(max_length=100)
    certificate = models.CharField(
        max_length=32,
        blank=True,
        default=make_certificate,
        validators=[is_certificate],
        help_text="The secret that tokens are signed with.",
    )
    secondary_certificate = models.CharField(
        max_length=32,
        blank=True,
        validators=[is_certificate],
        help_text="Tokens signed with it are accepted too: the certificate before the last rotation.",
    )
    certificate_enabled = models.BooleanField(
        default=False, help_text="While off, any uid may log in without a token: for trying out."
    )
    end_006_sessions = models.BooleanField(
        default=False,
        help_text="End connections whose 006 token has run out, as it is with 007; else they last until they are lost.",
    )
    is_active = models.BooleanField(default=True)
    allowed_origins = models.TextField(
        blank=True,
        help_text="One origin a line, as in https://app.example. Empty, or certificate off: any origin.",
    )
    limits = models.JSONField(default=dict, blank=True, validators=[validate_limits])
    recovery_window_s = models.PositiveIntegerField(
        default=600, help_text="How long a gap may be that a reconnecting client gets filled by itself."
    )
    retention_days = models.PositiveIntegerField(
        default=365, validators=[MinValueValidator(1)], help_text="How long messages are kept."
    )
    stream_quota = models.PositiveIntegerField(default=1_000_000, help_text="Rooms and inboxes with entries.")
    user_stream_quota = models.PositiveIntegerField(
        default=1_000, help_text="Rooms that one user may be the first to write into, and as many other users, per day."
    )
    stream_count = models.PositiveIntegerField(default=0, editable=False)
    media_quota = models.PositiveBigIntegerField(
        default=10 * 1024**3, help_text="Bytes of files and images that are kept or on their way."
    )
    user_media_quota = models.PositiveBigIntegerField(default=1024**3, help_text="The same of one user.")
    media_bytes = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.limits, dict):  # validators pass over what is empty, and `[]` is
            raise ValidationError({"limits": "Limits are an object of overrides."})
        if self.certificate_enabled and not self.certificate:
            raise ValidationError({"certificate_enabled": "There is no certificate to be enabled."})
        wrong = [origin for origin in self.allowed_origins.split() if not ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValidationError({"allowed_origins": f"No origin as browsers send it: {', '.join(wrong)}"})


def make_customer_id() -> str:
    return secrets.token_hex(16)


class RestCredential(models.Model):
    """Lets a project's own server use the REST interface, as any user. The secret is not kept, only its hash."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="credentials")
    name = models.CharField(max_length=100, blank=True, help_text="What it is for.")
    customer_id = models.CharField(max_length=32, unique=True, default=make_customer_id, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the hour.")

    class Meta:
        ordering = ["project", "id"]
        verbose_name = "REST credential"

    def __str__(self) -> str:
        return self.name or self.customer_id


def validate_uid(value: str) -> None:
    if not is_user_id(value):
        raise ValidationError("No user can have this id.")


class Removal(models.Model):
    """A user put out of a project: once (a kick), or kept out until a time or for good (a ban).

    The rows are what holds. Processes look for those that are not carried out yet (`realtime.removals`).
    """

    class Kind(models.TextChoices):
        KICK = "kick"
        BAN = "ban"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="removals")
    kind = models.CharField(max_length=4, choices=Kind)
    uid = models.CharField("user id", max_length=64, validators=[validate_uid])
    until = models.DateTimeField(null=True, blank=True, help_text="Of a ban: when it ends; empty: never by itself.")
    reason = models.CharField(max_length=200, blank=True, help_text="For the staff; the user is not told.")
    by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    lifted_at = models.DateTimeField(null=True, editable=False)
    carried_out_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "uid"], condition=models.Q(kind="ban", lifted_at=None), name="one_ban_for_each_user"
            ),
            models.CheckConstraint(condition=models.Q(kind="ban") | models.Q(until=None), name="a_kick_has_no_end"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(carried_out_at=None), name="removals_to_carry_out"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.uid}"

    def holds(self, now: datetime) -> bool:
        """Whether it is a ban that keeps the user out."""
        return self.kind == self.Kind.BAN and self.lifted_at is None and (self.until is None or self.until > now)

    def clean(self) -> None:
        if self.until is not None and self.kind == self.Kind.KICK:
            raise ValidationError({"until": "A kick is done at once: only a ban has an end."})
        if self.until is not None and self.until <= self.created_at:
            raise ValidationError({"until": "A ban ends in the future."})
