"""A peer message on its way, and what becomes of it when something fails."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from messaging.media.uses import FilePost
from messaging.messages import PEER_MEDIA_SENT, PEER_SENT
from messaging.models import inbox_name
from projects.selectors import Tenant
from realtime.errors import UNAVAILABLE, RpcError
from realtime.streams import StreamKey

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Answer(NamedTuple):
    """`ts`: when the server took the message, ms since 1970."""

    received: bool
    ts: int


class PeerMessage(NamedTuple):
    """A message on its way; `body` is the entry's, JSON text, unless it is to be made of a `file`. `answer` is called
    once, on the loop; `committed` before it, with when the server took the message (ms since 1970), as soon as it is
    committed and waits for its receiver.

    `waits`: somebody waits for the answer: the project's own server (`of_server`), or the sender.
    `may_be_second`: its sender has connected anew, and may have sent it already to a process that still has it in work.
    """

    project: Tenant
    sender: str
    peer: str
    message_id: str
    body: str
    flags: int
    began_s: float
    answer: Callable[[Answer | RpcError], None]
    committed: Callable[[int], None]
    waits: bool = True
    of_server: bool = False
    may_be_second: bool = False
    file: FilePost | None = None

    @property
    def event(self) -> str:
        return PEER_SENT if self.file is None else PEER_MEDIA_SENT

    @property
    def key(self) -> StreamKey:
        return (self.project.id, inbox_name(self.peer))

    def ended_by(self, end: Callable[[], None]) -> "PeerMessage":
        """The same; `end` is called just before it is answered."""
        return self._replace(answer=partial(_end, end, self.answer))


class Waiting(NamedTuple):
    """A committed message, without its body, that its receiver has not acknowledged yet. `committed_s`: when that was
    heard, on the loop's clock; `reader`: the generation of the receiver's session here, 0 for none; `repeated`: it may
    have been withdrawn before."""

    message: PeerMessage
    stream_id: int
    seq: int
    ts: int
    committed_s: float
    reader: int = 0
    repeated: bool = False


def _end(end: Callable[[], None], answer: Callable[[Answer | RpcError], None], outcome: Answer | RpcError) -> None:
    end()
    answer(outcome)


async def answer_of(question: Awaitable[T], messages: Sequence[PeerMessage]) -> T | None:
    """What storage answers; None when it does not, and then that is the answer to these messages."""
    try:
        return await question
    except RpcError as error:
        failure = error
    except Exception:
        logger.exception("%d peer messages: their state could not be read or written", len(messages))
        failure = RpcError(UNAVAILABLE)
    for message in messages:
        message.answer(failure)
    return None
