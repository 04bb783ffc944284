/**
 * A server made of one socket in the page, that lets its one client into a room and then floods it with messages, in
 * frames as the gateway makes them: batches of what one group commit brought.
 */

const APP = "0".repeat(32);
const ROOM = "flood";
const SETTLE_MS = 30_000;

/** What the login, the join and the rest are answered with. @type {Record<string, () => object>} */
const ANSWERS = {
  "session.login": () => ({
    session: "5d0c3a9e41f7b28c6e9ad013",
    generation: 1,
    resumed: false,
    server_ts: Date.now(),
    heartbeat_ms: 3000,
    ack_bytes: 262_144,
    inbox: { stream: "inbox:ann", epoch: "", head: 0, live: true, entries: [] },
    streams: {},
  }),
  "room.join": () => ({
    room: ROOM,
    stream: `room:${ROOM}`,
    epoch: "",
    head: 0,
    member_count: 2,
    attributes: {},
    revision: 0,
    live: true,
  }),
  "room.members": () => ({ members: ["ann", "bob"], total: 2 }),
  "stream.read": () => ({ recovered: true, epoch: "8b1f0c62d94ea735", head: 0, live: true, entries: [] }),
};

class FloodSocket {
  /** @type {((event: any) => void) | null} */
  onopen = null;
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {((event: any) => void) | null} */
  onclose = null;
  /** @type {((event: any) => void) | null} */
  onerror = null;
  readyState = 1;
  acknowledgements = 0;

  constructor() {
    setTimeout(() => this.onopen?.({}));
  }

  /** @param {string} frame */
  send(frame) {
    for (const request of [JSON.parse(frame)].flat()) {
      if (request.method === "session.ack") this.acknowledgements += 1;
      if (request.id === undefined) continue;
      const result = (ANSWERS[request.method] ?? (() => ({})))();
      const answer = JSON.stringify({ jsonrpc: "2.0", id: request.id, result });
      setTimeout(() => this.onmessage?.({ data: answer }));
    }
  }

  close() {
    this.onclose?.({ code: 1000 });
  }
}

/**
 * @param {number} first seq of the first
 * @param {number} count
 */
function makeFrame(first, count) {
  const pushes = Array.from({ length: count }, (_, place) => ({
    jsonrpc: "2.0",
    method: "room.sent",
    params: {
      stream: `room:${ROOM}`,
      seq: first + place,
      sender: "bob",
      message_id: `019bc0e2-2de8-7b70-94a2-${(first + place).toString(16).padStart(12, "0")}`,
      ts: 1768467607000 + first + place,
      body: { type: "TEXT", text: `message ${first + place} of a lesson with a lot to say 早上好` },
    },
  }));
  return JSON.stringify(pushes);
}

/**
 * @typedef {object} Figures
 * @property {number} received messages that came to the application
 * @property {boolean} inOrder
 * @property {number} behindMs from the last frame to the last message's listener
 * @property {number[]} longTasksMs tasks over 50 ms, as the browser reports them
 * @property {number} acknowledgements
 */

/**
 * @param {any} rtm the module's AgoraRTM
 * @param {{perSecond: number, frames: number, seconds: number}} flood `frames` each second
 * @returns {Promise<Figures>}
 */
export async function flood(rtm, { perSecond, frames, seconds }) {
  const socket = new FloodSocket();
  const client = rtm.createInstance(APP, {
    server: "http://flood.invalid",
    enableLogUpload: false,
    socketFactory: () => socket,
  });
  await client.login({ uid: "ann", token: null });
  const channel = client.createChannel(ROOM);
  await channel.join();

  const perFrame = perSecond / frames;
  const texts = Array.from({ length: frames * seconds }, (_, place) => makeFrame(place * perFrame + 1, perFrame));
  const total = texts.length * perFrame;
  let received = 0;
  let inOrder = true;
  const done = new Promise((resolve) => {
    channel.on("ChannelMessage", (/** @type {any} */ message) => {
      received += 1;
      if (!message.text.startsWith(`message ${received} `)) inOrder = false;
      if (received === total) resolve(undefined);
    });
  });
  // The making of the frames is a long task itself, and over by then.
  await new Promise((resolve) => setTimeout(resolve, 100));
  /** @type {number[]} */
  const longTasksMs = [];
  const observer = new PerformanceObserver((list) => {
    longTasksMs.push(...list.getEntries().map((entry) => Math.round(entry.duration)));
  });
  observer.observe({ type: "longtask" });

  const lastAt = await feed(socket, texts, 1000 / frames);
  await Promise.race([done, new Promise((resolve) => setTimeout(resolve, SETTLE_MS))]);
  const behindMs = Math.round(performance.now() - lastAt);
  // A task that was long is told of after it.
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  const { acknowledgements } = socket;
  await client.logout();
  return { received, inOrder, behindMs, longTasksMs, acknowledgements };
}

/**
 * One frame a beat, each in a task of its own, as the browser delivers them. A timer that comes late is followed by
 * those it delayed.
 * @param {FloodSocket} socket
 * @param {string[]} frames
 * @param {number} beatMs
 * @returns {Promise<number>} when the last was handed over
 */
function feed(socket, frames, beatMs) {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let place = 0;
    const next = () => {
      socket.onmessage?.({ data: frames[place] });
      place += 1;
      if (place === frames.length) resolve(performance.now());
      else setTimeout(next, Math.max(0, startedAt + place * beatMs - performance.now()));
    };
    next();
  });
}
