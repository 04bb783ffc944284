"""Messages of the past by time: their plan. What they are is in tests/rest/test_vendor_history.py."""

from django.db import connection, transaction

from messaging.past import Past, _entries


def test_only_what_is_kept_for_the_history_is_looked_through() -> None:
    past = Past(project_id=1, streams=None, sender="ann", events=("room.sent",), start_ms=0, end_ms=4_102_444_800_000)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = _entries(past).explain()
    assert "entry_peer_history" in plan or "entry_sender_history" in plan, plan
