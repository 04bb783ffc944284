import re
import secrets
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from projects.limits import parse_limits

ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]_-]+")
"""Scheme, host and port, in small letters and without a path: as it is compared."""


def make_app_id() -> str:
    """32 hex characters, the form of the vendor's App IDs (docs/contract.md 1)."""
    return secrets.token_hex(16)


def validate_limits(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Limits are an object of overrides.")
    try:
        parse_limits(value)
    except (ValueError, AttributeError) as error:
        raise ValidationError(str(error)) from error


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
        validators=[RegexValidator(r"\A([0-9a-f]{32})?\Z", "A certificate is 32 hex characters.")],
        help_text="The secret that tokens are signed with.",
    )
    certificate_enabled = models.BooleanField(
        default=False, help_text="While off, any uid may log in without a token: for trying out."
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
        default=1_000, help_text="Rooms that one user may be the first to write into, per day."
    )
    stream_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.limits, dict):  # validators pass over what is empty, and `[]` is
            raise ValidationError({"limits": "Limits are an object of overrides."})
        wrong = [origin for origin in self.allowed_origins.split() if not ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValidationError({"allowed_origins": f"No origin as browsers send it: {', '.join(wrong)}"})
