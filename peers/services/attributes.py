"""Changes of a user's attributes, and the end of those that nobody can see any more (docs/contract.md 7)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from messaging.attributes import Operation, apply, check_attributes, check_keys, check_total
from peers.models import UserAttributes, decode_attributes
from projects.limits import Sizes
from realtime.errors import UNAVAILABLE, RpcError


def change_attributes(
    *,
    project_id: int,
    uid: str,
    session: str,
    generation: int,
    operation: Operation,
    attributes: Mapping[str, str],
    keys: Collection[str],
    sizes: Sizes,
    now: datetime,
) -> None:
    """Applies one change to the attributes of a user's session; the same change again makes no difference.

    `generation` is that of the login which asks for it: after a later login's change it changes nothing. Raises
    RpcError `unavailable` then, and `size_overflow`, `invalid_params`.
    """
    check_attributes(attributes, sizes)
    check_keys(keys, sizes)
    with transaction.atomic():
        fresh = {"session": session, "generation": generation, "touched_at": now}
        UserAttributes.objects.get_or_create(project_id=project_id, uid=uid, defaults=fresh)
        row = UserAttributes.objects.select_for_update().get(project_id=project_id, uid=uid)
        if row.generation > generation:
            raise RpcError(UNAVAILABLE, "The session was replaced.")
        before = decode_attributes(row.attributes) if row.session == session else {}
        after = apply(operation, before, attributes, keys)
        check_total(after, most=sizes.user_attributes, most_bytes=sizes.user_attributes_bytes)
        row.session, row.generation, row.touched_at = session, generation, now
        row.attributes = msgspec.json.encode(after).decode()
        row.save(update_fields=["session", "generation", "attributes", "touched_at"])


def delete_ended(*, project_id: int, ended: Mapping[str, int]) -> int:
    """Deletes the attributes of sessions that have ended: uids, each with the generation up to which its sessions
    have. What a later login has written stays. Returns how many rows there were."""
    rows = UserAttributes.objects.filter(project_id=project_id, uid__in=list(ended))
    found = rows.values_list("pk", "uid", "generation")
    return _delete([(pk, generation) for pk, uid, generation in found if generation <= ended[uid]])


def delete_left_over(*, rows: Sequence[UserAttributes]) -> int:
    """Deletes rows whose sessions are over, as far as nobody has written to them since they were read."""
    return _delete([(row.pk, row.generation) for row in rows])


def _delete(rows: Sequence[tuple[int, int]]) -> int:
    """By id and generation."""
    return sum(UserAttributes.objects.filter(pk=pk, generation=generation).delete()[0] for pk, generation in rows)
