from dataclasses import dataclass

from realtime.streams import StreamKey


@dataclass(slots=True)
class Mark:
    """How far a user has acknowledged the inbox, as the session of this `generation`; committed with a group.

    `written`: it is in the database, or a newer session has read further.
    """

    key: StreamKey
    stream_id: int
    acked: int
    generation: int
    written: bool = False
