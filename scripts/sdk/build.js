/**
 * Makes `static/rtm/dist/` and what the documents say of it.
 *
 *     node scripts/sdk/build.js            writes what has changed
 *     node scripts/sdk/build.js --check    writes nothing; exit status 1 when something is not what would be written
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { DIST, makeFiles, ROOT } from "./bundles.js";
import { integrityPage } from "./integrity.js";

const check = process.argv.includes("--check");
const made = await makeFiles();
/** @type {Map<string, string>} texts by path */
const wanted = new Map([...made].map(([name, text]) => [path.join(DIST, name), text]));
wanted.set(path.join(ROOT, "docs", "sdk-integrity.md"), integrityPage(made));

await mkdir(DIST, { recursive: true });
const there = (await readdir(DIST)).map((name) => path.join(DIST, name));
const stale = there.filter((file) => !wanted.has(file));
for (const [file, text] of wanted) {
  if (!existsSync(file) || (await readFile(file, "utf8")) !== text) stale.push(file);
}

for (const file of stale) {
  const text = wanted.get(file);
  if (check) console.log(`stale: ${path.relative(ROOT, file)}`);
  else if (text === undefined) await rm(file);
  else await writeFile(file, text);
}
if (!check) console.log(`static/rtm/dist/: ${made.size} files, ${stale.length} changed`);
else if (stale.length > 0) {
  console.log("Run make sdk.");
  process.exitCode = 1;
}
