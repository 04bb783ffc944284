/**
 * What a scenario has: people with clients, whose every event is written down in order. Runs wherever the SDK runs,
 * so nothing of a page is used here.
 */

/** @typedef {{source: string, name: string, args: any[]}} Told an event, of the client or of what `source` names */
/**
 * @typedef {object} Surroundings
 * @property {any} rtm the module's AgoraRTM or ArRTM
 * @property {"agora" | "anyrtc"} flavour
 * @property {string} server
 * @property {string} app App ID
 * @property {Record<string, Record<string, number>>} codes by group and name, as the contract's table has them
 * @property {(question: string, ...details: string[]) => Promise<string>} [ask] what only the server's staff can do
 * @property {object} [config] for every client
 */

const CLIENT_EVENTS = [
  "ConnectionStateChanged",
  "MessageFromPeer",
  "RemoteInvitationReceived",
  "PeersOnlineStatusChanged",
  "TokenPrivilegeWillExpire",
  "TokenExpired",
];
const CHANNEL_EVENTS = ["ChannelMessage", "MemberJoined", "MemberLeft", "MemberCountUpdated", "AttributesUpdated"];
const LOCAL_INVITATION_EVENTS = ["ReceivedByPeer", "Accepted", "Refused", "Canceled", "Failure"].map(
  (name) => `LocalInvitation${name}`,
);
const REMOTE_INVITATION_EVENTS = ["Accepted", "Refused", "Canceled", "Failure"].map(
  (name) => `RemoteInvitation${name}`,
);

let made = 0;

/** A name that nothing else has, in this page or another. @param {string} stem */
export function unique(stem) {
  made += 1;
  return `${stem}-${Math.random().toString(36).slice(2, 10)}-${made}`;
}

/** @param {unknown} value */
function shown(value) {
  return JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? [...part] : part));
}

/** @param {unknown} actual @param {unknown} expected @param {string} [what] */
export function same(actual, expected, what = "") {
  if (shown(actual) !== shown(expected)) throw new Error(`${what}: ${shown(actual)}, not ${shown(expected)}`);
}

/** For what has to last that long: the length is what is tried. @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class Person {
  /** Longer than what a scenario waits for by the contract. */
  patienceMs = 20_000;
  /** @type {Told[]} in the order they came */
  told = [];
  /** @type {Set<() => void>} */
  #waiting = new Set();
  /** @type {Map<string, number>} how many events of a kind a scenario has taken */
  #taken = new Map();
  /** @type {Map<string, any>} */
  channels = new Map();

  /** @param {any} client @param {string} uid */
  constructor(client, uid) {
    this.client = client;
    this.uid = uid;
    this.watch(client, "client", CLIENT_EVENTS);
  }

  /** @param {any} emitter @param {string} source @param {string[]} names */
  watch(emitter, source, names) {
    for (const name of names) {
      emitter.on(name, (/** @type {any[]} */ ...args) => {
        this.note({ source, name, args });
        for (const look of [...this.#waiting]) look();
      });
    }
    return emitter;
  }

  /** @param {Told} told */
  note(told) {
    this.told.push(told);
  }

  /** A channel that is watched, and not joined yet. @param {string} id */
  channel(id) {
    const channel = this.watch(this.client.createChannel(id), id, CHANNEL_EVENTS);
    this.channels.set(id, channel);
    return channel;
  }

  /** @param {string} id */
  async join(id) {
    const channel = this.channel(id);
    await channel.join();
    return channel;
  }

  /** An invitation that is watched, and not sent yet. @param {string} calleeId */
  invitation(calleeId) {
    return this.watch(this.client.createLocalInvitation(calleeId), "local", LOCAL_INVITATION_EVENTS);
  }

  /** The next one that comes in, watched. */
  async called() {
    const [invitation] = await this.next("RemoteInvitationReceived");
    return this.watch(invitation, "remote", REMOTE_INVITATION_EVENTS);
  }

  /** @param {string} name @returns {any[][]} the arguments of every event of that name */
  all(name) {
    return this.told.filter((one) => one.name === name).map((one) => one.args);
  }

  /**
   * Resolves with what `look` gives as soon as that is something; looks after each event.
   * @template T
   * @param {() => T} look
   * @param {string} what
   * @returns {Promise<NonNullable<T>>}
   */
  until(look, what) {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const found = look();
        if (found === undefined || found === null || found === false) return;
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(settle);
        const seen = this.told.slice(-30).map((one) => `${one.source} ${one.name} ${shown(one.args)}`);
        reject(new Error(`${this.uid} waited in vain for ${what}; saw\n${seen.join("\n")}`));
      }, this.patienceMs);
      this.#waiting.add(settle);
      settle();
    });
  }

  /**
   * The arguments of the oldest event of that name that was not taken yet.
   * @param {string} name
   * @returns {Promise<any[]>}
   */
  async next(name) {
    const args = await this.until(() => this.all(name)[this.#taken.get(name) ?? 0], name);
    this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
    return args;
  }

  /** Until the client has told of this state. @param {string} state @param {string} reason */
  async reached(state, reason) {
    let told = await this.next("ConnectionStateChanged");
    while (told[0] !== state || told[1] !== reason) told = await this.next("ConnectionStateChanged");
  }

  /** All states so far, as "STATE/REASON". */
  get states() {
    return this.all("ConnectionStateChanged").map((args) => args.join("/"));
  }

  /** Until a message of `from` has come: what was under way before it has come by then. @param {Person} from */
  async fence(from, text = unique("fence")) {
    await from.client.sendMessageToPeer({ text }, this.uid);
    await this.until(() => this.all("MessageFromPeer").some(([message]) => message.text === text), text);
  }
}

export class World {
  /** @type {Person[]} */
  #people = [];
  #codes;
  #config;

  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    this.rtm = surroundings.rtm;
    this.isAgora = surroundings.flavour === "agora";
    this.app = surroundings.app;
    this.server = surroundings.server;
    this.ask = surroundings.ask ?? (() => Promise.reject(new Error("nobody to ask")));
    this.#codes = surroundings.codes;
    this.#config = surroundings.config ?? {};
  }

  /** Somebody who is not logged in. @param {string} [uid] @param {string} [app] */
  stranger(uid = unique("someone"), app = this.app) {
    const client = this.rtm.createInstance(app, { server: this.server, enableLogUpload: false, ...this.#config });
    const person = new Person(client, uid);
    this.#people.push(person);
    return person;
  }

  /** Somebody who is logged in. @param {string} [uid] */
  async person(uid) {
    const person = this.stranger(uid);
    await person.client.login({ uid: person.uid, token: null });
    return person;
  }

  /** Several who are logged in. @param {number} count */
  people(count) {
    return Promise.all(Array.from({ length: count }, () => this.person()));
  }

  /** Two members of a room of their own, who know of each other. */
  async pair() {
    const room = unique("room");
    const [ann, bob] = await this.people(2);
    const annsChannel = await ann.join(room);
    const bobsChannel = await bob.join(room);
    await ann.until(() => ann.all("MemberJoined").some(([uid]) => uid === bob.uid), "the other's joining");
    return { room, ann, bob, annsChannel, bobsChannel };
  }

  /**
   * That it is refused with the contract's number; a method with a promise must reject, not throw.
   * @param {Promise<unknown>} promise @param {string} group @param {string} name
   */
  async refused(promise, group, name) {
    /** @type {any} */
    const error = await promise.then(
      (value) => new Error(`it was not refused: ${shown(value)}`),
      (reason) => reason,
    );
    this.isRefusal(error, group, name);
  }

  /** That calling it throws. @param {() => unknown} call @param {string} group @param {string} name */
  throws(call, group, name) {
    /** @type {any} */
    let error = new Error("it did not throw");
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    this.isRefusal(error, group, name);
  }

  /** @param {any} error @param {string} group @param {string} name */
  isRefusal(error, group, name) {
    const code = this.#codes[group]?.[name];
    if (code === undefined) throw new Error(`no such refusal: ${group}_${name}`);
    if (!(error instanceof Error) || /** @type {any} */ (error).code !== code || !error.message) {
      throw new Error(`${group}_${name} (${code}) was due, not ${error?.name} ${error?.code}: ${error?.message}`);
    }
  }

  /** Everybody leaves. */
  async close() {
    await Promise.allSettled(this.#people.map((person) => person.client.logout()));
  }
}

/**
 * Plays one scenario in a world of its own.
 * @param {Surroundings} surroundings
 * @param {(world: World) => Promise<void>} scenario
 */
export async function play(surroundings, scenario) {
  const world = new World(surroundings);
  try {
    await scenario(world);
  } finally {
    await world.close();
  }
}
