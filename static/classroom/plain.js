/** The plain page: a form for name and room, then the chat. Starts itself. */

import { Chat } from "./chat.js";
import { byId } from "./dom.js";
import { JoinForm } from "./join_form.js";
import { Keep } from "./keep.js";
import { makeTag, roomIdOf, uidOf } from "./names.js";
import { tabs } from "./tabs.js";
import { Texts } from "./texts.js";
import { themeSwitch } from "./theme.js";

/** @typedef {import("./join_form.js").Person} Person */
/** @typedef {{app: string, socket: string, texts: Record<string, import("./texts.js").Text>}} Config */

/** @type {Config} */
const config = JSON.parse(byId("config").textContent ?? "");
const texts = new Texts(config.texts, document.documentElement.lang);
const browser = new Keep(() => localStorage);
const tab = new Keep(() => sessionStorage);

/** @type {Chat | null} */
let chat = null;

function tag() {
  const known = browser.get("tag");
  if (typeof known === "string") return known;
  const made = makeTag((length) => crypto.getRandomValues(new Uint8Array(length)));
  browser.set("tag", made);
  return made;
}

/** @param {"join" | "chat"} view */
function show(view) {
  document.body.dataset.view = view;
}

/**
 * @param {Person} person
 * @param {string | null} session of this tab before a reload
 */
async function enter(person, session) {
  const uid = uidOf(person.name, tag());
  const roomId = roomIdOf(person.room);
  if (uid === null || roomId === null) {
    show("join");
    return;
  }
  const url = new URL(config.socket, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  byId("room-name").textContent = person.room;
  byId("own-name").textContent = texts.say("you_are", { name: person.name });
  const stay = { url: url.href, app: config.app, uid, roomId, roomName: person.room, session };
  const current = new Chat(stay, { texts, keep: browser }, () => {
    void current.leave();
    void enter(person, null);
  });
  chat = current;
  form.setBusy(true);
  try {
    await current.enter();
  } catch (error) {
    if (chat !== current) return;
    await current.leave();
    tab.set("here", null);
    show("join");
    form.fail(FAILURES[/** @type {Error} */ (error).name] ?? "unreachable");
    form.focus();
    return;
  } finally {
    form.setBusy(false);
  }
  const query = new URLSearchParams({ room: person.room, name: person.name });
  history.replaceState(null, "", `?${query}`);
  remember(person);
  show("chat");
  if (matchMedia("(pointer: fine)").matches) current.focus();
}

/** @type {Record<string, string>} by the error's name */
const FAILURES = { invalid_app_id: "no_project", not_authorized: "not_allowed", too_often: "too_often" };

/** So that a reload of this tab comes back by itself, as the same session. @param {Person} person */
function remember(person) {
  if (chat) tab.set("here", { ...person, session: chat.sessionId });
}

async function leave() {
  tab.set("here", null);
  show("join");
  form.focus();
  const gone = chat;
  chat = null;
  await gone?.leave();
}

/** @param {HTMLElement} button says for a moment that it was done */
async function copyLink(button) {
  const { room } = tab.get("here");
  const link = `${location.origin}${location.pathname}?${new URLSearchParams({ room })}`;
  const label = byId("copy-text");
  try {
    await navigator.clipboard.writeText(link);
    label.textContent = texts.say("copied");
  } catch {
    // Without permission, or without HTTPS: the reader copies it.
    label.textContent = link;
  }
  setTimeout(() => (label.textContent = texts.say("copy_link")), 4000);
  button.focus();
}

const form = new JoinForm(
  {
    form: byId("join-form"),
    name: byId("name"),
    nameError: byId("name-error"),
    room: byId("room"),
    roomError: byId("room-error"),
    failure: byId("join-failure"),
    button: byId("join-button"),
    label: byId("join-text"),
  },
  texts,
  (person) => void enter(person, null),
);

for (const button of document.querySelectorAll("[data-theme-switch]")) themeSwitch(/** @type {HTMLElement} */ (button));
for (const next of document.querySelectorAll("input[name=next]")) {
  next.closest("form")?.addEventListener("submit", () => {
    /** @type {HTMLInputElement} */ (next).value = location.pathname + location.search;
  });
}
tabs(byId("tabs"));
addEventListener("pagehide", () => {
  const known = tab.get("here");
  if (known) remember(known);
});
byId("leave").addEventListener("click", () => void leave());
byId("copy-link").addEventListener("click", (event) => void copyLink(/** @type {HTMLElement} */ (event.currentTarget)));

/** @type {(Person & {session: string | null}) | null} */
const here = tab.get("here");
const asked = new URLSearchParams(location.search);
if (here && here.room === asked.get("room") && here.name === asked.get("name")) {
  show("chat");
  form.fill(here);
  void enter(here, here.session);
} else {
  show("join");
  form.focus();
}
