import secrets
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from projects.models import Project

UPLOADS: Final = "uploads"
"""The folder of what browsers post."""


def make_media_id() -> str:
    """128 bits of randomness: nobody guesses one."""
    return secrets.token_hex(16)


class MediaState(models.TextChoices):
    STARTED = "started", _("started")
    CHECKING = "checking", _("being checked")
    READY = "ready", _("ready")
    REFUSED = "refused", _("refused or given up")
    """The row stays, and counts, for as long as its form may be used."""


class MediaKind(models.TextChoices):
    FILE = "FILE", _("file")
    IMAGE = "IMAGE", _("image")


class Media(models.Model):
    """A file that a user has sent or is sending (docs/contract.md 4). Its bytes are in the storage: what was posted in
    `upload_folder`, what was checked in `folder`."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="media", db_index=False, verbose_name=_("project")
    )
    media_id = models.CharField(_("media id"), max_length=32, default=make_media_id)
    uid = models.CharField(_("user id"), max_length=64)
    kind = models.CharField(_("kind"), max_length=5, choices=MediaKind)
    name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size in bytes"))
    state = models.CharField(_("state"), max_length=8, choices=MediaState, default=MediaState.STARTED)
    refusal = models.CharField(_("why refused"), max_length=10, blank=True)
    claim = models.CharField(
        max_length=32, blank=True, help_text="Names the copy that is being checked, and then the one that was."
    )
    claimed_until = models.DateTimeField(null=True)
    content_type = models.CharField(_("content type"), max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    width = models.PositiveIntegerField(_("width"), default=0)
    height = models.PositiveIntegerField(_("height"), default=0)
    thumbnail_width = models.PositiveIntegerField(default=0)
    thumbnail_height = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("kept until"))

    class Meta:
        verbose_name = _("file or image")
        verbose_name_plural = _("files and images")
        constraints = [models.UniqueConstraint(fields=["project", "media_id"], name="media_id_in_project")]
        indexes = [
            models.Index(fields=["project", "uid", "state"], name="media_of_user"),
            models.Index(fields=["expires_at"], name="media_expiry"),
        ]

    def __str__(self) -> str:
        return self.media_id

    @property
    def folder(self) -> str:
        return f"{self.project_id}/{self.media_id}"

    @property
    def upload_folder(self) -> str:
        """All uploads are under one prefix: so a bucket's own rule can find those that were left behind."""
        return f"{UPLOADS}/{self.folder}"

    @property
    def uploaded_key(self) -> str:
        """Where the form puts what comes."""
        return f"{self.upload_folder}/file"

    @property
    def checked_key(self) -> str:
        """A copy that no form can change."""
        return f"{self.folder}/{self.claim}"

    @property
    def thumbnail_key(self) -> str:
        return f"{self.checked_key}-thumbnail"


class MediaUse(models.Model):
    """That a message has the file: whoever may read the message may fetch it. The message is the stream's entry of this
    sender and message id. Made before the entry: one that has none for long belongs to a message that was never taken.
    """

    media = models.ForeignKey(Media, models.CASCADE, related_name="uses", db_index=False)
    stream = models.ForeignKey("messaging.Stream", models.CASCADE, related_name="media_uses", db_index=False)
    sender = models.CharField(max_length=64)
    message_id = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message_id", "sender", "stream"], name="media_use_of_message")]
        indexes = [
            models.Index(fields=["media", "stream"], name="media_use"),
            models.Index(fields=["media", "sender"], name="media_use_sender"),
            models.Index(fields=["stream"], name="media_use_stream"),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.message_id}"
