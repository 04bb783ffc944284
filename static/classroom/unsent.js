/** What this person has written and the room does not have yet, kept over reloads and closed tabs. */

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./timeline.js").ChatMessage} ChatMessage */
/** @typedef {import("../rtm/index.js").Room} Room */

export class Unsent {
  #keep;
  #key;
  #uid;
  #timeline;
  #room;
  #changed;

  /**
   * @param {{keep: import("./keep.js").Keep, uid: string, timeline: Timeline, room: Room,
   *   changed: (sent: boolean) => void}} options `changed`: a message was settled; whether it was sent
   */
  constructor({ keep, uid, timeline, room, changed }) {
    this.#keep = keep;
    this.#key = `unsent.${room.name}.${uid}`;
    this.#uid = uid;
    this.#timeline = timeline;
    this.#room = room;
    this.#changed = changed;
  }

  /** Sends what an earlier page had not, under the ids of then. @param {number} now milliseconds */
  restore(now) {
    for (const { messageId, text, ts } of this.#keep.get(this.#key) ?? []) {
      this.send(this.#timeline.write({ sender: this.#uid, messageId, text, ts: ts ?? now }));
    }
  }

  /**
   * @param {string} text
   * @param {number} now milliseconds
   */
  write(text, now) {
    const messageId = this.#room.makeMessageId();
    this.send(this.#timeline.write({ sender: this.#uid, messageId, text, ts: now }));
  }

  /** @param {ChatMessage} message new, or one that has failed */
  send(message) {
    if (message.status === "sent") return;
    message.status = "pending";
    this.#store();
    this.#room.send({ type: "TEXT", text: message.text }, { messageId: message.key }).then(
      (receipt) => {
        this.#timeline.confirm(message, receipt);
        this.#store();
        this.#changed(true);
      },
      (error) => {
        if (error.name === "discarded" || error.name === "duplicate") return;
        if (message.status === "pending") message.status = "failed";
        this.#changed(false);
      },
    );
  }

  /** @param {ChatMessage} message that is not to be sent */
  remove(message) {
    this.#room.discard(message.key);
    this.#timeline.remove(message);
    this.#store();
  }

  #store() {
    const unsent = this.#timeline.unsent.map(({ key, text, ts }) => ({ messageId: key, text, ts }));
    this.#keep.set(this.#key, unsent.length > 0 ? unsent : null);
  }
}
