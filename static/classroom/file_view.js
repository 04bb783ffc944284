/** A message's file in the chat: its name and size, an image's thumbnail, and the way to it. */

import { icon, make, withLinks } from "./dom.js";

/** @typedef {import("./timeline.js").FileShown} FileShown */
/**
 * An address that lives for some minutes; rejects with an `RtmError`, "media_not_found" where the file is gone.
 * @typedef {(media: string, isThumbnail: boolean) => Promise<string>} AddressOf
 */

/** Letters of an ending that fit on the sign. */
const ENDING = /\.([a-z0-9]{1,4})$/i;

/**
 * @param {FileShown} file
 * @param {string} text what its sender says of it
 * @param {import("./texts.js").Texts} texts
 * @param {AddressOf} addressOf
 * @returns {HTMLElement} a bubble
 */
export function fileBubble(file, text, texts, addressOf) {
  const meta = make("span", { class: "meta" }, texts.bytes(file.size));
  const fetching = (/** @type {HTMLButtonElement} */ button) => {
    button.addEventListener("click", () => void fetchFile(file, button, meta, texts, addressOf));
    return button;
  };
  const about = text === "" ? [] : [make("span", { class: "about", dir: "auto" }, ...withLinks(text))];
  const name = make("span", { class: "name cut", dir: "auto", title: file.name }, file.name);
  if (file.isImage) {
    const label = texts.say("open_image", { name: file.name });
    const thumb = fetching(make("button", { class: "thumb", type: "button", "aria-label": label }, icon("image")));
    void showThumbnail(file, thumb, addressOf);
    return make("div", { class: "bub img-msg" }, thumb, make("span", { class: "cap" }, name, meta, ...about));
  }
  const label = texts.say("download_file", { name: file.name });
  const ending = ENDING.exec(file.name)?.[1].toUpperCase() ?? icon("clip", "i-s");
  const sign = make("span", { class: "file-ic", "aria-hidden": "true" }, ending);
  const download = make("button", { class: "icon-btn", type: "button", "aria-label": label }, icon("download"));
  return make("div", { class: "bub file-msg" }, sign, make("span", { class: "grow" }, name, meta, ...about), fetching(download));
}

/**
 * @param {FileShown} file
 * @param {HTMLElement} thumb
 * @param {AddressOf} addressOf
 */
async function showThumbnail({ media, name }, thumb, addressOf) {
  try {
    const image = make("img", { src: await addressOf(media, true), alt: name, decoding: "async" });
    await image.decode();
    thumb.replaceChildren(image);
  } catch {
    // The sign of an image stays; what is wrong is said to who wants to see it.
  }
}

/**
 * An image opens beside the chat, anything else is saved.
 * @param {FileShown} file
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} meta
 * @param {import("./texts.js").Texts} texts
 * @param {AddressOf} addressOf
 */
async function fetchFile({ media, name, size, isImage }, button, meta, texts, addressOf) {
  button.disabled = true;
  try {
    const href = await addressOf(media, false);
    make("a", isImage ? { href, target: "_blank", rel: "noopener noreferrer" } : { href, download: name }).click();
    meta.textContent = texts.bytes(size);
    meta.removeAttribute("role");
  } catch (error) {
    const isGone = /** @type {Error} */ (error).name === "media_not_found";
    meta.setAttribute("role", "alert");
    meta.textContent = texts.say(isGone ? "file_gone" : "file_unreachable");
  } finally {
    button.disabled = false;
  }
}
