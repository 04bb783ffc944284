from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet

from projects.limits import Limits, parse_limits
from projects.models import Project, Removal
from projects.tokens import Token, verify

UserKey = tuple[int, str]
"""Project id and user id."""

LOOKUP_BATCH: Final = 500
KNOWN_BANS: Final = 1_000
"""Of a project with more bans, each is asked for when it matters."""


class ActiveBan(NamedTuple):
    """`until` None: for good."""

    until: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.until is None or self.until > now


@dataclass(frozen=True, slots=True)
class Tenant:
    """What the gateway needs of a project, read once and kept for a few seconds."""

    id: int
    app_id: str
    certificate_enabled: bool
    origins: frozenset[str]
    limits: Limits
    recovery_window_ms: int
    certificates: tuple[str, ...] = field(default=(), repr=False)
    end_006_sessions: bool = False
    bans: Mapping[str, ActiveBan] | None = field(default_factory=dict)
    """By user id; None: too many to be kept."""

    def accepts_origin(self, origin: str | None) -> bool:
        """Apps live on other origins and carry tokens, not cookies: any origin while the certificate is
        off or no list is kept; programs that are no browsers send none."""
        return not (self.certificate_enabled and self.origins and origin) or origin in self.origins

    def verify_token(self, token: str, uid: str, now_ms: int) -> Token:
        """Raises TokenError for a token that does not let `uid` log in now."""
        return verify(token, app_id=self.app_id, certificates=self.certificates, uid=uid, now_ms=now_ms)


def get_tenant(app_id: str) -> Tenant | None:
    """The active project with this App ID, or None."""
    project = Project.objects.filter(app_id=app_id, is_active=True).first()
    if project is None:
        return None
    return Tenant(
        id=project.pk,
        app_id=project.app_id,
        certificate_enabled=project.certificate_enabled,
        origins=frozenset(project.allowed_origins.split()),
        limits=parse_limits(project.limits),
        recovery_window_ms=project.recovery_window_s * 1000,
        certificates=tuple(filter(None, (project.certificate, project.secondary_certificate))),
        end_006_sessions=project.end_006_sessions,
    )


def known_bans(project_id: int, now: datetime) -> Mapping[str, ActiveBan] | None:
    """A project's bans that hold now, by user id; None for more than KNOWN_BANS."""
    found = _bans(now).filter(project_id=project_id).values_list("uid", "until")[: KNOWN_BANS + 1]
    bans = {uid: ActiveBan(until) for uid, until in found}
    return bans if len(bans) <= KNOWN_BANS else None


def _bans(now: datetime) -> QuerySet[Removal]:
    """Those that hold."""
    return Removal.objects.filter(Q(until=None) | Q(until__gt=now), kind=Removal.Kind.BAN, lifted_at=None).order_by()


def active_bans(users: Collection[UserKey], now: datetime) -> Mapping[UserKey, ActiveBan]:
    """Those of these users who are banned now."""
    of_project: dict[int, list[str]] = defaultdict(list)
    for project_id, uid in users:
        of_project[project_id].append(uid)
    found = {}
    for project_id, uids in of_project.items():
        for start in range(0, len(uids), LOOKUP_BATCH):
            bans = _bans(now).filter(project_id=project_id, uid__in=uids[start : start + LOOKUP_BATCH])
            for uid, until in bans.values_list("uid", "until"):
                found[project_id, uid] = ActiveBan(until)
    return found


def active_ban(*, project_id: int, uid: str, now: datetime) -> ActiveBan | None:
    """The ban that keeps this user out now."""
    return active_bans([(project_id, uid)], now).get((project_id, uid))


def list_bans(*, project_id: int, now: datetime, after: int, limit: int) -> list[Removal]:
    """The bans of a project that hold now, with ids above `after`, the oldest first."""
    bans = _bans(now).filter(project_id=project_id, id__gt=after)
    return list(bans.order_by("id")[:limit])


def pending_removals(after_id: int, limit: int) -> list[Removal]:
    """Those that are not carried out yet, the oldest first."""
    pending = Removal.objects.filter(carried_out_at=None, id__gt=after_id)
    return list(pending.order_by("id")[:limit])


def ended_removals(project_id: int, before: datetime) -> QuerySet[Removal]:
    """A project's kicks that were carried out before a time, and its bans that had ended by then. The row of a ban that
    another took the place of is one that was lifted."""
    kicks = Q(kind=Removal.Kind.KICK, carried_out_at__lt=before)
    bans = Q(kind=Removal.Kind.BAN) & (Q(lifted_at__lt=before) | Q(until__lt=before))
    return Removal.objects.filter(kicks | bans, project_id=project_id)
