/** The package that `npm pack` makes of `static/rtm/dist/`, as an application installs and uses it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { build } from "esbuild";

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

test("package: what is required is the SDK itself, with what the module exports", () => {
  const program = `
    const before = Object.keys(globalThis);
    const AgoraRTM = require("rostrum-rtm");
    const ArRTM = require("rostrum-rtm/anyrtc");
    AgoraRTM.createInstance("0123456789abcdef0123456789abcdef", { server: "https://rtm.example" });
    console.log(AgoraRTM.VERSION, ArRTM.VERSION, Object.keys(globalThis).length - before.length);
    console.log([AgoraRTM.default, AgoraRTM.AgoraRTM, ArRTM.default, ArRTM.ArRTM].map((each) => each.VERSION).length);
    console.log(AgoraRTM.default === AgoraRTM, AgoraRTM.AgoraRTM === AgoraRTM, ArRTM.default === ArRTM);
    console.log(typeof AgoraRTM.RostrumRTM.Session, typeof ArRTM.RtmChannel, ArRTM.RtmErrorCode.LoginError[8]);
  `;
  const said = run("node", "--input-type=commonjs", "--eval", program).trim().split("\n");
  assert.deepEqual(said, [
    `${SDK_VERSION} ${SDK_VERSION} 0`,
    "4",
    "true true true",
    "function function LOGIN_ERR_TIMEOUT",
  ]);
});

/** Of both ways to load the package, and as bundlers replace the address of a module. */
for (const [how, source] of [
  ["import", 'import AgoraRTM from "rostrum-rtm";'],
  ["require", 'const AgoraRTM = require("rostrum-rtm");'],
]) {
  test(`package: a bundled program's ${how} connects where setServer says, not to the program's own address`, async () => {
    const program = `${source}
      globalThis.location = { origin: "https://app.example" };
      const opened = [];
      const socketFactory = (url) => (opened.push(url), { send() {}, close() {} });
      const open = () => AgoraRTM.createInstance("0123456789abcdef0123456789abcdef", { socketFactory }).login({ uid: "ann" });
      open();
      AgoraRTM.setServer("https://rtm.example");
      open();
      console.log(...opened);
      process.exit();
    `;
    const made = await build({
      stdin: { contents: program, resolveDir: project },
      bundle: true,
      write: false,
      format: "iife",
      define: { "import.meta.url": '"https://app.example/assets/app.js"' },
    });
    writeFileSync(path.join(project, "bundled.cjs"), made.outputFiles[0].text);
    assert.equal(run("node", "bundled.cjs"), "wss://app.example/rtm/ws wss://rtm.example/rtm/ws\n");
  });
}

test("package: the classic scripts set the globals, as a script element would", () => {
  for (const name of ["script", "legacy"]) {
    const program = `await import("rostrum-rtm/${name}"); console.log(AgoraRTM.VERSION, ArRTM.VERSION, RostrumRTM.VERSION)`;
    const said = run("node", "--input-type=module", "--eval", program);
    assert.equal(said, `${SDK_VERSION} ${SDK_VERSION} ${SDK_VERSION}\n`);
  }
});

test("package: a program of its types is checked, and a wrong one is refused", () => {
  /** @param {string} source @param {string} compiler @param {string} file @param {string[]} options */
  const check = (source, compiler, file, ...options) => {
    writeFileSync(path.join(project, file), source);
    const all = ["--noEmit", "--strict", "--target", "es2018", "--lib", "es2018,dom", ...options];
    run("node", path.join(ROOT, "node_modules", compiler, "bin", "tsc"), ...all, file);
  };
  for (const [compiler, file, ...options] of [
    ["typescript", "app.ts", "--module", "es2022", "--moduleResolution", "bundler"],
    ["typescript", "app.ts", "--module", "nodenext"],
    ["typescript", "app.ts", "--module", "node16"],
    ["typescript", "app.cts", "--module", "node16"],
    ["typescript-3.8", "app.ts", "--module", "es2015", "--moduleResolution", "node"],
    ["typescript-3.8", "app.ts", "--module", "commonjs", "--esModuleInterop"],
  ]) {
    check(PROGRAM, compiler, file, ...options);
    const wrong = PROGRAM.replace("login({ uid", "login({ user");
    const refused = /^app\.c?ts.* error TS\d+: [^]*\buser\b/m;
    assert.throws(() => check(wrong, compiler, file, ...options), ({ stdout }) => refused.test(stdout));
  }
});

test("package: a CommonJS program of TypeScript runs, however its imports are compiled", () => {
  const program = `
    import AgoraRTM, { RostrumRTM } from "rostrum-rtm";
    import * as all from "rostrum-rtm/anyrtc";
    console.log(AgoraRTM.VERSION, RostrumRTM.VERSION, all.ArRTM.VERSION, all.default.VERSION);
  `;
  mkdirSync(path.join(project, "commonjs"));
  writeFileSync(path.join(project, "commonjs", "package.json"), "{}");
  for (const [compiler, ...options] of [
    ["typescript", "--module", "node16"],
    ["typescript-3.8", "--module", "commonjs", "--esModuleInterop"],
    ["typescript-3.8", "--module", "commonjs"],
  ]) {
    writeFileSync(path.join(project, "commonjs", "app.ts"), program);
    const all = ["--strict", "--target", "es2018", "--lib", "es2018,dom", ...options];
    run("node", path.join(ROOT, "node_modules", compiler, "bin", "tsc"), ...all, "commonjs/app.ts");
    assert.equal(run("node", "commonjs/app.js"), `${Array(4).fill(SDK_VERSION).join(" ")}\n`);
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
