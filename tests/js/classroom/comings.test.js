import assert from "node:assert/strict";
import { test } from "node:test";

import { Comings } from "../../../static/classroom/comings.js";
import { FakeRuntime } from "../support/fake_runtime.js";

function setUp() {
  const runtime = new FakeRuntime();
  /** @type {string[]} */
  const told = [];
  return { runtime, told, comings: new Comings(runtime, (what, uid) => told.push(`${uid} ${what}`)) };
}

test("who comes and who goes is told at once", async () => {
  const { runtime, told, comings } = setUp();
  comings.returned();
  await runtime.advance(3000);
  comings.joined("ann");
  comings.left("ann");
  assert.deepEqual(told, ["ann joined", "ann left"]);
});

test("who is missing after a reconnect and back soon was never away", async () => {
  const { runtime, told, comings } = setUp();
  comings.returned();
  comings.left("ann");
  await runtime.advance(19_000);
  comings.joined("ann");
  await runtime.advance(60_000);
  assert.deepEqual(told, []);
});

test("who does not come back has left", async () => {
  const { runtime, told, comings } = setUp();
  comings.returned();
  comings.left("ann");
  await runtime.advance(20_000);
  comings.joined("ann");
  assert.deepEqual(told, ["ann left", "ann joined"]);
});

test("nothing is told after the end", async () => {
  const { runtime, told, comings } = setUp();
  comings.returned();
  comings.left("ann");
  comings.stop();
  await runtime.advance(60_000);
  assert.deepEqual(told, []);
});
