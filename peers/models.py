from typing import Final

import msgspec
from django.db import models

from projects.models import Project

decode_attributes: Final = msgspec.json.Decoder(dict[str, str]).decode
"""Of `UserAttributes.attributes`."""


class UserAttributes(models.Model):
    """The attributes that a user has set in a session (docs/contract.md 7).

    They are that session's: those of another one than the user's current do not exist, whether or not the row is
    still there. `generation` is that of the login that wrote them last; `attributes`: an object of strings, as JSON
    text.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    uid = models.CharField(max_length=64)
    session = models.CharField(max_length=64)
    generation = models.BigIntegerField()
    attributes = models.TextField(default="{}")
    touched_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "uid"], name="user_attributes_uid")]
        verbose_name_plural = "user attributes"

    def __str__(self) -> str:
        return self.uid
