/** The package that `npm pack` makes of `static/rtm/dist/`, as an application installs and uses it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { DIST, ROOT } from "../../../scripts/sdk/bundles.js";
import { SDK_VERSION } from "../../../static/rtm/session/session.js";

let project = "";

/** Runs a program in the project. @param {string} program @param {string[]} argv */
function run(program, ...argv) {
  return execFileSync(program, argv, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

before(() => {
  project = mkdtempSync(path.join(tmpdir(), "rostrum-package-"));
  run("npm", "pack", DIST, "--silent");
  writeFileSync(path.join(project, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  run("npm", "install", "--offline", "--no-audit", "--no-fund", `./rostrum-rtm-${SDK_VERSION}.tgz`);
});

after(() => rmSync(project, { recursive: true, force: true }));

test("package: it holds the bundles, their maps and types, and the licence, and needs nothing else", () => {
  const installed = path.join(project, "node_modules", "rostrum-rtm");
  assert.deepEqual(readdirSync(installed).sort(), readdirSync(DIST).sort());
  assert.deepEqual(readdirSync(path.join(project, "node_modules")).filter((name) => !name.startsWith(".")), [
    "rostrum-rtm",
  ]);
  const { version, license, dependencies } = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
  assert.deepEqual([version, license, dependencies], [SDK_VERSION, "Apache-2.0", undefined]);
});

test("package: a module imports both SDKs, and neither does anything by itself", () => {
  const program = `
    const before = Object.keys(globalThis);
    const { default: AgoraRTM } = await import("rostrum-rtm");
    const { default: ArRTM } = await import("rostrum-rtm/anyrtc");
    console.log(AgoraRTM.VERSION, ArRTM.VERSION, Object.keys(globalThis).length - before.length);
  `;
  assert.equal(run("node", "--input-type=module", "--eval", program), `${SDK_VERSION} ${SDK_VERSION} 0\n`);
});

test("package: the classic scripts set the globals, as a script element would", () => {
  for (const name of ["script", "legacy"]) {
    const program = `await import("rostrum-rtm/${name}"); console.log(AgoraRTM.VERSION, ArRTM.VERSION, RostrumRTM.VERSION)`;
    const said = run("node", "--input-type=module", "--eval", program);
    assert.equal(said, `${SDK_VERSION} ${SDK_VERSION} ${SDK_VERSION}\n`);
  }
});

test("package: a program of its types is checked, and a wrong one is refused", () => {
  /** @param {string} source @param {string} resolution */
  const check = (source, resolution) => {
    writeFileSync(path.join(project, "app.ts"), source);
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--types", ""];
    const modules = resolution === "bundler" ? "es2022" : "nodenext";
    const tsc = path.join(ROOT, "node_modules", "typescript", "bin", "tsc");
    run("node", tsc, ...options, "--module", modules, "--moduleResolution", resolution, "app.ts");
  };
  for (const resolution of ["bundler", "nodenext"]) {
    check(PROGRAM, resolution);
    const wrong = PROGRAM.replace("login({ uid", "login({ user");
    assert.throws(() => check(wrong, resolution), ({ stdout }) => /^app\.ts.* error TS\d+: .*'user'/m.test(stdout));
  }
});

const PROGRAM = `
  import AgoraRTM from "rostrum-rtm";
  import ArRTM from "rostrum-rtm/anyrtc";

  export async function main(appId: string): Promise<string> {
    const client = AgoraRTM.createInstance(appId);
    await client.login({ uid: "ann", token: undefined });
    const channel = client.createChannel("math");
    channel.on("ChannelMessage", (message, memberId) => {
      if (message.messageType === "TEXT") console.log(memberId, message.text);
    });
    await channel.join();
    await channel.sendMessage({ text: "hello" });
    const { hasPeerReceived } = await client.sendMessageToPeer({ text: "hello" }, "bob");
    await ArRTM.createInstance(appId).logout();
    return \`\${AgoraRTM.VERSION} \${hasPeerReceived}\`;
  }
`;
