/** Files and images: sending and fetching their bytes (docs/contract.md 2 and 4). */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { AGORA, VENDORS, assertError, failure, logIn, makeClient } from "../support/clients.js";
import { FakeXhr } from "../support/fake_media.js";
import { FakeRuntime, settle } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */
/** @typedef {import("../../../static/rtm/connection/transfer.js").TransferHandler} TransferHandler */

/** @type {FakeRuntime & {fetch?: any}} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {[current: number, total: number][]} */
let progress;
/** @type {AbortController} */
let stop;
/** @type {TransferHandler} */
let handler;

const PAPER = new Blob(["0123456789"], { type: "text/plain" });
const FIRST = "1".padStart(32, "0");
const UPLOAD = "UPLOAD_MEDIA_ERR";
const DOWNLOAD = "DOWNLOAD_MEDIA_ERR";

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  runtime.fetch = server.media.fetch(runtime);
  ann = await logIn(runtime, "ann");
  progress = [];
  stop = new AbortController();
  handler = {
    cancelSignal: stop.signal,
    onOperationProgress: ({ currentSize, totalSize }) => progress.push([currentSize, totalSize]),
  };
});

afterEach(() => {
  delete (/** @type {any} */ (globalThis).XMLHttpRequest);
});

/** As in a browser: the test says what passes. */
function useXhr() {
  /** @type {any} */ (globalThis).XMLHttpRequest = FakeXhr;
  FakeXhr.newest = null;
  FakeXhr.opened = 0;
}

const xhr = () => FakeXhr.newest ?? assert.fail("nothing was requested");
/** The storage answers the newest request. */
const answer = () => xhr().answer(server.media.take(xhr().method, xhr().url, xhr().form));
/** @param {any} [params] */
const upload = (params, client = ann) =>
  client.createMediaMessageByUploading(PAPER, { messageType: "FILE", ...params }, handler);
const fileOf = (media = FIRST) => server.media.files.get(media);

test("upload: announced, posted with the form's fields, finished; the message has what the server says", async () => {
  const message = await after(runtime, upload({ fileName: "a/b.txt", description: "numbers" }), 500);
  assert.deepEqual(server.paramsOf("media.start"), [{ kind: "FILE", name: "a/b.txt", size: 10 }]);
  assert.deepEqual(server.media.requests, [`POST https://rtm.example/rtm/media/upload?key=${FIRST}`]);
  assert.equal(await fileOf()?.content?.text(), "0123456789");
  assert.deepEqual(message, {
    mediaId: FIRST,
    fileName: "a/b.txt",
    description: "numbers",
    thumbnail: undefined,
    size: 10,
    messageType: "FILE",
  });
  assert.deepEqual(progress, [[0, 10], [10, 10]]);
});

test("upload: an image has the measures that the server found, and those of a thumbnail of one's own", async () => {
  const image = { messageType: "IMAGE", width: 1, height: 1 };
  const { width, height, thumbnailWidth, thumbnailHeight } = await after(runtime, upload(image), 500);
  assert.deepEqual([width, height, thumbnailWidth, thumbnailHeight], [640, 480, 320, 240]);
  const thumbnail = new Blob(["small"]);
  const own = await after(runtime, upload({ ...image, thumbnail, thumbnailWidth: 8, thumbnailHeight: 6 }), 500);
  assert.deepEqual([own.thumbnail === thumbnail, own.thumbnailWidth, own.thumbnailHeight], [true, 8, 6]);
});

test("upload: a File's name is taken where none is given", async () => {
  const file = new File(["x"], "paper.pdf");
  await after(runtime, ann.createMediaMessageByUploading(file, { messageType: "FILE" }), 500);
  assert.equal(server.paramsOf("media.start")[0].name, "paper.pdf");
});

test("upload: an address of another host is taken as it is, one of ours is of the endpoint that was chosen", async () => {
  server.media.origin = "https://bucket.example";
  await after(runtime, upload(), 500);
  server.media.origin = "";
  const { rtm } = AGORA;
  rtm.setArea({ areaCodes: ["EUROPE"] });
  const bob = makeClient(runtime);
  rtm.setArea({ areaCodes: ["GLOBAL"] });
  const { fetch } = runtime;
  runtime.fetch = async (/** @type {string} */ url, /** @type {any} */ init) =>
    url.endsWith("/rtm/endpoints")
      ? { json: async () => ({ endpoints: [{ area: "EUROPE", url: "https://eu.example/chat/" }] }) }
      : fetch(url, init);
  await after(runtime, bob.login({ uid: "bob" }));
  await after(runtime, upload({}, bob), 500);
  assert.deepEqual(
    server.media.requests.map((request) => request.split("?")[0]),
    ["POST https://bucket.example/rtm/media/upload", "POST https://eu.example/chat/rtm/media/upload"],
  );
});

test("in a browser: progress is of the file's bytes, as they are sent", async () => {
  useXhr();
  const uploading = upload();
  await runtime.advance(50);
  for (const loaded of [0, 4, 205, 210]) xhr().pass(loaded, 210);
  answer();
  await after(runtime, uploading);
  assert.deepEqual(progress, [[0, 10], [0, 10], [4, 10], [10, 10]]);
  progress = [];
  const downloading = ann.downloadMedia(FIRST, handler);
  await runtime.advance(50);
  for (const loaded of [3, 10]) xhr().pass(loaded, 10);
  answer();
  const blob = await after(runtime, downloading);
  assert.deepEqual([await blob.text(), blob.type, xhr().responseType], ["0123456789", "text/plain", "blob"]);
  assert.deepEqual(progress, [[3, 10], [10, 10]]);
});

test("a listener that throws is reported, and breaks nothing", async (context) => {
  const reported = context.mock.method(console, "error", () => {});
  handler.onOperationProgress = () => {
    throw new Error("a listener's own fault");
  };
  assert.equal((await after(runtime, upload(), 500)).mediaId, FIRST);
  assert.equal(reported.mock.callCount(), 2);
});

for (const [phase, ms] of /** @type {const} */ ([["it is announced", 0], ["its bytes are on their way", 50]])) {
  test(`upload: cancelled while ${phase}, it is given up on the server too`, async () => {
    useXhr();
    const uploading = failure(upload());
    await runtime.advance(ms);
    stop.abort();
    assertError(await uploading, AGORA, UPLOAD, "INTERRUPTED");
    if (ms) assert.ok(xhr().isAborted);
    const told = progress.length;
    await runtime.advance(50);
    assert.equal(fileOf()?.state, "ABANDONED");
    assert.deepEqual([server.paramsOf("media.finish"), progress.length], [[], told]);
  });
}

test("upload: cancelled when it is told that it begins, nothing is sent", async () => {
  useXhr();
  handler.onOperationProgress = () => stop.abort();
  const uploading = failure(upload());
  await runtime.advance(50);
  assertError(await uploading, AGORA, UPLOAD, "INTERRUPTED");
  await runtime.advance(50);
  assert.deepEqual([FakeXhr.opened, fileOf()?.state], [0, "ABANDONED"]);
});

test("upload: cancelled while the server checks it, it rejects at once", async () => {
  const uploading = failure(upload());
  await runtime.advance(110);
  assert.equal(progress.length, 2);
  stop.abort();
  assertError(await uploading, AGORA, UPLOAD, "INTERRUPTED");
});

test("what is cancelled before it begins asks nobody", async () => {
  stop.abort();
  assertError(await failure(upload()), AGORA, UPLOAD, "INTERRUPTED");
  assertError(await failure(ann.downloadMedia(FIRST, handler)), AGORA, DOWNLOAD, "INTERRUPTED");
  assert.equal(server.requests.filter(({ method }) => method.startsWith("media.")).length, 0);
});

test("a signal that is never used keeps nothing of what is done", async (context) => {
  const removed = context.mock.method(stop.signal, "removeEventListener");
  const idle = runtime.pendingTimers;
  await after(runtime, upload(), 500);
  assert.equal(removed.mock.callCount(), 1);
  assert.equal(runtime.pendingTimers, idle);
});

test("a transfer lasts as long as it moves, and is given up when it does not", async () => {
  useXhr();
  const uploading = failure(upload());
  await runtime.advance(50);
  for (let loaded = 0; loaded < 5; loaded++) {
    xhr().pass(loaded, 210);
    await runtime.advance(29_000);
  }
  assert.equal(xhr().isAborted, false);
  await runtime.advance(1000);
  assertError(await uploading, AGORA, UPLOAD, "TIMEOUT");
  assert.ok(xhr().isAborted);
  await runtime.advance(50);
  assert.equal(fileOf()?.state, "ABANDONED");
});

test("one that waits for a connection of the browser's has time while another moves", async () => {
  useXhr();
  const moving = failure(upload());
  await runtime.advance(50);
  const first = xhr();
  const waiting = failure(upload());
  await runtime.advance(50);
  const second = xhr();
  for (let loaded = 1; loaded < 9; loaded++) {
    first.pass(loaded, 210);
    await runtime.advance(20_000);
  }
  assert.deepEqual([first.isAborted, second.isAborted], [false, false]);
  second.pass(1, 210);
  first.pass(9, 210);
  await runtime.advance(20_000);
  first.pass(9, 210);
  await runtime.advance(10_000);
  assert.deepEqual([first.isAborted, second.isAborted], [false, true], "it has begun, and stands still");
  assertError(await waiting, AGORA, UPLOAD, "TIMEOUT");
  const third = failure(upload());
  await runtime.advance(60_050);
  assertError(await moving, AGORA, UPLOAD, "TIMEOUT");
  assertError(await third, AGORA, UPLOAD, "TIMEOUT");
});

test("where nobody tells how far it is, it has as long as its form", async () => {
  runtime.fetch = server.media.fetch(runtime, 800_000);
  await after(runtime, upload(), 801_000);
  runtime.fetch = server.media.fetch(runtime, 1_000_000);
  const error = await failure(after(runtime, ann.downloadMedia(FIRST), 901_000));
  assertError(error, AGORA, DOWNLOAD, "TIMEOUT");
});

test("a check that takes its time is waited for, also over a lost connection", async () => {
  server.refuseNext("media.finish", rpcError(24, "media_busy", true));
  server.refuseNext("media.finish", rpcError(4, "too_often", true, { retry_after_ms: 40_000 }));
  server.cutNext("media.finish");
  assert.equal((await after(runtime, upload(), 60_000)).size, 10);
  assert.equal(server.paramsOf("media.start").length, 1);
});

test("upload: a network that breaks is tried again when the socket is back, three times at most", async () => {
  server.media.statuses = [0, 503];
  server.isDown = true;
  const uploading = upload();
  await runtime.advance(20);
  server.cutAll();
  await runtime.advance(5000);
  assert.equal(server.media.requests.length, 1);
  server.isDown = false;
  await after(runtime, uploading, 20_000);
  assert.equal(server.media.requests.length, 3);
  server.media.statuses = [0, 409, 503];
  const second = await failure(after(runtime, upload(), 20_000));
  assertError(second, AGORA, UPLOAD, "FAILURE");
  assert.match(second.message, /503/);
  await runtime.advance(50);
  assert.equal(fileOf("2".padStart(32, "0"))?.state, "ABANDONED");
});

test("download: each try asks for an address of its own, as they grow too old", async () => {
  await after(runtime, upload(), 500);
  server.media.statuses = [403, 0];
  const blob = await after(runtime, ann.downloadMedia(FIRST, handler), 20_000);
  assert.equal(await blob.text(), "0123456789");
  assert.equal(new Set(server.media.requests.filter((request) => request.startsWith("GET"))).size, 3);
  server.media.statuses = [404, 404, 404];
  assertError(await failure(after(runtime, ann.downloadMedia(FIRST), 20_000)), AGORA, DOWNLOAD, "FAILURE");
});

test("nine at once for a client, up and down together; the tenth is refused, the next one is not", async () => {
  await after(runtime, upload(), 500);
  const nine = Array.from({ length: 9 }, (_, at) => (at % 2 ? upload() : ann.downloadMedia(FIRST)));
  const ended = Promise.all(nine);
  await runtime.advance(20);
  assertError(await failure(upload()), AGORA, UPLOAD, "CONCURRENCY_LIMIT_EXCEEDED");
  assertError(await failure(ann.downloadMedia(FIRST)), AGORA, DOWNLOAD, "CONCURRENCY_LIMIT_EXCEEDED");
  const bob = await logIn(runtime, "bob");
  await after(runtime, upload({}, bob), 500);
  await ended;
  assert.equal((await after(runtime, upload(), 500)).size, 10);
});

test("a logout ends what is on its way, and has the server forget it", async () => {
  useXhr();
  const uploading = failure(upload());
  const downloading = failure(ann.downloadMedia(FIRST));
  await runtime.advance(50);
  const leaving = ann.logout();
  await settle();
  assert.ok(xhr().isAborted);
  assertError(await uploading, AGORA, UPLOAD, "NOT_LOGGED_IN");
  assertError(await downloading, AGORA, DOWNLOAD, "NOT_LOGGED_IN");
  await after(runtime, leaving);
  assert.equal(fileOf()?.state, "ABANDONED");
});

/** What the server refuses with, and how the vendors call it. */
const REFUSALS = /** @type {const} */ ([
  [UPLOAD, "media.start", "size_overflow", "SIZE_OVERFLOW"],
  [UPLOAD, "media.start", "too_many_uploads", "CONCURRENCY_LIMIT_EXCEEDED"],
  [UPLOAD, "media.start", "limit_exceeded", "FAILURE"],
  [UPLOAD, "media.start", "invalid_params", "INVALID_ARGUMENT"],
  [UPLOAD, "media.finish", "media_refused", "INVALID_ARGUMENT"],
  [UPLOAD, "media.finish", "media_not_found", "FAILURE"],
  [DOWNLOAD, "media.url", "media_not_found", "NOT_EXIST"],
  [DOWNLOAD, "media.url", "invalid_params", "INVALID_ARGUMENT"],
]);

for (const vendor of VENDORS) {
  test(`${vendor.name}: what the server refuses has its name and number`, async () => {
    const client = await logIn(runtime, "bob", vendor);
    for (const [group, method, refusal, name] of REFUSALS) {
      server.refuseNext(method, rpcError(77, refusal));
      const asking = group === UPLOAD ? upload({}, client) : client.downloadMedia(FIRST);
      const error = await failure(after(runtime, asking, 500));
      assertError(error, vendor, group, name);
      assert.deepEqual([error.serverCode, error.cause.name], [77, refusal]);
    }
    server.isSilent = true;
    assertError(await failure(after(runtime, upload({}, client), 10_000)), vendor, UPLOAD, "TIMEOUT");
  });
}
