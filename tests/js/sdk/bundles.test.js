import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { DIST, makeFiles, ROOT } from "../../../scripts/sdk/bundles.js";
import { SDK_VERSION } from "../../../static/rtm/session/session.js";

const BUNDLES = ["rtm-sdk.js", "rtm-sdk.mjs", "ar-rtm-sdk.mjs", "rtm-sdk.legacy.js"];
const KB = 1024;

/** @param {string} name */
const committed = (name) => readFileSync(path.join(DIST, name), "utf8");

test("bundles: what is committed is what the modules make", () => {
  execFileSync("node", ["scripts/sdk/build.js", "--check"], { cwd: ROOT });
});

test("bundles: the same modules make the same bytes", async () => {
  const [one, other] = [await makeFiles(), await makeFiles()];
  assert.deepEqual(one, other);
  assert.deepEqual([...one.keys()].sort(), readdirSync(DIST).sort());
});

test("bundles: the classic script has at most 20 KB compressed, and the README tells how many", () => {
  const size = gzipSync(committed("rtm-sdk.js"), { level: 9 }).length;
  assert.ok(size <= 20 * KB, `${size} bytes`);
  const [, told] = readFileSync(path.join(ROOT, "README.md"), "utf8").match(/(\d+) KB compressed/) ?? [];
  assert.equal(Number(told), Math.ceil(size / KB));
});

test("bundles: each names its version, its build and its licence, and takes nothing from elsewhere", () => {
  const builds = BUNDLES.map((name) => {
    const text = committed(name);
    assert.ok(text.startsWith(`/*! rostrum-rtm ${SDK_VERSION} | Apache-2.0`), name);
    assert.doesNotMatch(text, /\bimport\s*[("'{*]|\brequire\(/, name);
    return /["']([0-9a-f]{12})["']/.exec(text)?.[1];
  });
  assert.match(builds[0] ?? "", /^[0-9a-f]{12}$/);
  assert.equal(new Set(builds).size, 1);
});

for (const name of BUNDLES) {
  test(`bundles: the map of ${name} leads to the modules`, () => {
    const text = committed(name);
    assert.ok(text.endsWith(`\n//# sourceMappingURL=${name}.map\n`));
    const payload = JSON.parse(committed(`${name}.map`));
    for (const [index, source] of payload.sources.entries()) {
      const file = path.resolve(DIST, source);
      assert.ok(file.startsWith(ROOT), source);
      assert.equal(payload.sourcesContent[index], readFileSync(file, "utf8"), source);
    }
    const lines = text.split("\n");
    const line = lines.findIndex((each) => each.includes('"session.login"'));
    const entry = new SourceMap(payload).findEntry(line, lines[line].indexOf('"session.login"'));
    assert.ok("originalSource" in entry);
    assert.match(entry.originalSource, /session\/\w+\.js$/);
    const original = readFileSync(path.resolve(DIST, entry.originalSource), "utf8").split("\n");
    assert.ok(original[entry.originalLine].includes('"session.login"'));
  });
}
