"""Tokens, kicks and bans by REST (docs/rest.md): for a project's own server."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, BeforeValidator, Field

from projects.models import Project
from projects.selectors import list_bans
from projects.services import IssuedToken, ban_user, issue_token, kick_user, lift_ban
from projects.tokens import LONGEST_S
from realtime.rest.callers import caller_of
from realtime.rest.errors import V1_FAILURES, V1Failure
from realtime.rest.fields import Body, QueryPage, QueryPlace, UserId, whole
from realtime.rest.shapes import AppId

v1 = Router(tags=["users"])

BY: Final = "REST"
MAX_BAN_S: Final = 10 * 365 * 24 * 3600
NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"


def _to_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class TokenWish(Body):
    """`valid_s`: for so many seconds, 24 hours at most."""

    valid_s: Annotated[int, Field(ge=1, le=LONGEST_S), BeforeValidator(whole)] = LONGEST_S


class Token(BaseModel):
    """`expires_at`: ms since 1970."""

    token: str
    expires_at: int


def _issue(project_id: int, uid: str, now: datetime, valid_s: int) -> IssuedToken:
    return issue_token(project=Project.objects.get(pk=project_id), uid=uid, now=now, valid_s=valid_s)


@v1.post("/projects/{app_id}/users/{uid}/tokens", response={200: Token, V1_FAILURES: V1Failure})
async def create_token(request: HttpRequest, app_id: AppId, uid: UserId, body: TokenWish) -> Token:
    """Issues a token (007) with which the user may log in."""
    caller = caller_of(request)
    caller.require_server()
    now = _at(caller.runtime.clock_ms())
    issued = await caller.runtime.bridge.read(_issue, caller.tenant.id, uid, now, body.valid_s)
    return Token(token=issued.token, expires_at=_to_ms(issued.expires_at))


class Kick(Body):
    """`reason`: for the staff; the user is not told."""

    reason: Annotated[str, Field(max_length=200, pattern=NO_CONTROL)] = ""


class Ban(Kick):
    """`for_s`: seconds from now, ten years at most; left out: until it is lifted."""

    for_s: Annotated[int, Field(ge=1, le=MAX_BAN_S), BeforeValidator(whole)] | None = None


class Removed(BaseModel):
    """`until`: when the ban ends, ms since 1970; null: not by itself, or no ban."""

    until: int | None = None


@v1.post("/projects/{app_id}/users/{uid}/kick", response={200: Removed, V1_FAILURES: V1Failure})
async def kick(request: HttpRequest, app_id: AppId, uid: UserId, body: Kick) -> Removed:
    """Ends the user's session, wherever it is, within seconds. A new login is possible at once."""
    caller = caller_of(request)
    caller.require_server()
    await caller.runtime.bridge.write(
        kick_user, project_id=caller.tenant.id, uid=uid, now=_at(caller.runtime.clock_ms()), reason=body.reason, by=BY
    )
    return Removed()


@v1.put("/projects/{app_id}/users/{uid}/ban", response={200: Removed, V1_FAILURES: V1Failure})
async def ban(request: HttpRequest, app_id: AppId, uid: UserId, body: Ban) -> Removed:
    """Ends the user's session and refuses logins until the ban ends. It takes the place of one that is there."""
    caller = caller_of(request)
    caller.require_server()
    now = _at(caller.runtime.clock_ms())
    removal = await caller.runtime.bridge.write(
        ban_user,
        project_id=caller.tenant.id,
        uid=uid,
        now=now,
        until=None if body.for_s is None else now + timedelta(seconds=body.for_s),
        reason=body.reason,
        by=BY,
    )
    return Removed(until=None if removal.until is None else _to_ms(removal.until))


class Lifted(BaseModel):
    """`lifted`: false if nobody had banned the user."""

    lifted: bool


@v1.delete("/projects/{app_id}/users/{uid}/ban", response={200: Lifted, V1_FAILURES: V1Failure})
async def lift(request: HttpRequest, app_id: AppId, uid: UserId) -> Lifted:
    """Lets a banned user log in again."""
    caller = caller_of(request)
    caller.require_server()
    now = _at(caller.runtime.clock_ms())
    return Lifted(lifted=await caller.runtime.bridge.write(lift_ban, project_id=caller.tenant.id, uid=uid, now=now))


class BanItem(BaseModel):
    """Times are ms since 1970; `until` null: not by itself."""

    id: int
    uid: str
    until: int | None
    reason: str
    by: str
    created_at: int


class Bans(BaseModel):
    """`next`: to be given as `after` for the next page; null: there is none."""

    bans: list[BanItem]
    next: int | None


@v1.get("/projects/{app_id}/bans", response={200: Bans, V1_FAILURES: V1Failure})
async def bans(
    request: HttpRequest,
    app_id: AppId,
    after: QueryPlace = 0,
    limit: QueryPage = 50,
) -> Bans:
    """The bans that hold now, the oldest first."""
    caller = caller_of(request)
    caller.require_server()
    found = await caller.runtime.bridge.read(
        list_bans, project_id=caller.tenant.id, now=_at(caller.runtime.clock_ms()), after=after, limit=limit + 1
    )
    items = [
        BanItem(
            id=one.pk,
            uid=one.uid,
            until=None if one.until is None else _to_ms(one.until),
            reason=one.reason,
            by=one.by,
            created_at=_to_ms(one.created_at),
        )
        for one in found[:limit]
    ]
    return Bans(bans=items, next=items[-1].id if len(found) > limit else None)
