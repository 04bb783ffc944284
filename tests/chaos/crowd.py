"""A crowd of resuming clients that chat, write to and call each other, change attributes, come and go, are away for a
while, and lose connections at random."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from tests.chaos.projects import KEPT
from tests.support.cluster import Cluster
from tests.support.inbox_ledger import InboxLog, inbox_discrepancies, inbox_summary, read_inboxes, read_unread
from tests.support.ledger import (
    Ledger,
    Log,
    discrepancies,
    left_notices,
    lives,
    read_heads,
    read_log,
    shortened,
    summary,
)
from tests.support.resuming import ResumingClient

PAUSE_S: Final = 1.0
"""Mean time between two acts of a client."""
HURRY_S: Final = 2.0
"""Some messages are given up after so long."""
BACKLOG: Final = 40
SETTLED_WITHIN_S: Final = 60.0

BURST: Final = 20
MANY: Final = 5
"""Peers of one message."""
AWAY_S: Final = (3.0, 20.0)
"""Above 6 s nobody waits for who is away, above 15 s a message without the offline flag is too old."""

TALK: Final = {
    "send": 70,
    "burst": 4,
    "hurry": 8,
    "attribute": 7,
    "history": 5,
    "peer": 30,
    "kept": 20,
    "many": 4,
    "call": 6,
}
"""What a client does, and how often against the other acts."""
STAYER: Final = {**TALK, "cut": 4, "abandon": 2}
WANDERER: Final = {**STAYER, "move": 12, "logout": 3}
ABSENTEE: Final = {**WANDERER, "away": 12}


class Crowd:
    """`stayers` never leave a room and do as `acts` says; `wanderers` leave, and log out; `absentees` are away besides
    for up to 20 s, logged out or not, and get more messages than others. Everybody is in three of the rooms."""

    def __init__(
        self,
        *,
        app: str,
        ports: Callable[[], Sequence[int]],
        seed: int,
        stayers: int = 30,
        wanderers: int = 20,
        absentees: int = 0,
        rooms: int = 10,
        acts: dict[str, int] = STAYER,
    ) -> None:
        self._acts = acts
        self.chance = random.Random(seed)
        self.rooms = [f"room-{number}" for number in range(rooms)]
        self.stayers = [ResumingClient(app, f"stayer-{number}", ports, seed=seed) for number in range(stayers)]
        self.wanderers = [ResumingClient(app, f"wanderer-{number}", ports, seed=seed) for number in range(wanderers)]
        self.absentees = [ResumingClient(app, f"absentee-{number}", ports, seed=seed) for number in range(absentees)]
        self.clients = self.stayers + self.wanderers + self.absentees
        self._until = asyncio.Event()

    @property
    def ledgers(self) -> list[Ledger]:
        return [client.ledger for client in self.clients]

    async def arrive(self) -> None:
        """All log in and join."""

        async def enter(client: ResumingClient) -> None:
            await client.__aenter__()
            for room in client.random.sample(self.rooms, 3):
                await client.join(room)

        await asyncio.gather(*map(enter, self.clients))

    async def go_on(self, until: asyncio.Event) -> None:
        """All act until the event. Raises what went wrong inside of a client."""

        self._until = until

        async def live(client: ResumingClient, acts: dict[str, int]) -> None:
            names, weights = list(acts), list(acts.values())
            while not until.is_set():
                await asyncio.sleep(client.random.expovariate(1 / PAUSE_S))
                await self._act(client, client.random.choices(names, weights)[0])

        lives = [live(client, self._acts) for client in self.stayers]
        lives += [live(client, WANDERER) for client in self.wanderers]
        lives += [live(client, ABSENTEE) for client in self.absentees]
        async with asyncio.TaskGroup() as group:
            for one in lives:
                group.create_task(one)

    def burst(self) -> None:
        """Everybody speaks at once, so that whatever happens next happens amid unanswered messages."""
        for client in self.clients:
            for room in client.rooms.values():
                room.send(f"{client.uid} in a burst {client.random.randrange(1 << 30)}")
            for offline in (False, True):
                client.post.send([self._peer(client)], "in a burst", offline=offline)

    def _peer(self, client: ResumingClient) -> str:
        """Somebody to write to, who may be the client itself."""
        crowd = self.absentees if self.absentees and client.random.random() < 0.3 else self.clients
        return client.random.choice(crowd).uid

    async def _act(self, client: ResumingClient, act: str) -> None:
        chance = client.random
        room = client.rooms[chance.choice(sorted(client.rooms))]
        match act:
            case "send" | "burst" | "hurry":
                for _ in range(BURST if act == "burst" else 1):
                    if room.waiting >= BACKLOG:
                        break
                    text = f"{client.uid} says {chance.randrange(1 << 30)} " + "x" * chance.randrange(200)
                    message_id = room.send(text)
                    if act == "hurry":
                        asyncio.get_running_loop().call_later(HURRY_S, room.discard, message_id)
            case "attribute":
                values = {f"key-{chance.randrange(5)}": f"{client.uid} {chance.randrange(1 << 30)}"}
                await client.update_attributes(room.name, values)
            case "history":
                await room.call("room.history", limit=20)
            case "peer" | "kept" if client.post.waiting < BACKLOG:
                text = f"{client.uid} writes {chance.randrange(1 << 30)}"
                client.post.send([self._peer(client)], text, offline=act == "kept")
            case "many" if client.post.waiting < BACKLOG:
                peers = dict.fromkeys(self._peer(client) for _ in range(MANY))
                client.post.send(list(peers), f"{client.uid} to many", offline=chance.random() < 0.5)
            case "call":
                if (peer := self._peer(client)) != client.uid:
                    client.calls.invite(peer)
            case "cut":
                client.cut()
            case "abandon":
                client.abandon()
            case "move":
                await client.leave(room.name)
                await client.join(chance.choice([name for name in self.rooms if name not in client.rooms]))
            case "logout":
                rooms = sorted(client.rooms)
                await client.logout()
                await asyncio.sleep(chance.uniform(0, 1))
                for name in rooms:
                    await client.join(name)
            case "away":
                rooms = sorted(client.rooms)
                await client.sleep(self._until, chance.uniform(*AWAY_S), logged_out=chance.random() < 0.5)
                for name in rooms:
                    await client.join(name)

    async def _settle(self, cluster: Cluster, project_id: int) -> list[str]:
        """Waits until everything is answered and everybody is where the database is; what is still missing."""
        deadline_s = asyncio.get_running_loop().time() + SETTLED_WITHIN_S
        while True:
            heads = await asyncio.to_thread(read_heads, cluster.database, project_id)
            unread = await asyncio.to_thread(read_unread, cluster.database, project_id)
            late = self._late(heads) or self._late_in_inboxes(unread) or await self._wrong_members()
            if not late or asyncio.get_running_loop().time() > deadline_s:
                return late
            await asyncio.sleep(0.5)

    def _late(self, heads: dict[str, int]) -> list[str]:
        late = []
        for client in self.clients:
            for room in client.rooms.values():
                at = f"{client.uid} in {room.name} at {room.seq}"
                if not client.online.is_set() or not room.entered.is_set() or not room.live:
                    late.append(f"{at} is not back")
                elif room.waiting:
                    late.append(f"{at} has {room.waiting} messages without an answer")
                elif room.seq != heads.get(room.name, 0):
                    late.append(f"{at} did not get what is up to {heads.get(room.name, 0)}")
        return late

    def _late_in_inboxes(self, unread: dict[str, int]) -> list[str]:
        late = []
        for client in self.clients:
            if client.post.waiting:
                late.append(f"{client.uid} has {client.post.waiting} messages to peers without an answer")
            if unread.get(client.uid) or not client.inbox.live:
                late.append(f"{client.uid} has not acknowledged {unread.get(client.uid)} entries of the inbox")
        return late

    async def _wrong_members(self) -> list[str]:
        """Who is in a room: what the service says, and what each member was told, against what is so."""
        present: dict[str, set[str]] = {name: set() for name in self.rooms}
        for client in self.clients:
            for name in client.rooms:
                present[name].add(client.uid)
        wrong = []
        for client in self.clients:
            for room in client.rooms.values():
                listed = set((await room.call("room.members"))["members"])
                for members, who in ((listed, "the list"), (room.members, client.uid)):
                    if members != present[room.name]:
                        missing, extra = present[room.name] - members, members - present[room.name]
                        wrong.append(f"{room.name}: {who} misses {sorted(missing)}, has {sorted(extra)} too many")
        return wrong

    async def conclude(self, cluster: Cluster, project_id: int) -> None:
        """Waits until all is settled, lets everybody go, and fails if anything is not as it was promised."""
        await asyncio.gather(*(client.calls.finish() for client in self.clients))
        wrong = (await self._settle(cluster, project_id))[:10]
        log = await asyncio.to_thread(read_log, cluster.database, project_id, self.rooms)
        inboxes = await asyncio.to_thread(read_inboxes, cluster.database, project_id)
        await asyncio.gather(*(client.close() for client in self.clients))
        wrong += self._wrong(log, inboxes)
        print(summary(self.ledgers, log))
        print(inbox_summary({ledger.uid: ledger.inbox for ledger in self.ledgers}, inboxes))
        if wrong:
            print(lives(self.ledgers, wrong))
        assert not wrong, "\n".join(wrong)

    def _wrong(self, log: Log, inboxes: InboxLog) -> list[str]:
        """What was promised and is not so. Nobody was away for 30 s, so no stayer may be said to have left."""
        kinds = inbox_discrepancies({ledger.uid: ledger.inbox for ledger in self.ledgers}, inboxes, KEPT)
        left = left_notices(self.ledgers, (client.uid for client in self.stayers))
        return discrepancies(self.ledgers, log) + shortened(kinds) + left


@contextlib.asynccontextmanager
async def talking(crowd: Crowd, cluster: Cluster, project_id: int) -> AsyncIterator[None]:
    """The crowd arrives and acts for as long as the body runs; then it is compared with the database."""
    await crowd.arrive()
    done = asyncio.Event()
    acting = asyncio.create_task(crowd.go_on(done))
    try:
        try:
            yield
        finally:
            done.set()
            await acting
        await crowd.conclude(cluster, project_id)
    except BaseException:
        print(cluster.troubles())
        raise
