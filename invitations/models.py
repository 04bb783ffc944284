from datetime import datetime
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from invitations.transitions import InvitationState, Reason
from projects.limits import CEILINGS
from projects.models import Project
from rooms.models import JsonStringField

MAX_TEXT: Final = 6 * CEILINGS.invitation_bytes + 2
"""Characters of a text as it is stored, however it is escaped."""

UNKNOWN: Final = 0
"""In `callee_since`: the presence store was being filled when the callee was called."""

_REASONS: Final = [(reason.value, reason.value) for reason in Reason]
_OPEN: Final = Q(due_at__isnull=False)


class Invitation(models.Model):
    """A call invitation (docs/contract.md 8), open or ended; ended ones are the history of calls.

    `invitation` is given by the caller's client, as a message id is. `step` counts what happened to it: 1 is
    the sending. `due_at`: when it times out; None when it has ended. `caller_since` and `callee_since`: when the
    sessions began that it is between (ms, the presence store's clock).
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations", db_index=False)
    invitation = models.CharField(max_length=64)
    caller = models.CharField(max_length=64)
    callee = models.CharField(max_length=64)
    channel = models.CharField(max_length=64, blank=True)
    content = JsonStringField(blank=True)
    response = JsonStringField(blank=True)
    state = models.CharField(max_length=16, choices=[(state.value, state.value) for state in InvitationState])
    caller_reason = models.CharField(max_length=32, blank=True, choices=_REASONS)
    callee_reason = models.CharField(max_length=32, blank=True, choices=_REASONS)
    step = models.PositiveSmallIntegerField()
    caller_since = models.BigIntegerField()
    callee_since = models.BigIntegerField()
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "caller", "invitation"], name="invitation_id"),
            models.CheckConstraint(
                name="invitation_parties", condition=~Q(caller="") & ~Q(callee="") & ~Q(caller=F("callee"))
            ),
            models.CheckConstraint(
                name="invitation_ended",
                condition=Q(state__in=["SENT", "RECEIVED"], due_at__isnull=False, ended_at__isnull=True)
                | Q(
                    state__in=["ACCEPTED", "REFUSED", "CANCELED", "FAILED"], due_at__isnull=True, ended_at__isnull=False
                ),
            ),
            models.CheckConstraint(
                name="invitation_confirmed",
                condition=Q(state="SENT", confirmed_at__isnull=True)
                | Q(state__in=["RECEIVED", "ACCEPTED", "REFUSED"], confirmed_at__isnull=False)
                | Q(state__in=["CANCELED", "FAILED"]),
            ),
            models.CheckConstraint(
                name="invitation_reason",
                condition=(Q(state="FAILED") & ~Q(caller_reason=""))
                | (~Q(state="FAILED") & Q(caller_reason="", callee_reason="")),
            ),
            models.CheckConstraint(
                name="invitation_response", condition=Q(state__in=["ACCEPTED", "REFUSED"]) | Q(response="")
            ),
            models.CheckConstraint(
                name="invitation_order",
                condition=(Q(confirmed_at__isnull=True) | Q(confirmed_at__gte=F("created_at")))
                & (Q(ended_at__isnull=True) | Q(ended_at__gte=F("created_at"))),
            ),
            models.CheckConstraint(
                name="invitation_lengths",
                condition=LessThanOrEqual(Length("content"), MAX_TEXT) & LessThanOrEqual(Length("response"), MAX_TEXT),
            ),
            models.CheckConstraint(name="invitation_step", condition=Q(step__gte=1, step__lte=3)),
        ]
        indexes = [
            models.Index(fields=["project", "caller", "id"], name="invitation_by_caller"),
            models.Index(fields=["project", "callee", "id"], name="invitation_by_callee"),
            # Few are open at a time: what the deadlines and the parties look at stays small.
            models.Index(fields=["due_at"], name="invitation_due", condition=_OPEN),
            models.Index(fields=["id"], name="invitation_open", condition=_OPEN),
            models.Index(fields=["project", "caller"], name="invitation_open_caller", condition=_OPEN),
            models.Index(fields=["project", "callee"], name="invitation_open_callee", condition=_OPEN),
        ]

    def __str__(self) -> str:
        return f"{self.caller} to {self.callee}: {self.state}"

    @property
    def changed_at(self) -> datetime:
        """When the last step happened."""
        return self.ended_at or self.confirmed_at or self.created_at
