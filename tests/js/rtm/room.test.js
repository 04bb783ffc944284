import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { RoomAttributes } from "../../../static/rtm/session/room_attributes.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, logIn, outcome, say } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let session;
/** @type {Room} */
let room;
/** @type {string[]} */
let seen;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  session = await logIn(runtime, "me");
  room = new Room(session, "math");
  seen = [];
  room.on("message", ({ seq, body }) => seen.push(`${seq} ${body.text}`));
  room.on("joined", (uid) => seen.push(`+${uid}`));
  room.on("left", (uid) => seen.push(`-${uid}`));
  room.on("lost", ({ from, to }) => seen.push(`lost ${from}..${to}`));
});

async function join() {
  const promise = room.join();
  await runtime.advance(50);
  await promise;
}

const texts = () => server.room("math").entries.map(({ body }) => body.text);

test("join: starts at the head, knows who is here, then gets what is said", async () => {
  server.write("math", "before");
  server.enter("math", "ann");
  await join();
  assert.equal(room.seq, 1);
  assert.deepEqual(room.members.uids.sort(), ["ann", "me"]);
  server.write("math", "after");
  server.enter("math", "bo");
  server.exit("math", "ann");
  await runtime.advance(50);
  assert.deepEqual(seen, ["2 after", "+bo", "-ann"]);
});

test("join: twice is once, a refusal is told, and one that passes is waited out", async () => {
  server.refuseNext("room.join", rpcError(6, "not_authorized"));
  const refused = room.join();
  assert.equal(room.join(), refused);
  const result = outcome(refused);
  await runtime.advance(50);
  assert.equal(await result, "not_authorized");
  server.refuseNext("room.join", rpcError(15, "join_same_room_too_often", true, { retry_after_ms: 700 }));
  const second = outcome(room.join());
  await runtime.advance(1000);
  assert.equal(await second, "done");
  assert.equal(server.paramsOf("room.join").length, 3);
});

test("join: not answered within 5 s is a time-out", async () => {
  server.isSilent = true;
  const result = outcome(room.join());
  await runtime.advance(5000);
  assert.equal(await result, "timeout");
});

test("leave: nothing of the room is heard any more, and joining again starts anew", async () => {
  await join();
  const leaving = room.leave();
  await runtime.advance(50);
  await leaving;
  server.write("math", "unheard");
  await runtime.advance(50);
  assert.deepEqual(seen, []);
  await join();
  assert.equal(room.seq, 1);
  assert.equal("after" in server.paramsOf("room.join").at(-1), false);
});

test("a message is acknowledged with its place, and comes back in order with the others'", async () => {
  await join();
  server.write("math", "first");
  const sent = room.send(say("second"));
  await runtime.advance(50);
  assert.equal((await sent).seq, 2);
  assert.deepEqual(seen, ["1 first", "2 second"]);
});

test("an acknowledgement does not move the cursor: what comes before it is still delivered", async () => {
  await join();
  const { socket } = runtime;
  const sent = room.send(say("mine"), { messageId: "m" });
  const { id } = socket.lastRequest("room.send");
  socket.deliver({ jsonrpc: "2.0", id, result: { seq: 2, ts: 5 } });
  assert.deepEqual(await sent, { seq: 2, ts: 5 });
  assert.equal(room.seq, 0);
  const entry = { stream: "room:math", sender: "ann", message_id: "a", ts: 4, body: say("earlier") };
  socket.deliver([
    { jsonrpc: "2.0", method: "room.sent", params: { ...entry, seq: 1 } },
    { jsonrpc: "2.0", method: "room.sent", params: { ...entry, seq: 2, sender: "me", message_id: "m" } },
  ]);
  assert.deepEqual(seen, ["1 earlier", "2 earlier"]);
});

test("outbox: what is said without a connection is sent when it is back, in order", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  await runtime.advance(100);
  const sent = ["a", "b", "c"].map((text) => room.send(say(text)));
  await runtime.advance(60_000);
  server.isDown = false;
  await runtime.advance(20_000);
  assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual(texts(), ["a", "b", "c"]);
});

test("outbox: a message whose acknowledgement was lost is sent again under the same id, and stands once", async () => {
  await join();
  server.cutNext("room.send");
  const sent = room.send(say("once"));
  await runtime.advance(5000);
  assert.equal((await sent).seq, 1);
  assert.deepEqual(texts(), ["once"]);
  assert.deepEqual(seen, ["1 once"]);
});

test("outbox: seen among the missed entries, it is not even sent again", async () => {
  await join();
  server.write("math", "so that there is an epoch");
  await runtime.advance(50);
  server.cutNext("room.send");
  const sent = room.send(say("once"));
  await runtime.advance(5000);
  assert.equal((await sent).seq, 2);
  assert.equal(server.paramsOf("room.send").length, 1);
});

test("outbox: after a restart the room is joined again before anything is sent", async () => {
  await join();
  server.restart();
  const sent = room.send(say("still here"));
  await runtime.advance(5000);
  await sent;
  const methods = server.requests.map(({ method }) => method).filter((method) => method.startsWith("room."));
  assert.deepEqual(methods.filter((method) => method !== "room.members"), ["room.join", "room.join", "room.send"]);
});

test("outbox: a failure that passes is waited out, and what follows waits with it", async () => {
  await join();
  for (let index = 0; index < 3; index++) {
    server.refuseNext("room.send", rpcError(3, "too_often", true, { retry_after_ms: 300 }));
  }
  const sent = ["a", "b", "c"].map((text) => room.send(say(text)));
  await runtime.advance(3000);
  await Promise.all(sent);
  assert.deepEqual(texts(), ["a", "b", "c"]);
});

test("outbox: what was under way behind a message that is refused for now does not overtake it", async () => {
  await join();
  const sent = ["a", "b", "c"].map((text) => room.send(say(text)));
  server.refuseNext("room.send", rpcError(13, "unavailable", true));
  await runtime.advance(3000);
  server.refuseNext("room.send", rpcError(3, "too_often", true, { retry_after_ms: 300 }));
  sent.push(...["d", "e", "f"].map((text) => room.send(say(text))));
  await runtime.advance(3000);
  assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(texts(), ["a", "b", "c", "d", "e", "f"]);
});

test("outbox: a refusal for good in the midst of others does not hold them up or change their order", async () => {
  await join();
  const first = room.send(say("a"));
  await runtime.advance(50);
  server.refuseNext("room.send", rpcError(9, "size_overflow"));
  const refused = outcome(room.send(say("too long")));
  const sent = ["b", "c"].map((text) => room.send(say(text)));
  await runtime.advance(50);
  assert.equal(await refused, "size_overflow");
  assert.deepEqual((await Promise.all([first, ...sent])).map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual(texts(), ["a", "b", "c"]);
});

test("outbox: a refusal for good is told; the same message can be tried again under its id", async () => {
  await join();
  server.refuseNext("room.send", rpcError(6, "not_authorized"));
  const messageId = room.makeMessageId();
  const refused = outcome(room.send(say("muted"), { messageId }));
  await runtime.advance(50);
  assert.equal(await refused, "not_authorized");
  const again = room.send(say("muted"), { messageId });
  await runtime.advance(50);
  assert.equal((await again).seq, 1);
  assert.deepEqual(server.paramsOf("room.send").map((params) => params.message_id), [messageId, messageId]);
});

test("outbox: a time-out or a discard means that it is not sent later", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  const timed = outcome(room.send(say("in time only"), { timeoutMs: 1000 }));
  const discarded = outcome(room.send(say("never mind"), { messageId: "x" }));
  room.discard("x");
  await runtime.advance(1000);
  assert.deepEqual([await timed, await discarded], ["timeout", "discarded"]);
  server.isDown = false;
  await runtime.advance(30_000);
  assert.deepEqual(texts(), []);
});

test("outbox: many messages go out in order, sixteen at a time", async () => {
  await join();
  const sent = Array.from({ length: 100 }, (_, index) => room.send(say(String(index))));
  assert.equal(runtime.socket.sent.filter(({ method }) => method === "room.send").length, 16);
  await runtime.advance(500);
  await Promise.all(sent);
  assert.deepEqual(texts(), Array.from({ length: 100 }, (_, index) => String(index)));
});

test("resume: nobody noticed; the missed messages come first, then who came and went meanwhile", async () => {
  server.write("math", "so that there is an epoch");
  server.enter("math", "ann");
  await join();
  server.isDown = true;
  server.cutAll();
  await runtime.advance(1000);
  server.write("math", "missed");
  server.exit("math", "ann");
  server.enter("math", "bo");
  server.isDown = false;
  await runtime.advance(20_000);
  assert.deepEqual(seen, ["2 missed", "+bo", "-ann"]);
  assert.equal(server.paramsOf("room.join").length, 1);
});

test("resume: a long gap is pulled page by page, in order, with what is said meanwhile behind it", async () => {
  server.pageSize = 2;
  server.write("math", "so that there is an epoch");
  await join();
  server.cutAll();
  for (let index = 0; index < 9; index++) server.write("math", `m${index}`);
  await runtime.advance(5000);
  assert.deepEqual(seen, Array.from({ length: 9 }, (_, index) => `${index + 2} m${index}`));
  assert.ok(server.paramsOf("stream.read").length >= 4);
});

test("re-join: when the session was not resumed the room is joined again from the cursor", async () => {
  server.write("math", "first");
  await join();
  server.write("math", "second");
  await runtime.advance(50);
  server.restart();
  server.write("math", "third");
  await runtime.advance(5000);
  assert.deepEqual(seen, ["2 second", "3 third"]);
  assert.deepEqual(server.paramsOf("room.join").at(-1).after, { seq: 2, epoch: "e1" });
});

test("re-join: another epoch is told as lost", async () => {
  server.write("math", "first");
  await join();
  server.restart();
  server.rooms.delete("math");
  server.write("math", "restored");
  server.room("math").epoch = "other";
  await runtime.advance(5000);
  assert.deepEqual(seen, ["lost 1..1"]);
});

test("re-join: a server that does not let us back in says so, and what waits to be sent fails", async () => {
  await join();
  /** @type {string[]} */
  const removed = [];
  room.on("removed", (error) => removed.push(error.name));
  server.restart();
  server.refuseNext("room.join", rpcError(6, "not_authorized"));
  const sent = outcome(room.send(say("hello")));
  await runtime.advance(5000);
  assert.deepEqual(removed, ["not_authorized"]);
  assert.equal(await sent, "not_authorized");
});

test("stream.reset: the stream goes on at its new head, and says that something is lost", async () => {
  server.write("math", "first");
  await join();
  server.push("me", "stream.reset", { stream: "room:math", epoch: "e9", head: 40 });
  await runtime.advance(50);
  assert.deepEqual(seen, ["lost 1..40"]);
  assert.equal(room.seq, 40);
});

test("a duplicate push is delivered once", async () => {
  await join();
  const params = { stream: "room:math", seq: 1, sender: "ann", message_id: "a", ts: 4, body: say("once") };
  const push = { jsonrpc: "2.0", method: "room.sent", params };
  runtime.socket.deliver([push, push]);
  runtime.socket.deliver(push);
  assert.deepEqual(seen, ["1 once"]);
});

test("members: who came while the first list was asked for is told of once, by the notice behind it", async () => {
  server.room("math").members.add("bo");
  await join();
  runtime.socket.deliver({ jsonrpc: "2.0", method: "room.joined", params: { room: "math", uid: "bo" } });
  runtime.socket.deliver({ jsonrpc: "2.0", method: "room.joined", params: { room: "math", uid: "bo" } });
  assert.deepEqual(seen, ["+bo"]);
  assert.deepEqual(room.members.uids.sort(), ["bo", "me"]);
});

test("members: a server that has forgotten everybody makes nobody leave who comes back in time", async () => {
  server.enter("math", "ann");
  server.enter("math", "bo");
  await join();
  server.restart();
  server.room("math").members.clear();
  await runtime.advance(5000);
  assert.deepEqual(room.members.uids.sort(), ["ann", "bo", "me"]);
  server.enter("math", "ann");
  server.push("me", "room.counted", { room: "math", count: 2 });
  await runtime.advance(50);
  assert.equal(room.members.count, 3);
  assert.deepEqual(seen, []);
  await runtime.advance(30_000);
  assert.deepEqual(seen, ["-bo"]);
  assert.equal(room.members.count, 2);
});

test("members: after a longer time away whoever is not listed has left", async () => {
  server.enter("math", "ann");
  await join();
  server.isDown = true;
  server.cutAll();
  server.restart();
  server.room("math").members.clear();
  await runtime.advance(32_000);
  server.isDown = false;
  await runtime.advance(20_000);
  assert.deepEqual(seen, ["-ann"]);
});

test("attributes: kept by the room's entries, each change told once", async () => {
  Object.assign(server.room("math"), {
    attributes: { topic: { value: "sin", updated_by: "ann", updated_at: 1 } },
    revision: 3,
  });
  await join();
  let changes = 0;
  room.on("attributes", () => (changes += 1));
  const entry = { stream: "room:math", sender: "bo", message_id: "a", ts: 9 };
  const body = { set: { page: "2" }, deleted: ["topic"], revision: 4, notify: true };
  runtime.socket.deliver([
    { jsonrpc: "2.0", method: "room.attributes_changed", params: { ...entry, seq: 1, body: { ...body, revision: 3 } } },
    { jsonrpc: "2.0", method: "room.attributes_changed", params: { ...entry, seq: 2, body } },
  ]);
  assert.deepEqual(room.attributes.all, { page: { value: "2", updated_by: "bo", updated_at: 9 } });
  assert.equal(room.attributes.revision, 4);
  assert.equal(changes, 1);
});

test("counts: in a large room the server counts", async () => {
  await join();
  server.push("me", "room.counted", { room: "math", count: 5000 });
  await runtime.advance(50);
  assert.equal(room.members.count, 5000);
});

test("logout: the room is left, what waits fails, nothing runs on", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  const sent = outcome(room.send(say("late")));
  await session.logout();
  assert.equal(await sent, "aborted");
  assert.equal(await outcome(room.send(say("later"))), "not_connected");
  assert.equal(runtime.pendingTimers, 0);
});

test("count: told at one's own join, then when it is another, each once", async () => {
  /** @type {number[]} */
  const counts = [];
  room.on("count", (count) => counts.push(count));
  server.enter("math", "ann");
  await join();
  server.push("me", "room.counted", { room: "math", count: 2 });
  server.enter("math", "bo");
  server.push("me", "room.counted", { room: "math", count: 3 });
  await runtime.advance(50);
  assert.deepEqual(counts, [2, 3]);
  server.cutAll();
  server.exit("math", "bo");
  server.exit("math", "ann");
  await runtime.advance(5000);
  assert.deepEqual(counts, [2, 3, 1]);
});

test("members: who comes while the list is asked for is told once and stays in it", async () => {
  const promise = room.join();
  while (!server.paramsOf("room.join").length) await runtime.advance(1);
  server.dawdleMs = () => 20; // the list is older than the notice when it arrives
  while (!server.paramsOf("room.members").length) await runtime.advance(1);
  server.enter("math", "late");
  await after(runtime, promise);
  assert.deepEqual(seen, ["+late"]);
  assert.deepEqual(room.members.uids.sort(), ["late", "me"]);
  assert.equal(room.members.count, 2);
});

test("members: who comes while pages are missing is told behind the messages", async () => {
  server.pageSize = 1;
  server.write("math", "so that there is an epoch");
  await join();
  server.cutAll();
  for (const text of ["a", "b", "c"]) server.write("math", text);
  while (server.paramsOf("stream.read").length < 1) await runtime.advance(1);
  server.enter("math", "bo");
  await runtime.advance(3000);
  assert.deepEqual(seen, ["2 a", "3 b", "4 c", "+bo"]);
});

test("members: a room that is not listed to the end tells nobody's coming and going", async () => {
  await join();
  const all = Array.from({ length: 512 }, (_, index) => `u${index}`);
  server.answerNext("room.members", { members: all, total: 900 });
  server.cutAll();
  await runtime.advance(3000);
  server.cutAll();
  await runtime.advance(3000);
  assert.deepEqual(seen, []);
  assert.deepEqual([room.members.uids, room.members.count], [["me"], 1]);
});

test("members: many rooms at once do not spend the rate of the application's own questions", async () => {
  const rooms = Array.from({ length: 10 }, (_, index) => new Room(session, `r${index}`));
  const joined = Promise.all(rooms.map((each) => each.join()));
  await after(runtime, joined);
  assert.equal(server.paramsOf("room.members").length, 1);
  await runtime.advance(5000);
  assert.equal(server.paramsOf("room.members").length, 10);
});

test("attributes: after a gap one change is told for all of it, behind the messages, if any asked for that", async () => {
  await join();
  const other = new RoomAttributes(await logIn(runtime, "ann"));
  room.on("attributes", ({ body }) => seen.push(`attributes ${body.revision}`));
  server.cut("me");
  server.isDown = true;
  for (const [page, notify] of /** @type {[string, boolean][]} */ ([["1", true], ["2", true], ["3", false]])) {
    await after(runtime, other.update("math", { page }, { notify }));
    server.write("math", `page ${page}`);
  }
  server.isDown = false;
  await runtime.advance(5000);
  assert.deepEqual(seen, ["2 page 1", "4 page 2", "6 page 3", "attributes 2"]);
  assert.equal(room.attributes.all.page.value, "3");
});

test("attributes: told also after a removal, in which the room was joined again", async () => {
  await join();
  room.on("attributes", ({ body }) => seen.push(`attributes ${body.revision}`));
  const other = new RoomAttributes(await logIn(runtime, "ann"));
  server.cut("me");
  server.remove("me");
  await after(runtime, other.update("math", { page: "1" }, { notify: true }), 20);
  await runtime.advance(5000);
  assert.deepEqual(seen, ["attributes 1"]);
});

test("attributes: where changes were lost they are read again, and told if they are others", async () => {
  server.write("math", "first");
  await join();
  room.on("attributes", ({ body, sender }) => seen.push(`attributes ${body.revision} of ${sender || "?"}`));
  server.cutAll();
  server.room("math").restore("e9");
  Object.assign(server.room("math"), { attributes: { page: { value: "9", updated_by: "ann", updated_at: 1 } }, revision: 7 });
  await runtime.advance(5000);
  assert.deepEqual(seen, ["lost 1..0", "attributes 7 of ?"]);
  assert.equal(room.attributes.all.page.value, "9");
});

test("own: what this client sent is its own, also when it was given up; what REST sends in the user's name is not", async () => {
  /** @type {[string, boolean][]} */
  const owned = [];
  room.on("message", ({ body }, isOwn) => owned.push([body.text, isOwn]));
  await join();
  const given = outcome(room.send(say("given up"), { timeoutMs: 7 }));
  await after(runtime, room.send(say("mine")));
  server.write("math", "by REST", "me");
  await runtime.advance(50);
  assert.equal(await given, "timeout");
  assert.deepEqual(owned, [["given up", true], ["mine", true], ["by REST", false]]);
});

test("impatient: too often is told at once, to those behind it as well; others wait their turn", async () => {
  await join();
  server.refuseNext("room.send", rpcError(3, "too_often", true, { retry_after_ms: 300 }));
  const impatient = ["a", "b"].map((text) => outcome(room.send(say(text), { patient: false })));
  const patient = room.send(say("c"));
  await runtime.advance(50);
  assert.deepEqual(await Promise.all(impatient), ["too_often", "too_often"]);
  await after(runtime, patient, 1000);
  assert.deepEqual(texts(), ["c"]);
});

test("impatient: another failure that passes is waited out all the same", async () => {
  await join();
  server.refuseNext("room.send", rpcError(13, "unavailable", true));
  await after(runtime, room.send(say("a"), { patient: false, historical: true }), 1000);
  assert.deepEqual(texts(), ["a"]);
  assert.equal(server.paramsOf("room.send").at(-1).historical, true);
});

test("outbox: what waits is bounded: the 1,001st is refused at once", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  const sent = Array.from({ length: 1000 }, (_, index) => outcome(room.send(say(String(index)))));
  assert.equal(await outcome(room.send(say("too many"))), "too_often");
  await session.logout();
  assert.deepEqual(new Set(await Promise.all(sent)), new Set(["aborted"]));
});

test("join: what the listener of a state joins is joined once", async () => {
  const other = new Room(session, "art");
  session.on("link", (isUp) => {
    if (isUp) other.join().catch(() => {});
  });
  server.cutAll();
  await runtime.advance(3000);
  assert.deepEqual(server.paramsOf("room.join"), [{ room: "art" }]);
  assert.ok(other.isIn);
});

test("join: given up after 5 s, it is undone on the server if it comes to pass", async () => {
  server.dawdleMs = () => 6000;
  const result = outcome(room.join());
  await runtime.advance(10);
  server.dawdleMs = () => 0;
  await runtime.advance(5000);
  assert.equal(await result, "timeout");
  assert.equal(server.room("math").members.size, 0);
  assert.equal(room.isIn, false);
});

test("join: what is said to one that was given up is not taken for the next", async () => {
  server.refuseNext("room.join", rpcError(6, "not_authorized"));
  const first = outcome(room.join());
  const left = outcome(room.leave());
  await join();
  assert.deepEqual([await first, await left, room.isIn], ["aborted", "done", true]);
});

test("join: lost with its connection before the answer, it is made again, and nothing is taken for lost", async () => {
  server.write("math", "before");
  server.cutNext("room.join");
  await after(runtime, room.join(), 2000);
  server.write("math", "heard");
  await runtime.advance(50);
  assert.deepEqual(seen, ["2 heard"]);
});

test("join: again while the connection is lost, it is as before: one is kept in", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  assert.equal(await after(runtime, outcome(room.join()), 6000), "done");
  server.isDown = false;
  await runtime.advance(15_000);
  assert.ok(room.isIn);
});

test("join, leave and join at once: one is in, and hears each message once", async () => {
  const first = outcome(room.join());
  const left = room.leave();
  await join();
  await left;
  server.write("math", "hello");
  await runtime.advance(50);
  assert.equal(await first, "aborted");
  assert.deepEqual(seen, ["1 hello"]);
});

test("leave: lost with its connection, it is made on the next; one removed meanwhile has left", async () => {
  await join();
  server.cutNext("room.leave");
  assert.equal(await after(runtime, outcome(room.leave()), 3000), "done");
  await join();
  const left = outcome(room.leave());
  server.restart();
  assert.equal(await after(runtime, left, 3000), "done");
});

test("leave: a room that is left while there is no connection is not gone on with after the reconnect", async () => {
  await join();
  server.isDown = true;
  server.cutAll();
  const left = outcome(room.leave());
  await runtime.advance(6000);
  server.isDown = false;
  await runtime.advance(15_000);
  assert.equal(await left, "timeout");
  assert.equal(server.room("math").members.size, 0);
});

test("removed: the room can be joined again, and starts at its head", async () => {
  await join();
  server.restart();
  server.refuseNext("room.join", rpcError(6, "not_authorized"));
  await runtime.advance(3000);
  assert.equal(room.isIn, false);
  server.write("math", "unheard");
  await join();
  server.write("math", "heard");
  await runtime.advance(50);
  assert.deepEqual(seen, ["2 heard"]);
});

test("a listener that leaves in the midst of what was missed hears no more of it", async () => {
  await join();
  room.on("message", () => void room.leave());
  server.cutAll();
  for (const text of ["a", "b", "c"]) server.write("math", text);
  await runtime.advance(5000);
  assert.deepEqual(seen, ["1 a"]);
  assert.equal(server.room("math").members.size, 0);
});

test("a listener that logs out and in when it hears of a gap is left alone by the rest of it", async () => {
  await join();
  room.once("message", () => {
    void session.logout();
    void session.login();
  });
  server.cutAll();
  for (const text of ["a", "b"]) server.write("math", text);
  await runtime.advance(5000);
  assert.deepEqual(seen, ["1 a"]);
  assert.deepEqual([session.state, room.isIn, server.room("math").members.size], ["CONNECTED", false, 0]);
});
