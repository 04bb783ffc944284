/**
 * Chance against the promise: whatever is cut, removed, refused, doubled or delayed, each message is told once and in
 * order, and each that was acknowledged is told. A failing seed is in the test's name.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { say, sessionOf } from "../support/people.js";

const SEEDS = 40;
const UIDS = ["ann", "bob", "cal"];
const STEPS = 120;

/** Evenly spread numbers in [0, 1), the same for the same seed (mulberry32). @param {number} seed */
function dice(seed) {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
}

class Person {
  /** @type {string[]} */
  roomHeard = [];
  /** @type {string[]} */
  peerHeard = [];
  /** @type {string[]} in the order of sending */
  said = [];
  /** @type {Set<string>} acknowledged */
  taken = new Set();
  /** @type {Promise<any>[]} */
  sends = [];
  #count = 0;

  /** @param {FakeRuntime} runtime @param {string} uid @param {() => number} random */
  constructor(runtime, uid, random) {
    this.uid = uid;
    this.session = sessionOf(runtime, uid);
    this.room = new Room(this.session, "math");
    const dawdle = () => {
      if (random() < 0.1) runtime.freeze(Math.floor(random() * 12));
    };
    this.room.on("message", ({ body }) => {
      this.roomHeard.push(body.text);
      dawdle();
    });
    this.session.peers.on("message", ({ sender, body }) => {
      this.peerHeard.push(`${sender}>${body.message.text}`);
      dawdle();
    });
  }

  say() {
    const text = `${this.uid} ${++this.#count}`;
    this.said.push(text);
    this.sends.push(this.room.send(say(text)).then(() => this.taken.add(text)));
  }

  /** @param {string} peer */
  write(peer) {
    const text = `${++this.#count}`;
    const sent = this.session.peers.send(peer, say(text), { offline: true });
    this.sends.push(sent.catch((error) => assert.match(error.name, /timeout|unavailable|overloaded|too_often/)));
  }
}

/** @param {FakeServer} server @param {Person[]} people @param {() => number} random */
function mishap(server, people, random) {
  const kind = Math.floor(random() * 9);
  const { uid } = people[Math.floor(random() * people.length)];
  const method = ["room.send", "peer.send", "stream.read", "room.join", "room.members"][Math.floor(random() * 5)];
  if (kind === 0) server.cutAll();
  else if (kind === 1) server.cut(uid);
  else if (kind === 2) server.cutNext(method);
  else if (kind === 3) server.refuseNext(method, rpcError(13, "unavailable", true));
  else if (kind === 4) server.refuseNext(method, rpcError(14, "overloaded", true, { retry_after_ms: 300 }));
  else if (kind === 5 && method === "room.send") server.refuseNext(method, rpcError(3, "too_often", true, { retry_after_ms: 17 }));
  else if (kind === 6) server.isStuttering = !server.isStuttering;
  else if (kind === 7) server.dawdleMs = random() < 0.5 ? () => 0 : () => Math.floor(random() * 40);
  else if (kind === 8 && random() < 0.3) server.restart();
}

/** @param {string[]} list */
const twice = (list) => list.filter((text, index) => list.indexOf(text) !== index);

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: each message once, in the room's order, and none that was acknowledged is missing`, async () => {
    const random = dice(seed);
    const runtime = new FakeRuntime();
    runtime.random = random;
    runtime.randomBytes = (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
    const server = new FakeServer(runtime);
    server.pageSize = 1 + Math.floor(random() * 8);
    const people = UIDS.map((uid) => new Person(runtime, uid, random));
    const entered = Promise.all(people.flatMap(({ session, room }) => [session.login(), room.join()]));
    await runtime.advance(100);
    await entered;
    for (let step = 0; step < STEPS; step++) {
      const person = people[Math.floor(random() * people.length)];
      const chance = random();
      if (chance < 0.45) person.say();
      else if (chance < 0.7) person.write(UIDS[Math.floor(random() * UIDS.length)]);
      else if (chance < 0.9) await runtime.advance(Math.floor(random() * 60));
      else mishap(server, people, random);
      if (random() < 0.02) await runtime.advance(Math.floor(random() * 8000));
    }
    server.dawdleMs = () => 0;
    await runtime.advance(120_000);
    await Promise.all(people.flatMap(({ sends }) => sends));

    const order = server.room("math").entries.map(({ body }) => body.text);
    assert.deepEqual(twice(order), []);
    for (const { uid, roomHeard, peerHeard, said, taken } of people) {
      assert.deepEqual(roomHeard, order, `what ${uid} heard in the room`);
      assert.deepEqual(order.filter((text) => text.startsWith(uid)), said, `in the order in which ${uid} spoke`);
      assert.equal(taken.size, said.length);
      const inbox = server.inbox(uid).entries.map(({ sender, body }) => `${sender}>${body.message.text}`);
      assert.deepEqual(twice(inbox), []);
      assert.deepEqual(peerHeard, inbox, `what ${uid} heard from peers`);
      assert.equal(server.inbox(uid).acked, server.inbox(uid).head);
    }
  });
}
