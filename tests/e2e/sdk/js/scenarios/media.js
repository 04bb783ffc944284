/** Section 2 and 4 of the contract: files and images go up and come down. */

import { same } from "../world.js";

/** @typedef {import("../world.js").World} World */
/** @typedef {{currentSize: number, totalSize: number}} Progress */

const LARGEST = 30 * 1024 * 1024;

const PIECE = Uint8Array.from({ length: 100_003 }, (_, at) => (at * 7) % 251);

/** @param {number} size */
const filled = (size) => new Blob(Array(Math.ceil(size / PIECE.length)).fill(PIECE)).slice(0, size);

/** @param {Blob} blob */
async function digest(blob) {
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()))].join();
}

/** What was told of a transfer: it grows, and ends with all of it. @param {Progress[]} told @param {number} size */
function isGrowing(told, size) {
  same(told.every(({ currentSize }, at) => at === 0 || currentSize >= told[at - 1].currentSize), true, "it grows");
  same(told.every(({ totalSize }) => totalSize === size), true, "of the file's size");
  same(told.at(-1), { currentSize: size, totalSize: size });
}

/** @param {World} world */
export async function a_file_goes_up_and_comes_down(world) {
  const ann = await world.person();
  const blob = new Blob(["Hello 你好"], { type: "text/plain" });
  /** @type {Progress[]} */
  const told = [];
  const handler = { onOperationProgress: (/** @type {Progress} */ progress) => told.push(progress) };
  const message = await ann.client.createMediaMessageByUploading(
    blob,
    { messageType: "FILE", fileName: "folder/hello.txt", description: "a greeting" },
    handler,
  );
  same([message.fileName, message.description, message.size], ["hello.txt", "a greeting", blob.size]);
  same([message.messageType, message.thumbnail], ["FILE", undefined]);
  same(told[0], { currentSize: 0, totalSize: blob.size });
  isGrowing(told, blob.size);
  const back = await ann.client.downloadMedia(message.mediaId, handler);
  same(await back.text(), "Hello 你好");
}

/** Six wide, four high. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAAFElEQVR42mM8ISfHgAqYGDAAcUIATU4BDNzEGswAAAAASUVORK5CYII=";

/** @param {World} world */
export async function an_image_has_its_measures_and_its_type(world) {
  const ann = await world.person();
  const image = new Blob([Uint8Array.from(atob(PNG), (letter) => letter.charCodeAt(0))]);
  const params = { messageType: "IMAGE", fileName: "red.png", width: 1, height: 1 };
  const message = await ann.client.createMediaMessageByUploading(image, params);
  same([message.messageType, message.width, message.height], ["IMAGE", 6, 4]);
  same([message.thumbnailWidth, message.thumbnailHeight], [6, 4]);
  same((await ann.client.downloadMedia(message.mediaId)).type, "image/png");
  const own = { ...params, thumbnail: image, thumbnailWidth: 3, thumbnailHeight: 2 };
  const described = await ann.client.createMediaMessageByUploading(image, own);
  same([described.thumbnail === image, described.thumbnailWidth, described.thumbnailHeight], [true, 3, 2]);
}

/** @param {World} world */
export async function the_largest_file_goes_up_and_down_and_tells_how_far_it_is(world) {
  const ann = await world.person();
  const blob = filled(LARGEST);
  /** @type {Progress[][]} */
  const [up, down] = [[], []];
  const noting = (/** @type {Progress[]} */ told) => ({
    onOperationProgress: (/** @type {Progress} */ progress) => told.push(progress),
  });
  const params = { messageType: "FILE" };
  const { mediaId } = await ann.client.createMediaMessageByUploading(blob, params, noting(up));
  const back = await ann.client.downloadMedia(mediaId, noting(down));
  same(await digest(back), await digest(blob));
  for (const told of [up, down]) {
    isGrowing(told, LARGEST);
    same(told.some(({ currentSize }) => currentSize > 0 && currentSize < LARGEST), true, "on the way");
  }
  const stop = new AbortController();
  const stopping = { cancelSignal: stop.signal, onOperationProgress: () => stop.abort() };
  await world.refused(ann.client.downloadMedia(mediaId, stopping), "DOWNLOAD_MEDIA_ERR", "INTERRUPTED");
}

/** @param {World} world */
export async function nine_at_once_and_who_cancels_them_may_send_again(world) {
  const ann = await world.person();
  const blob = filled(LARGEST / 3);
  const params = { messageType: "FILE" };
  const stop = new AbortController();
  const uploads = Array.from({ length: 9 }, () => {
    /** @type {Promise<unknown>} */
    let upload = Promise.resolve();
    const moving = new Promise((resolve) => {
      const onOperationProgress = (/** @type {Progress} */ { currentSize }) => currentSize > 0 && resolve(null);
      const handler = { cancelSignal: stop.signal, onOperationProgress };
      upload = ann.client.createMediaMessageByUploading(blob, params, handler);
    });
    const interrupted = world.refused(upload, "UPLOAD_MEDIA_ERR", "INTERRUPTED");
    return { moving, interrupted };
  });
  const tenth = ann.client.createMediaMessageByUploading(new Blob(["x"]), params);
  await world.refused(tenth, "UPLOAD_MEDIA_ERR", "CONCURRENCY_LIMIT_EXCEEDED");
  const also = ann.client.downloadMedia("0".repeat(32));
  await world.refused(also, "DOWNLOAD_MEDIA_ERR", "CONCURRENCY_LIMIT_EXCEEDED");
  // A browser has six connections to a server: three wait for theirs.
  await Promise.any(uploads.map(({ moving }) => moving));
  stop.abort();
  await Promise.all(uploads.map(({ interrupted }) => interrupted));
  // A user sends nine at most, by the server's count: they are given up there too.
  const again = Array.from({ length: 9 }, () => ann.client.createMediaMessageByUploading(new Blob(["x"]), params));
  same((await Promise.all(again)).length, 9);
}

/** @param {World} world */
export async function what_is_no_file_or_nobody_s_is_refused(world) {
  const stranger = world.stranger();
  const file = { messageType: "FILE" };
  const blob = new Blob(["x"]);
  const [up, down] = ["UPLOAD_MEDIA_ERR", "DOWNLOAD_MEDIA_ERR"];
  await world.refused(stranger.client.createMediaMessageByUploading(blob, file), up, "NOT_LOGGED_IN");
  await world.refused(stranger.client.downloadMedia("x"), down, "NOT_LOGGED_IN");
  const ann = await world.person();
  const upload = (/** @type {any} */ payload, /** @type {any} */ params) =>
    ann.client.createMediaMessageByUploading(payload, params);
  await world.refused(upload(blob, undefined), up, "INVALID_ARGUMENT");
  await world.refused(upload("x", file), up, "INVALID_ARGUMENT");
  await world.refused(upload(new Blob([]), file), up, "SIZE_OVERFLOW");
  await world.refused(upload(filled(LARGEST + 1), file), up, "SIZE_OVERFLOW");
  await world.refused(upload(blob, { ...file, description: "x".repeat(32 * 1024 + 1) }), up, "SIZE_OVERFLOW");
  await world.refused(upload(blob, { messageType: "IMAGE" }), up, "INVALID_ARGUMENT");
  await world.refused(ann.client.downloadMedia("0".repeat(32)), down, "NOT_EXIST");
  await world.refused(ann.client.downloadMedia("no id"), down, "INVALID_ARGUMENT");
}
