/** The members that have short names in the bundles: nobody outside the SDK may know them (scripts/sdk/names.js). */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { ROOT } from "../../../scripts/sdk/bundles.js";
import { INTERNAL } from "../../../scripts/sdk/names.js";

/** @param {string[]} files @returns {Set<string>} everything in them that could be a name, comments left out */
function namesIn(...files) {
  const texts = files.map((file) => readFileSync(path.join(ROOT, file), "utf8").replace(/\/\*[^]*?\*\/|^ *\/\/.*$/gm, ""));
  return new Set(texts.join("\n").match(/[\w$]+/g));
}

/** @param {any} schema @returns {string[]} what it names, as the properties of objects */
function propertiesOf(schema) {
  if (schema === null || typeof schema !== "object") return [];
  return [...Object.keys(schema), ...Object.values(schema).flatMap(propertiesOf)];
}

/** What TypeScript knows of browsers: in the package of this machine's kind. */
const packages = readdirSync(path.join(ROOT, "node_modules/@typescript")).map((name) => `node_modules/@typescript/${name}/lib`);
const library = packages.flatMap((folder) =>
  readdirSync(path.join(ROOT, folder)).flatMap((name) => (/^lib\..*\.d\.ts$/.test(name) ? [`${folder}/${name}`] : [])),
);

for (const [what, known] of /** @type {[string, Set<string>][]} */ ([
  ["a word of the browser's", namesIn(...library)],
  ["a member of the API", namesIn("static/rtm/types/rtm-sdk.d.ts", "static/rtm/types/ar-rtm-sdk.d.ts")],
  ["in the protocol", new Set(propertiesOf(JSON.parse(readFileSync(path.join(ROOT, "docs/openrpc.json"), "utf8"))))],
])) {
  test(`names: none that is made short is ${what}`, () => {
    assert.ok(known.size > 100);
    assert.deepEqual(INTERNAL.filter((name) => known.has(name)), []);
  });
}

test("names: none is shown in the document, and each is one of the modules'", () => {
  const shown = readFileSync(path.join(ROOT, "docs/sdk.md"), "utf8").match(/```js[^]*?```/g)?.join("\n") ?? "";
  assert.deepEqual(INTERNAL.filter((name) => new RegExp(`[.{,] ?${name}\\b`).test(shown)), []);
  const folders = ["api", "session", "connection"].map((name) => `static/rtm/${name}`);
  const modules = folders.flatMap((folder) => readdirSync(path.join(ROOT, folder)).map((name) => `${folder}/${name}`));
  const own = namesIn(...modules);
  assert.deepEqual(INTERNAL.filter((name) => !own.has(name)), []);
});
