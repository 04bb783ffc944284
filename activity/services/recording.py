"""Writing down what happened to sessions and rooms."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db import transaction

from activity.events import CLOSED, CREATED, JOINED, LEFT, LOGGED_IN, LOGGED_OUT, Occurrence, make_event_id
from activity.models import BusinessId, OpenRoom, VendorEvent
from activity.selectors import BusinessIds
from activity.services.queue import enqueue_occurrences
from messaging.selectors import from_ms, to_ms
from projects.models import Project

RoomKey = tuple[int, str]
"""A project's id and a room's name."""


class By(NamedTuple):
    """Whose coming or going it was, "" for nobody's, and when (ms since 1970)."""

    uid: str
    ts: int


BUSINESS_IDS_KEPT: Final = 16
"""Of a user: the newest."""

_VENDOR: Final = {
    LOGGED_IN: (VendorEvent.Kind.USER, VendorEvent.Type.LOGIN),
    LOGGED_OUT: (VendorEvent.Kind.USER, VendorEvent.Type.LOGOUT),
    JOINED: (VendorEvent.Kind.CHANNEL, VendorEvent.Type.JOIN),
    LEFT: (VendorEvent.Kind.CHANNEL, VendorEvent.Type.LEAVE),
}


@transaction.atomic
def record_occurrences(*, occurrences: Sequence[Occurrence], now: datetime) -> None:
    """Writes down logins, logouts, joins and leaves, in their order, and the rooms that they open. Repeated, it
    changes nothing. Those of a project that is gone are passed over."""
    app_ids = _app_ids({occurrence.project for occurrence in occurrences})
    occurrences = [occurrence for occurrence in occurrences if occurrence.project in app_ids]
    VendorEvent.objects.bulk_create([_vendor_event(each) for each in occurrences], ignore_conflicts=True)
    business_ids = BusinessIds({(occurrence.project, occurrence.uid) for occurrence in occurrences})
    enqueue_occurrences(occurrences=_with_openings(occurrences), app_ids=app_ids, business_ids=business_ids, now=now)
    _end_business_ids(occurrences)


def _app_ids(project_ids: Collection[int]) -> dict[int, str]:
    return dict(Project.objects.filter(pk__in=project_ids).values_list("pk", "app_id"))


def _vendor_event(occurrence: Occurrence) -> VendorEvent:
    kind, vendor_type = _VENDOR[occurrence.event]
    return VendorEvent(
        project_id=occurrence.project,
        kind=kind,
        type=vendor_type,
        uid=occurrence.uid,
        room=occurrence.room,
        happened_at=from_ms(occurrence.ts),
        event_id=occurrence.id,
    )


def _with_openings(occurrences: Sequence[Occurrence]) -> list[Occurrence]:
    """Before the first join of a room that was not open: that it was created."""
    joined = [(each.project, each.room) for each in occurrences if each.event == JOINED]
    opened = _open_rooms(joined)
    told: list[Occurrence] = []
    for occurrence in occurrences:
        if occurrence.event == JOINED:
            life = opened.pop((occurrence.project, occurrence.room), None)
            if life is not None:
                room = (occurrence.project, occurrence.room)
                told.append(_room_occurrence(CREATED, room, life, By(occurrence.uid, occurrence.ts)))
        told.append(occurrence)
    return told


def _room_occurrence(event: str, room: RoomKey, life: str, by: By) -> Occurrence:
    """Its id follows from the room's life: two processes that see the same tell of one event."""
    return Occurrence(
        id=f"{life}-{event.rpartition('.')[2]}", project=room[0], event=event, ts=by.ts, uid=by.uid, room=room[1]
    )


def _open_rooms(rooms: Iterable[RoomKey]) -> dict[RoomKey, str]:
    """Makes the rows of rooms that had none; their lives."""
    wanted = dict.fromkeys(rooms)
    known = _lives(wanted)
    missing = sorted(room for room in wanted if room not in known)  # in one order, whichever process inserts
    OpenRoom.objects.bulk_create(
        [OpenRoom(project_id=project, name=name, life=make_event_id()) for project, name in missing],
        ignore_conflicts=True,
    )
    lives = _lives(missing)  # of another process, if that was first
    return {room: lives[room][1] for room in missing if room in lives}


def _lives(rooms: Collection[RoomKey]) -> dict[RoomKey, tuple[int, str]]:
    """Key and life of the rooms that are open."""
    if not rooms:
        return {}
    rows = OpenRoom.objects.filter(
        project_id__in={project for project, _ in rooms}, name__in={name for _, name in rooms}
    )
    found = {(row.project_id, row.name): (row.pk, row.life) for row in rows}
    return {room: found[room] for room in rooms if room in found}


@transaction.atomic
def record_rooms(*, occupied: Collection[RoomKey], empty: Mapping[RoomKey, By], now: datetime) -> list[RoomKey]:
    """Opens and closes rooms by what the presence store was seen to say; returns those that this changed, at which
    the caller looks again: what was seen may have been old. `empty`: with who left last."""
    nobody = By("", to_ms(now))
    app_ids = _app_ids({project for project, _ in (*occupied, *empty)})
    opened = _open_rooms([room for room in occupied if room[0] in app_ids])
    closing = _lives(empty)
    OpenRoom.objects.filter(pk__in=[key for key, _ in closing.values()]).delete()
    enqueue_occurrences(
        occurrences=[
            *(_room_occurrence(CREATED, room, life, nobody) for room, life in opened.items()),
            *(_room_occurrence(CLOSED, room, life, empty[room]) for room, (_, life) in closing.items()),
        ],
        app_ids=app_ids,
        business_ids=BusinessIds({(room[0], empty[room].uid) for room in closing}),
        now=now,
    )
    return [*opened, *closing]


@transaction.atomic
def set_business_id(*, project_id: int, uid: str, business_id: str, now: datetime) -> None:
    """From now on the user has this business id, until the session ends."""
    of_user = BusinessId.objects.filter(project_id=project_id, uid=uid)
    current = list(of_user.filter(until=None).select_for_update())
    if [row.business_id for row in current] == [business_id]:
        return
    of_user.filter(until=None).update(until=now)
    BusinessId.objects.create(project_id=project_id, uid=uid, business_id=business_id, since=now)
    old = of_user.order_by("-pk").values_list("pk", flat=True)[BUSINESS_IDS_KEPT:]
    BusinessId.objects.filter(pk__in=list(old)).delete()


def _end_business_ids(occurrences: Sequence[Occurrence]) -> None:
    """They are a session's: with its end, and with the beginning of another one, they have ended."""
    ends: dict[tuple[int, str], int] = {}
    for occurrence in occurrences:
        if occurrence.event in (LOGGED_IN, LOGGED_OUT):
            ends[occurrence.project, occurrence.uid] = occurrence.ts
    rows = BusinessId.objects.filter(
        until=None, project_id__in={project for project, _ in ends}, uid__in={uid for _, uid in ends}
    )
    for row in rows:
        ended = ends.get((row.project_id, row.uid))
        if ended is not None and to_ms(row.since) < ended:
            BusinessId.objects.filter(pk=row.pk).update(until=from_ms(ended))
