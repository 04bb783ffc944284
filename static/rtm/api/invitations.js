/** LocalInvitation and RemoteInvitation (docs/contract.md 8), and the table that turns the server's steps into both. */

import { utf8Length } from "../connection/protocol.js";
import { INVALID, INVITATION_BYTES } from "./checks.js";
import { ApiEmitter } from "./events.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("../session/invitations.js").InvitationView} InvitationView */

/**
 * @typedef {{
 *   LocalInvitationReceivedByPeer: [], LocalInvitationAccepted: [response: string],
 *   LocalInvitationRefused: [response: string], LocalInvitationCanceled: [], LocalInvitationFailure: [reason: string],
 *   RemoteInvitationAccepted: [], RemoteInvitationRefused: [], RemoteInvitationCanceled: [content: string],
 *   RemoteInvitationFailure: [reason: string],
 * }} InvitationEvents
 */

/**
 * What a step is to a side: its state, its event, and what the event tells.
 * @typedef {[state: string, event: keyof InvitationEvents | "", told?: (view: InvitationView) => string]} Step
 */

/** @param {InvitationView} view */
const response = (view) => view.response;
/** @param {InvitationView} view */
const reason = (view) => view.reason || "UNKNOWN";

/** @type {Record<InvitationView["state"], Step | null>} */
const LOCAL_STEPS = {
  SENT: ["SENT_TO_REMOTE", ""],
  RECEIVED: ["RECEIVED_BY_REMOTE", "LocalInvitationReceivedByPeer"],
  ACCEPTED: ["ACCEPTED_BY_REMOTE", "LocalInvitationAccepted", response],
  REFUSED: ["REFUSED_BY_REMOTE", "LocalInvitationRefused", response],
  CANCELED: ["CANCELED", "LocalInvitationCanceled"],
  FAILED: ["FAILURE", "LocalInvitationFailure", reason],
};

/** @type {Record<InvitationView["state"], Step | null>} */
const REMOTE_STEPS = {
  SENT: null,
  RECEIVED: null,
  ACCEPTED: ["ACCEPTED", "RemoteInvitationAccepted"],
  REFUSED: ["REFUSED", "RemoteInvitationRefused"],
  CANCELED: ["CANCELED", "RemoteInvitationCanceled", ({ content }) => content],
  FAILED: ["FAILURE", "RemoteInvitationFailure", reason],
};

/** What the states begin with that are an end. */
const ENDED = /^(ACCEPTED|REFUSED|CANCELED|FAILURE)/;
const GROUP = "INVITATION_API_CALL_ERR";

/** Of an invitation that the server has not told of. */
const NO_VIEW = /** @type {InvitationView} */ ({ content: "", response: "" });

/** @param {InvitationView} view of a remote one: ids are their callers' own */
const keyOf = ({ caller, invitation }) => `${caller} ${invitation}`;

/** @typedef {Progress} InvitationProgress */

/** How far an invitation has come: what its object and the session's events both move on. */
class Progress {
  #context;
  #steps;
  #tell;
  /** Under which the context finds it. */
  key = "";

  /**
   * @param {Context} context
   * @param {string} state
   * @param {typeof REMOTE_STEPS} steps
   * @param {(event: any, ...told: string[]) => void} tell
   */
  constructor(context, state, steps, tell) {
    this.#context = context;
    this.#steps = steps;
    this.#tell = tell;
    this.state = state;
    /** What is known of it. */
    this.view = NO_VIEW;
  }

  get isOpen() {
    return !ENDED.test(this.state);
  }

  /** @param {string} key */
  register(key) {
    this.key = key;
    this.#context.invitations.set(key, this);
  }

  /**
   * @param {string} name
   * @param {string} detail
   */
  error(name, detail) {
    return this.#context.error(GROUP, name, detail);
  }

  checkOpen() {
    if (!this.isOpen) throw this.error("ALREADY_END", "ended");
  }

  /** @param {unknown[]} texts */
  checkTexts(...texts) {
    if (texts.every((text) => typeof text === "string" && utf8Length(text) <= INVITATION_BYTES)) return;
    throw this.error(INVALID, "not a valid text");
  }

  /** @param {InvitationView} view */
  changed(view) {
    const step = this.#steps[view.state];
    if (!this.isOpen || !step || step[0] === this.state) return;
    const [state, event, told] = step;
    this.state = state;
    this.view = view;
    if (!this.isOpen) this.#context.invitations.delete(this.key);
    if (event) this.#tell(event, ...(told ? [told(view)] : []));
  }

  /** @param {string} reason why it fails here, whatever the server thinks */
  fail(reason) {
    this.changed({ ...this.view, state: "FAILED", reason });
  }

  /** This side has logged out: the reasons are the server's for that. */
  lose() {
    this.fail(this.#steps === LOCAL_STEPS ? "NOT_LOGGEDIN" : "PEER_OFFLINE");
  }
}

/** @extends {ApiEmitter<InvitationEvents>} */
export class LocalInvitation extends ApiEmitter {
  #context;
  #progress;
  content = "";
  channelId = "";

  /**
   * @param {Context} context
   * @param {string} calleeId
   */
  constructor(context, calleeId) {
    super();
    this.#context = context;
    this.#progress = new Progress(context, "IDLE", LOCAL_STEPS, (...event) => this.emit(...event));
    this.calleeId = calleeId;
  }

  get state() {
    return this.#progress.state;
  }

  /** The callee's. */
  get response() {
    return this.#progress.view.response;
  }

  set response(_) {
    throw this.#progress.error(INVALID, "not the caller's");
  }

  send() {
    const progress = this.#progress;
    const { session, isLoggedIn } = this.#context;
    progress.checkOpen();
    if (progress.state !== "IDLE") throw progress.error("ALREADY_SENT", "sent");
    progress.checkTexts(this.content, this.channelId);
    progress.state = "SENT_TO_REMOTE";
    if (!session || !isLoggedIn) {
      queueMicrotask(() => progress.fail("NOT_LOGGEDIN"));
      return;
    }
    const { content, channelId: channel } = this;
    const { id, done } = session.invitations.send({ peer: this.calleeId, content, channel });
    progress.register(id);
    done.catch(() => progress.fail("UNKNOWN"));
  }

  cancel() {
    const progress = this.#progress;
    progress.checkOpen();
    if (progress.state === "IDLE") throw progress.error("NOT_STARTED", "not sent");
    progress.checkTexts(this.content);
    const canceling = progress.key && this.#context.session?.invitations.cancel(progress.key, this.content);
    if (canceling) canceling.catch(() => {});
    else progress.changed({ ...progress.view, state: "CANCELED" });
  }
}

/** @extends {ApiEmitter<InvitationEvents>} */
export class RemoteInvitation extends ApiEmitter {
  #context;
  #progress;
  response = "";

  /**
   * @param {Context} context
   * @param {InvitationView} view
   */
  constructor(context, view) {
    super();
    this.#context = context;
    this.#progress = new Progress(context, "INVITATION_RECEIVED", REMOTE_STEPS, (...event) => this.emit(...event));
    this.#progress.view = view;
    this.#progress.register(keyOf(view));
    this.callerId = view.caller;
    this.channelId = view.channel;
  }

  get state() {
    return this.#progress.state;
  }

  get content() {
    return this.#progress.view.content;
  }

  accept() {
    this.#answer("accept", "ACCEPT_FAILURE");
    this.#progress.state = "ACCEPT_SENT_TO_LOCAL";
  }

  refuse() {
    this.#answer("refuse", "UNKNOWN");
  }

  /**
   * @param {"accept" | "refuse"} how
   * @param {string} failure
   */
  #answer(how, failure) {
    const progress = this.#progress;
    progress.checkOpen();
    if (progress.state !== "INVITATION_RECEIVED") throw progress.error("ALREADY_ACCEPT", "accepted");
    progress.checkTexts(this.response);
    const { caller, invitation } = progress.view;
    this.#context.session?.invitations[how](caller, invitation, this.response).catch((error) => {
      // How it has ended otherwise is told by its next step.
      if (error.name !== "invitation_ended") progress.fail(failure);
    });
  }
}

/**
 * A step of an invitation of one of the two kinds.
 * @param {Context} context
 * @param {string} uid
 * @param {InvitationView} view
 * @returns {RemoteInvitation | null} one that is new
 */
export function invitationChanged(context, uid, view) {
  const isRemote = view.caller !== uid;
  const known = context.invitations.get(isRemote ? keyOf(view) : view.invitation);
  known?.changed(view);
  if (known || !isRemote || !["SENT", "RECEIVED"].includes(view.state)) return null;
  return new RemoteInvitation(context, view);
}
