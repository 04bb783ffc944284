import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { AGORA, ANYRTC } from "../../../static/rtm/api/flavours.js";

/** @param {number | undefined} agora @param {number} anyRtc */
const written = (agora, anyRtc) => (agora === anyRtc ? String(agora) : `${agora ?? "-"}/${anyRtc}`);

test("errors: docs/sdk.md has every group, name and number of both vendors", async () => {
  const text = await readFile(new URL("../../../docs/sdk.md", import.meta.url), "utf8");
  const rows = Object.fromEntries([...text.matchAll(/^\| `(\w+_ERR)` \| (.*) \|$/gm)].map(([, group, codes]) => [group, codes.split(", ").sort()]));
  const expected = Object.entries(ANYRTC.errors).map(([group, numbers]) => {
    const codes = Object.entries(numbers).map(([name, code]) => `${name} ${written(AGORA.errors[group][name], code)}`);
    return [group, codes.sort()];
  });
  assert.deepEqual(rows, Object.fromEntries(expected));
});
