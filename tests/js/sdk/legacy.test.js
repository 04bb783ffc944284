/** The bundle for old browsers: its syntax, and a conversation in each of them. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { transform } from "@swc/core";
import { parse } from "acorn";

import { DIST, ROOT } from "../../../scripts/sdk/bundles.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";
import { BROWSERS, openPage, TODAY } from "../support/old_browser.js";

/** @typedef {import("../support/old_browser.js").Browser} Browser */

const LEGACY = readFileSync(path.join(DIST, "rtm-sdk.legacy.js"), "utf8");
const MODERN = readFileSync(path.join(DIST, "rtm-sdk.js"), "utf8");

/** What an application of that time does, in its own language: two users, a room, a message each way. */
const APPLICATION = `
  var told = { ann: [], bob: [], application: [] };
  function enter(uid) {
    var client = AgoraRTM.createInstance("0123456789abcdef0123456789abcdef", { enableLogUpload: false });
    client.on("ConnectionStateChanged", function (state, reason) { told[uid].push(state + " " + reason); });
    return client.login({ uid: uid, token: null }).then(function () {
      var channel = client.createChannel("math");
      channel.on("ChannelMessage", function (message, sender) {
        told[uid].push("hears " + (message.text || message.rawMessage.length + " bytes") + " of " + sender);
      });
      return channel.join().then(function () { return channel; });
    });
  }
  enter("ann").then(function (ann) {
    return enter("bob").then(function (bob) {
      return bob.sendMessage({ text: "\\u4f60\\u597d, ann" }).then(function () {
        return ann.sendMessage({ rawMessage: new Uint8Array([1, 2, 255]) });
      });
    });
  }).then(function () { told.application.push("done"); }, function (error) { told.application.push(error.name + " " + error.message); });
`;

/**
 * The conversation in a browser.
 * @param {Browser} browser
 * @param {string} script
 * @param {import("../support/old_browser.js").Surroundings} [surroundings]
 * @param {string} [before] what the application does first
 */
async function talk(browser, script, surroundings, before = "") {
  const runtime = new FakeRuntime();
  const server = new FakeServer(runtime);
  const page = openPage(runtime, browser, script, surroundings);
  page.run(before + APPLICATION);
  await runtime.advance(2000);
  assert.deepEqual(JSON.parse(page.run("JSON.stringify(told)")), CONVERSATION);
  return { page, runtime, server };
}

/** By who is told; the sender's answer and the others' message are in no order. */
const CONVERSATION = {
  ann: ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS", "hears 你好, ann of bob"],
  bob: ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS", "hears 3 bytes of ann"],
  application: ["done"],
};

/** @param {FakeRuntime} runtime */
const addresses = (runtime) => [...new Set(runtime.sockets.map(({ url }) => url))];

test("legacy: its syntax is that of 2009", () => {
  parse(LEGACY, { ecmaVersion: 5, sourceType: "script" });
  assert.throws(() => parse(MODERN, { ecmaVersion: 5, sourceType: "script" }), SyntaxError);
});

test("legacy: the script for today's browsers holds the same conversation", async () => {
  const { runtime } = await talk(TODAY, MODERN);
  assert.deepEqual(addresses(runtime), ["wss://rtm.example/rtm/ws"]);
});

for (const [name, browser] of Object.entries({ ...BROWSERS, "a browser of today": TODAY })) {
  test(`legacy: two users talk in ${name}, where the script came from`, async () => {
    const { runtime } = await talk(browser, LEGACY);
    assert.deepEqual(addresses(runtime), ["wss://rtm.example/rtm/ws"]);
  });

  test(`legacy: ${name} asks for the servers of an area`, async () => {
    const endpoints = [{ area: "CHINA", url: "https://cn.example" }, { area: "EUROPE", url: "https://eu.example" }];
    const http = (/** @type {string} */ url) => {
      assert.equal(url, "https://rtm.example/rtm/endpoints");
      return JSON.stringify({ endpoints });
    };
    const { runtime } = await talk(browser, LEGACY, { http }, 'AgoraRTM.setArea({ areaCodes: ["EUROPE"] });');
    assert.deepEqual(addresses(runtime), ["wss://eu.example/rtm/ws"]);
  });
}

/** Ann sends an image with a thumbnail, which bob hears of and fetches. */
const WITH_IMAGE = `
  var told = [];
  var clients = ["ann", "bob"].map(function () { return AgoraRTM.createInstance("0123456789abcdef0123456789abcdef"); });
  clients[1].on("MessageFromPeer", function (image) {
    told.push(image.messageType + " " + image.size + " " + image.thumbnail.size);
    clients[1].downloadMedia(image.mediaId).then(function (blob) { told.push("has " + blob.size); });
  });
  Promise.all([clients[0].login({ uid: "ann" }), clients[1].login({ uid: "bob" })]).then(function () {
    var params = { messageType: "IMAGE", thumbnail: new Blob(["small"]) };
    return clients[0].createMediaMessageByUploading(new Blob(["a large image"]), params);
  }).then(function (image) {
    return clients[0].sendMessageToPeer(image, "bob");
  }).then(function (result) { told.push(result.hasPeerReceived); }, function (error) { told.push(error.message); });
`;

for (const [name, browser] of Object.entries({ ...BROWSERS, "a browser of today": TODAY })) {
  test(`legacy: an image is sent and fetched in ${name}`, async () => {
    const runtime = new FakeRuntime();
    const { media } = new FakeServer(runtime);
    const page = openPage(runtime, browser, LEGACY, {
      http: (url, form) => {
        const file = media.files.get(/key=(.*?)(&|$)/.exec(url)?.[1] ?? "") ?? assert.fail(url);
        if (form) file.content = form.get("file");
        return file.content;
      },
    });
    page.run(WITH_IMAGE);
    await runtime.advance(10_000);
    assert.deepEqual(JSON.parse(page.run("JSON.stringify(told.sort())")), ["IMAGE 13 5", "has 13", true]);
  });
}

test("legacy: a page of today gets the same globals of both scripts, and keeps its own", () => {
  const names = [MODERN, LEGACY].map((script) => {
    const globals = (/** @type {string} */ code) =>
      openPage(new FakeRuntime(), TODAY, code).run("Object.getOwnPropertyNames(globalThis)");
    const before = new Set(globals(""));
    return [...globals(script)].filter((name) => !before.has(name)).sort();
  });
  assert.ok(names[0].includes("AgoraRTM") && names[0].includes("ArRTM"));
  assert.deepEqual(names[1].filter((name) => !name.startsWith("__core-js")), names[0]);
  const kept = openPage(new FakeRuntime(), TODAY, `var own = [Promise, Map, Symbol, URL, Array.from]; ${LEGACY}`);
  assert.ok(kept.run("own.join() === [Promise, Map, Symbol, URL, Array.from].join()"));
});

/** What corrects a detail that the SDK does not touch, or bears a name that is another thing's here. */
const NOT_NEEDED = new RegExp(
  [
    "es\\.array\\.(concat|every|filter|for-each|index-of|join|last-index-of|map|push|reduce|reverse|slice|some|sort|splice)$",
    "es\\.(array-buffer|date|error|function|iterator|json|regexp|set)\\.",
    "es\\.(number\\.constructor|object\\.freeze|object\\.keys|reflect\\.to-string-tag|symbol\\.description|typed-array\\.(?!from$))",
    "es\\.string\\.(includes|match|replace|search|split|trim)$",
    "web\\.(atob|btoa|dom-|self$|url-search|url\\.to-json)",
  ].join("|"),
);

test("legacy: what the modules use, and old browsers have not, is in it", async () => {
  const targets = { ie: "11", android: "4.4.3", safari: "9", chrome: "49", firefox: "52" };
  const env = { mode: /** @type {const} */ ("usage"), coreJs: "3.51", targets };
  const polyfills = readFileSync(path.join(ROOT, "scripts", "sdk", "polyfills.cjs"), "utf8");
  const given = new Set([...polyfills.matchAll(/"core-js\/modules\/(.*)\.js"/g)].map(([, name]) => name));
  const folders = ["static/rtm/api", "static/rtm/session", "static/rtm/connection", "scripts/sdk"];
  const modules = folders.flatMap((folder) => readdirSync(path.join(ROOT, folder)).map((name) => `${folder}/${name}`));
  assert.ok(modules.length > 20);
  const used = new Set();
  for (const name of modules.filter((each) => !/(build|bundles|integrity)\.js$|ts$/.test(each))) {
    const source = readFileSync(path.join(ROOT, name), "utf8");
    const { code } = await transform(source, { configFile: false, swcrc: false, isModule: true, env });
    for (const [, polyfill] of code.matchAll(/"core-js\/modules\/(.*)\.js"/g)) used.add(polyfill);
  }
  const missing = [...used].filter((name) => !given.has(name) && !NOT_NEEDED.test(name));
  assert.deepEqual(missing, []);
  assert.deepEqual([...given].filter((name) => !used.has(name)), []);
});

for (const [name, script] of Object.entries({ modern: MODERN, legacy: LEGACY })) {
  const browser = script === LEGACY ? BROWSERS["Internet Explorer 11"] : TODAY;
  for (const worker of /** @type {const} */ (["runs", "is forbidden", "fails"])) {
    test(`legacy: the ${name} script keeps its heartbeat when its worker ${worker}`, async () => {
      const { runtime, server, page } = await talk(browser, script, { worker });
      assert.equal(page.workers.length, worker === "is forbidden" ? 0 : 1);
      const before = server.paramsOf("session.ping").length;
      await runtime.advance(10_000);
      assert.ok(server.paramsOf("session.ping").length >= before + 6, "two users, one each 3 s");
      assert.equal(runtime.sockets.length, 2);
    });
  }
}

test("legacy: the syntax of its worker is that of 2009 too", async () => {
  const { page } = await talk(TODAY, LEGACY);
  parse(page.workers[0].text, { ecmaVersion: 5, sourceType: "script" });
});
