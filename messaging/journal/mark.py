from dataclasses import dataclass

from realtime.streams import StreamKey


@dataclass(slots=True)
class Mark:
    """How far a user has acknowledged the inbox, as the session of this `generation`; committed with a group.

    `written`: it has been to the database; `counts`: it is in there. A newer login's reading refuses it.
    """

    key: StreamKey
    stream_id: int
    acked: int
    generation: int
    written: bool = False
    counts: bool = False
