/**
 * Clients that talk all the time while something is done to their network or their server, and write down what they
 * sent, what they were told of it, and what they got: the ledger that `ledger.py` checks.
 */

import { Person } from "./world.js";

/**
 * @typedef {{stream: string, text: string, outcome: string, received: boolean | null, isKept: boolean,
 *   settledMs: number}} Sent
 */

const EVERY_MS = 250;
/** A message that closes a conversation is sent until it is acknowledged. */
const ATTEMPTS = 10;

export class Member extends Person {
  /** @type {Sent[]} */
  sent = [];
  /** @type {{stream: string, sender: string, text: string, openedMs: number}[]} */
  got = [];
  /** When the newest socket was opened, by the machine's clock. */
  openedMs = 0;
  /** @type {{state: string, atMs: number}[]} */
  course = [];
  /** The size of the file, or why it is not there. @type {Promise<number | string> | null} */
  uploaded = null;
  #room;
  /** @type {any} */
  #channel = null;
  /** @type {Promise<unknown>[]} */
  #underWay = [];
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #number = 0;

  /** @param {any} client @param {string} uid @param {string} room */
  constructor(client, uid, room) {
    super(client, uid);
    this.#room = room;
  }

  /** Its back-off is 15 s at most, and the attempt before may take 8 s. @override */
  patienceMs = 40_000;

  async enter() {
    await this.client.login({ uid: this.uid, token: null });
    this.#channel = await this.join(this.#room);
  }

  /** @override @param {import("./world.js").Told} told */
  note(told) {
    super.note(told);
    const [first, second] = told.args;
    if (told.name === "ConnectionStateChanged") this.course.push({ state: told.args.join("/"), atMs: Date.now() });
    const stream = { ChannelMessage: `room:${this.#room}`, MessageFromPeer: `inbox:${this.uid}` }[told.name];
    if (stream) this.got.push({ stream, sender: second, text: first.text, openedMs: this.openedMs });
  }

  /** To the room and to one peer after the other, whether or not anything is answered. @param {string[]} peers */
  talk(peers) {
    this.#timer = setInterval(() => {
      this.toRoom();
      const peer = peers[this.#number % peers.length];
      if (peer) this.toPeer(peer, this.#number % 3 === 0);
    }, EVERY_MS);
  }

  /** @param {string} [text] */
  toRoom(text = this.#text("room")) {
    return this.#send(`room:${this.#room}`, text, false, () => this.#channel.sendMessage({ text }));
  }

  /** @param {string} peer @param {boolean} isKept @param {string} [text] */
  toPeer(peer, isKept, text = this.#text(peer)) {
    return this.#send(`inbox:${peer}`, text, isKept, () =>
      this.client.sendMessageToPeer({ text }, peer, { enableOfflineMessaging: isKept }),
    );
  }

  /** @param {string} to */
  #text(to) {
    this.#number += 1;
    return `${this.uid} to ${to} ${this.#number}`;
  }

  /** @param {string} stream @param {string} text @param {boolean} isKept @param {() => Promise<any>} send */
  #send(stream, text, isKept, send) {
    /** @type {Sent} */
    const sent = { stream, text, isKept, outcome: "", received: null, settledMs: 0 };
    this.sent.push(sent);
    const settled = send().then(
      (answer) => {
        sent.outcome = "ok";
        sent.received = answer?.hasPeerReceived ?? null;
        sent.settledMs = Date.now();
        return true;
      },
      (/** @type {any} */ error) => {
        sent.outcome = `${error?.code ?? error}`;
        sent.settledMs = Date.now();
        return false;
      },
    );
    this.#underWay.push(settled);
    return settled;
  }

  /** Begins to upload a file, and resolves when a part of it is on its way. @param {number} size */
  upload(size) {
    return new Promise((resolve) => {
      const onOperationProgress = (/** @type {{currentSize: number}} */ { currentSize }) => {
        if (currentSize > 0) resolve(currentSize < size);
      };
      const payload = new Blob([new Uint8Array(size)]);
      this.uploaded = this.client
        .createMediaMessageByUploading(payload, { messageType: "FILE" }, { onOperationProgress })
        .then(
          (/** @type {{size: number}} */ message) => message.size,
          (/** @type {Error} */ error) => error.message,
        );
    });
  }

  /** Until this client has heard of new messages of every one of these, since now. @param {string[]} uids */
  hears(uids) {
    const from = this.got.length;
    const heard = () => new Set(this.got.slice(from).map((one) => one.sender));
    return this.until(() => uids.every((uid) => heard().has(uid)), `news of ${uids}`).then(() => null);
  }

  /**
   * Ends the traffic: all is answered, the last words are said, and everybody's last words have come.
   * @param {string[]} peers everybody else
   */
  async finish(peers) {
    clearInterval(this.#timer);
    await this.until(() => this.isConnected, "a connection");
    await Promise.all(this.#underWay);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await this.toRoom(`${this.uid} has spoken ${attempt}`)) break;
    }
    await this.until(
      () => peers.every((peer) => this.got.some((one) => one.text.startsWith(`${peer} has spoken`))),
      `the last words of ${peers}`,
    );
    await Promise.all(this.#underWay);
  }

  get isConnected() {
    return this.course.at(-1)?.state.startsWith("CONNECTED/") ?? false;
  }

  /** For `ledger.py`. */
  record() {
    return { uid: this.uid, rooms: [this.#room], sent: this.sent, got: this.got };
  }
}

/**
 * @param {any} rtm @param {string} server @param {string} app @param {string} uid @param {string} room
 */
export function makeMember(rtm, server, app, uid, room) {
  /** @type {Member} */
  const member = new Member(rtm.createInstance(app, { server, enableLogUpload: false, socketFactory }), uid, room);
  return member;

  /** @param {string} url */
  function socketFactory(url) {
    member.openedMs = Date.now();
    return new WebSocket(url);
  }
}
