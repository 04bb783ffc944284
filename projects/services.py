import secrets
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction

from projects.models import Project, Removal, make_certificate, validate_uid
from projects.selectors import ended_removals
from projects.tokens import LONGEST_S, issue_007

PURGE_BATCH: Final = 500

_listeners: list[Callable[[int], None]] = []


def on_removal(listener: Callable[[int], None]) -> None:
    """Registers who is told, after the commit and in its thread, of a project whose kicks and bans this process has
    changed."""
    _listeners.append(listener)


def create_project(*, name: str, app_id: str = "", certificate: str = "", certificate_enabled: bool = False) -> Project:
    """Makes a project. `app_id` and `certificate`: those that clients and servers have already, else new ones.

    Raises ValidationError for a name, App ID or certificate that cannot be, or an App ID that is taken.
    """
    project = Project(name=name, certificate_enabled=certificate_enabled)
    if app_id:
        project.app_id = app_id
    if certificate:
        project.certificate = certificate
    project.full_clean()
    project.save(force_insert=True)
    return project


# -- certificates and tokens ---------------------------------------------------------------------------------


@transaction.atomic
def rotate_certificate(*, project_id: int) -> Project:
    """Gives a project a new certificate. Tokens signed with the one before are accepted until
    `drop_secondary_certificate` or the next rotation. Sessions that are there stay."""
    project = Project.objects.select_for_update().get(pk=project_id)
    project.secondary_certificate = project.certificate
    project.certificate = make_certificate()
    project.save(update_fields=["certificate", "secondary_certificate"])
    return project


@transaction.atomic
def drop_secondary_certificate(*, project_id: int) -> None:
    """From now on only tokens signed with the project's certificate let anybody in."""
    Project.objects.filter(pk=project_id).update(secondary_certificate="")


class IssuedToken(NamedTuple):
    token: str
    expires_at: datetime


def issue_token(*, project: Project, uid: str, now: datetime, valid_s: int = LONGEST_S) -> IssuedToken:
    """A 007 token with which `uid` may log in for `valid_s` seconds from now.

    Raises ValidationError for a uid that cannot log in, a time that is not 1 s to 24 h, and a project without a
    certificate.
    """
    validate_uid(uid)
    if not 1 <= valid_s <= LONGEST_S:
        raise ValidationError(f"A token is valid for 1 to {LONGEST_S} seconds.")
    if not project.certificate:
        raise ValidationError("The project has no certificate.")
    issued_s = int(now.timestamp())
    token = issue_007(
        app_id=project.app_id,
        certificate=project.certificate,
        uid=uid,
        issued_s=issued_s,
        valid_s=valid_s,
        salt=secrets.randbelow(2**32),
    )
    return IssuedToken(token, datetime.fromtimestamp(issued_s + valid_s, UTC))


# -- kicks and bans ------------------------------------------------------------------------------------------


@transaction.atomic
def kick_user(*, project_id: int, uid: str, now: datetime, reason: str = "", by: str = "") -> Removal:
    """Ends the user's session, if there is one, within seconds; a new login is possible at once.

    Raises ValidationError for a uid that cannot be.
    """
    return _add_removal(
        Removal(project_id=project_id, kind=Removal.Kind.KICK, uid=uid, reason=reason, by=by, created_at=now)
    )


@transaction.atomic
def ban_user(
    *, project_id: int, uid: str, now: datetime, until: datetime | None = None, reason: str = "", by: str = ""
) -> Removal:
    """Ends the user's session and refuses logins until `until`; None: until the ban is lifted. It takes the place of
    a ban that the user has.

    Raises ValidationError for a uid that cannot be, and for an end that is not to come.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project_id)  # one ban at a time
    lift_ban(project_id=project_id, uid=uid, now=now)
    return _add_removal(
        Removal(
            project_id=project_id,
            kind=Removal.Kind.BAN,
            uid=uid,
            until=until,
            reason=reason,
            by=by,
            created_at=now,
        )
    )


def _add_removal(removal: Removal) -> Removal:
    removal.full_clean()
    removal.save(force_insert=True)
    _tell(removal.project_id)
    return removal


def _tell(project_id: int) -> None:
    for listener in _listeners:
        transaction.on_commit(partial(listener, project_id))


@transaction.atomic
def lift_ban(*, project_id: int, uid: str, now: datetime) -> bool:
    """Lets a banned user log in again. False if nobody had banned them."""
    bans = Removal.objects.filter(project_id=project_id, uid=uid, kind=Removal.Kind.BAN, lifted_at=None)
    if not bans.update(lifted_at=now):
        return False
    _tell(project_id)
    return True


def finish_removals(*, ids: Collection[int], now: datetime) -> None:
    """Notes that removals were carried out."""
    Removal.objects.filter(pk__in=ids, carried_out_at=None).update(carried_out_at=now)


def purge_removals(*, project_id: int, before: datetime, batch: int = PURGE_BATCH) -> Iterator[int]:
    """Deletes a project's kicks and bans that ended before a time, in short transactions of at most `batch`, each of
    which yields how many it deleted."""
    ended = ended_removals(project_id, before)
    while ids := list(ended.order_by("pk").values_list("pk", flat=True)[:batch]):
        yield Removal.objects.filter(pk__in=ids).delete()[0]
