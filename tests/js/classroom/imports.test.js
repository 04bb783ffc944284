import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

const PAGES = new URL("../../../static/classroom/", import.meta.url);

test("imports: the pages know the SDK by its entry alone", async () => {
  const names = (await readdir(PAGES)).filter((name) => name.endsWith(".js"));
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, PAGES), "utf8")));
  const named = texts.flatMap((text) => text.match(/"\.\.\/[^"]*"/g) ?? []);
  assert.deepEqual([...new Set(named)], ['"../rtm/index.js"']);
});
