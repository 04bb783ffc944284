"""Peer messages: into the receiver's inbox, and back to the sender whether they have arrived (docs/contract.md 5).

"Arrived" is what the receiver's client has acknowledged, and that is committed; "not arrived" is decided under the
lock of the inbox (`messaging.inbox`), so that a message answered so is never delivered later, unless it is kept for
a user who is away.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from messaging.engine import Messaging
from messaging.inbox import Receipt, settle_receipts
from messaging.journal import Append
from messaging.messages import PEER_MESSAGES
from messaging.models import EntryFlag, inbox_name
from messaging.selectors import find_answer, has_arrived, stream_heads, withdrawn_among
from messaging.sifting import set_lifetime
from peers.outgoing import Answer, PeerMessage, Waiting, answer_of
from peers.overflow import ANSWERED, Overflow
from peers.waits import Waits
from realtime.capabilities import withheld_events
from realtime.errors import INCOMPATIBLE_MESSAGE, INVALID_PARAMS, RpcError
from realtime.hints import FRESH_MS
from realtime.parts import RecurringPart, Round
from realtime.presence import PresenceState
from realtime.protocol import encode
from realtime.runtime import Runtime
from realtime.silence import UNREACHABLE_S
from realtime.streams import StreamKey

WAIT_S: Final = 9.0
"""A sender's client gives up after 10 s."""
HINTED_S: Final = FRESH_MS / 1000 + 3
"""So long after its commit another process may push a message, as long as clocks differ by no more than 3 s: before
that none is given up."""
LOOK_S: Final = 0.5
BATCH: Final = 200
"""Messages that are settled in one transaction."""
SECOND_S: Final = 20.0
"""So long after connecting, a login included, clients send again what was not answered before."""
for event in PEER_MESSAGES:
    set_lifetime(event, ANSWERED)


class PeerMessages(RecurringPart):
    """A part of the runtime. At a drain, who waits for a receipt asks again elsewhere, under the same message id."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._to_ask: list[PeerMessage] = []
        """Whose receiver is not of this process. While there are any, whatever comes waits behind them, so that
        the order between two users is kept."""
        self._asker: asyncio.Task[None] | None = None
        self._waiting: dict[StreamKey, list[Waiting]] = {}
        self.waits = Waits()
        self._overflow = Overflow(runtime)

    def rounds(self) -> Sequence[Round]:
        return (Round("the receipts of peer messages", LOOK_S, self.look),)

    async def start(self) -> None:
        self._runtime.part(Messaging).on_acknowledged.append(self._acknowledged)
        await super().start()

    # -- sending -----------------------------------------------------------------------------------------

    def send(self, message: PeerMessage) -> None:
        """Messages of one sender to one peer keep their order.

        Answers `overloaded` when too many wait already, before anything is appended: the sender has the message still,
        and sends it again. Were it stored and not waited for, its sender would never know whether it arrived.
        """
        if message.waits:
            try:
                end = self.waits.begin(message.project, None if message.of_server else message.sender)
            except RpcError as error:
                message.answer(error)
                return
            message = message.ended_by(end)
        reachable = self._is_reachable_here(message.project.id, message.peer)
        if reachable is not None and self._asker is None:
            session = self._runtime.sessions.get(message.project.id, message.peer)
            capabilities = session.capabilities if session is not None else ""
            self._deliver(message, capabilities if reachable else None)
            return
        self._to_ask.append(message)
        if self._asker is None:
            self._asker = self._runtime.hub.spawn(self._ask())

    def _is_reachable_here(self, project_id: int, uid: str) -> bool | None:
        """Whether a message may arrive soon; None when only the presence store knows. Who dropped a moment ago is
        waited for."""
        session = self._runtime.sessions.get(project_id, uid)
        if session is not None:
            connection = session.connection
            heard_s = connection.seen_s if connection is not None else session.lost_s
            if self._runtime.loop.time() - heard_s < UNREACHABLE_S:
                return True
        return None if self._runtime.hub.shared else False

    async def _ask(self) -> None:
        try:
            while self._to_ask:
                messages, self._to_ask = self._to_ask, []
                question = self._reachable({message.key: message.peer for message in messages})
                reachable = await answer_of(question, messages)
                if reachable is not None:
                    for message in messages:
                        self._deliver(message, reachable.get(message.key))
        finally:
            self._asker = None

    async def _reachable(self, uids: dict[StreamKey, str]) -> dict[StreamKey, str]:
        """Those of the users, by the key of their inbox, who are online, and what their clients can. Raises RpcError
        `unavailable`."""
        online: dict[StreamKey, str] = {}
        for project_id in {key[0] for key in uids}:
            keys = [key for key in uids if key[0] == project_id]
            states = await self._runtime.sessions.states(project_id, [uids[key] for key in keys])
            online |= {
                key: state.capabilities
                for key, state in zip(keys, states, strict=True)
                if state is not None and state.state is PresenceState.ONLINE
            }
        return online

    def _deliver(self, message: PeerMessage, capabilities: str | None) -> None:
        """`capabilities`: of the receiver's client; None when it is not to be reached soon."""
        if capabilities is not None and message.event in withheld_events(capabilities):
            self._runtime.hub.spawn(self._answer_unsent(message, RpcError(INCOMPATIBLE_MESSAGE)))
        elif capabilities is None and not message.flags and not message.may_be_second:
            self._runtime.hub.spawn(self._answer_unsent(message, Answer(False, self._runtime.clock_ms())))
        else:
            self._append(message, reachable=capabilities is not None)

    def _append(self, message: PeerMessage, *, reachable: bool) -> None:
        flags = message.flags
        if not reachable and not flags & EntryFlag.OFFLINE:
            flags |= EntryFlag.WITHDRAWN  # for the history only, or so that a first attempt comes too late
        messaging = self._runtime.part(Messaging)
        messaging.append(
            Append(
                key=message.key,
                event=message.event,
                sender=message.sender,
                json_sender=encode(message.sender),
                message_id=message.message_id,
                body=message.body,
                flags=flags,
                expires_s=messaging.expiry(),
                done=partial(self._appended, message, reachable),
                of_server=message.of_server,
                file=message.file,
            )
        )

    async def _answer_unsent(self, message: PeerMessage, answer: Answer | RpcError) -> None:
        """It is of no use now, and not kept. Only a repeated message was stored, and has its first answer."""
        found = await answer_of(self._stored(message, answer), [message])
        if isinstance(found, Waiting):
            message.committed(found.ts)
            await self._wait_again(found)
        elif found is not None:
            message.answer(found)

    async def _stored(self, message: PeerMessage, answer: Answer | RpcError) -> Waiting | Answer | RpcError:
        """A message that was stored under the same id, or this answer if there is none. Raises RpcError
        `invalid_params` when the id was used for something else, `unavailable`."""
        first = await self._runtime.bridge.read(
            find_answer, message.project.id, inbox_name(message.peer), message.sender, message.message_id
        )
        if first is None:
            return answer
        if first.event != message.event:
            raise RpcError(INVALID_PARAMS, "message_id was used for something else with this peer.")
        return Waiting(message, first.stream_id, first.seq, first.ts, self._runtime.loop.time(), repeated=True)

    def _appended(self, message: PeerMessage, reachable: bool, append: Append) -> None:
        if append.error is not None:
            message.answer(append.error)
            return
        self._overflow.appended(append, reachable=reachable)
        session = self._runtime.sessions.get(message.project.id, message.peer)
        waiting = Waiting(
            message._replace(body="", file=None),
            append.stream_id,
            append.seq,
            append.ts,
            self._runtime.loop.time(),
            session.generation if session is not None else 0,
            append.duplicate,
        )
        if append.duplicate or reachable:
            message.committed(append.ts)
        if append.duplicate:
            self._runtime.hub.spawn(self._wait_again(waiting))
        elif reachable:
            self._waiting.setdefault(message.key, []).append(waiting)
        else:
            message.answer(Answer(False, append.ts))

    async def _wait_again(self, waiting: Waiting) -> None:
        """A repeated message may have arrived, or been withdrawn, long ago."""
        self._waiting.setdefault(waiting.message.key, []).append(waiting)
        try:
            arrived = await self._runtime.bridge.read(has_arrived, waiting.stream_id, waiting.seq)
        except RpcError:
            return  # found out later
        if arrived is not None and self._take([waiting]):
            waiting.message.answer(Answer(arrived, waiting.ts))

    # -- receipts ----------------------------------------------------------------------------------------

    def _acknowledged(self, key: StreamKey, seq: int, reader: int) -> None:
        waiting = self._waiting.get(key)
        if waiting is None:
            return
        left = [one for one in waiting if one.seq > seq]
        if left:
            self._waiting[key] = left
        else:
            del self._waiting[key]
        doubtful: list[Waiting] = []
        for one in waiting:
            if one.seq > seq:
                continue
            if not reader or reader != one.reader or self._may_be_withdrawn(one):
                doubtful.append(one)
            else:
                one.message.answer(Answer(True, one.ts))
        if doubtful:
            self._runtime.hub.spawn(self._confirm(doubtful))

    def _may_be_withdrawn(self, one: Waiting) -> bool:
        """Whether something else than this process may have withdrawn it before the login acknowledged that was here
        when it was sent: an answer to another attempt, or newer ones that are kept. Another login may in any case."""
        waited_s = self._runtime.loop.time() - one.message.began_s
        return one.repeated or bool(one.message.flags & EntryFlag.OFFLINE) or waited_s > WAIT_S

    async def _confirm(self, waiting: list[Waiting]) -> None:
        """Answers messages to one peer that an acknowledgement has passed: nothing can happen to them any more."""
        seqs = [one.seq for one in waiting]
        question = self._runtime.bridge.read(withdrawn_among, waiting[0].stream_id, seqs)
        withdrawn = await answer_of(question, [one.message for one in waiting])
        if withdrawn is not None:
            for one in waiting:
                one.message.answer(Answer(one.seq not in withdrawn, one.ts))

    def _take(self, ones: Sequence[Waiting]) -> list[Waiting]:
        """Those of the messages that were still waiting; they are not any more."""
        taken: list[Waiting] = []
        asked = set(map(id, ones))
        for key in {one.message.key for one in ones}:
            waiting = self._waiting.get(key, [])
            taken += [one for one in waiting if id(one) in asked]
            left = [one for one in waiting if id(one) not in asked]
            if left:
                self._waiting[key] = left
            else:
                self._waiting.pop(key, None)
        return taken

    async def look(self) -> None:
        """Answers those whose receiver is not to be waited for any longer."""
        unknown: dict[StreamKey, str] = {}
        unreachable: list[Waiting] = []
        waited: dict[StreamKey, list[Waiting]] = {}
        """Who waits for a peer of another process now: only these are given up by what is read then."""
        for key, waiting in self._waiting.items():
            peer = waiting[0].message.peer
            reachable = self._is_reachable_here(key[0], peer)
            if reachable is None:
                unknown[key] = peer
                waited[key] = list(waiting)
            elif not reachable:
                unreachable += waiting
        if unknown:
            await self._read_acknowledged(unknown)
            try:
                online = (await self._reachable(unknown)).keys()
            except RpcError:
                online = unknown.keys()  # only those are given up that have waited long enough
            for key in unknown.keys() - online:
                unreachable += waited[key]
        now_s = self._runtime.loop.time()
        late = [one for waiting in self._waiting.values() for one in waiting if one.message.began_s <= now_s - WAIT_S]
        given_up = [*unreachable, *late]
        if self._runtime.hub.shared:
            given_up = [one for one in given_up if one.committed_s <= now_s - HINTED_S]
        given_up = self._take(given_up)
        for start in range(0, len(given_up), BATCH):
            await self._settle(given_up[start : start + BATCH])

    async def _read_acknowledged(self, keys: Collection[StreamKey]) -> None:
        """Of peers at other processes, whose hint may be lost, or who have another process by now."""
        of_stream = {self._waiting[key][0].stream_id: key for key in keys}
        for stream_id, head in (await self._runtime.bridge.read(stream_heads, list(of_stream))).items():
            self._acknowledged(of_stream[stream_id], head.acked, 0)

    async def _settle(self, waiting: list[Waiting]) -> None:
        receipts = [Receipt(one.stream_id, one.seq, bool(one.message.flags & EntryFlag.OFFLINE)) for one in waiting]
        question = self._runtime.bridge.write(settle_receipts, receipts=receipts)
        arrived = await answer_of(question, [one.message for one in waiting])
        if arrived is not None:
            for one, has in zip(waiting, arrived, strict=True):
                one.message.answer(Answer(has, one.ts))
