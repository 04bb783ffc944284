import assert from "node:assert/strict";
import { test } from "node:test";

import { Log } from "../../../static/rtm/api/logs.js";
import { FakeRuntime } from "../support/fake_runtime.js";

test("a line is cut between two characters, never in one", async () => {
  /** @type {string[]} */
  const bodies = [];
  const fetch = async (/** @type {string} */ _url, /** @type {{body: string}} */ { body }) => bodies.push(body);
  const runtime = Object.assign(new FakeRuntime(), { fetch: /** @type {any} */ (fetch) });
  const log = new Log(runtime, () => "https://rtm.example", () => ({ uid: "ann", token: null }), () => true);
  log.configure({ enableLogUpload: true, logFilter: 4 });
  log.write("info", `${"x".repeat(999)}\u{1f600}`);
  log.write("info", `${"x".repeat(998)}\u{1f600}`);
  log.upload();
  await runtime.advance(0);
  const texts = JSON.parse(bodies[0]).lines.map((/** @type {{text: string}} */ { text }) => text);
  assert.deepEqual(texts, ["x".repeat(999), `${"x".repeat(998)}\u{1f600}`]);
});
