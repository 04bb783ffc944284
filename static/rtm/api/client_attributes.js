/** What an RtmClient does with attributes (docs/contract.md 7). */

import { RoomAttributes } from "../session/room_attributes.js";
import { INVALID, areKeys, attributesFault, isName } from "./checks.js";
import { ApiError } from "./errors.js";
import { ApiEmitter } from "./events.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("../session/attributes.js").Attribute} Attribute */
/** @typedef {{enableNotificationToChannelMembers?: boolean, revision?: number}} ChangeOptions */

const GROUP = "ATTRIBUTE_OPERATION_ERR";

/** @param {Record<string, Attribute>} attributes */
export const channelAttributes = (attributes) =>
  Object.fromEntries(
    Object.entries(attributes).map(([key, { value, updated_by, updated_at }]) => [
      key,
      { value, lastUpdateUserId: updated_by, lastUpdateTs: updated_at },
    ]),
  );

/** @param {ChangeOptions} [options] */
const toChange = ({ enableNotificationToChannelMembers, revision } = {}) => ({
  notify: enableNotificationToChannelMembers === true,
  revision,
});

/**
 * @template {{[name: string]: any[]}} Events
 * @extends {ApiEmitter<Events>}
 */
export class AttributesClient extends ApiEmitter {
  #context;

  /** @param {Context} context */
  constructor(context) {
    super();
    this.#context = context;
  }

  /** @param {Record<string, string>} attributes @returns {Promise<void>} */
  setLocalUserAttributes(attributes) {
    return this.#changeUser("set", attributes);
  }

  /** @param {Record<string, string>} attributes @returns {Promise<void>} */
  addOrUpdateLocalUserAttributes(attributes) {
    return this.#changeUser("update", attributes);
  }

  /** @param {string[]} attributeKeys @returns {Promise<void>} */
  deleteLocalUserAttributesByKeys(attributeKeys) {
    return this.#settle(() => {
      this.#checkDeleted(areKeys(attributeKeys));
      return this.#loggedIn().userAttributes.remove(attributeKeys);
    });
  }

  /** @returns {Promise<void>} */
  clearLocalUserAttributes() {
    return this.#settle(() => this.#loggedIn().userAttributes.clear());
  }

  /** @param {string} userId @returns {Promise<Record<string, string>>} */
  getUserAttributes(userId) {
    return this.#settle(() => {
      this.#checkName(userId);
      return this.#loggedIn().userAttributes.get(userId);
    });
  }

  /** @param {string} userId @param {string[]} attributeKeys @returns {Promise<Record<string, string>>} */
  getUserAttributesByKeys(userId, attributeKeys) {
    return this.#settle(() => {
      const session = this.#loggedIn();
      this.#checkName(userId);
      this.#checkKeys(attributeKeys);
      return session.userAttributes.get(userId, attributeKeys);
    });
  }

  /**
   * @param {string} channelId
   * @param {Record<string, string>} attributes
   * @param {ChangeOptions} [options]
   * @returns {Promise<void>}
   */
  setChannelAttributes(channelId, attributes, options) {
    return this.#changeRoom("set", channelId, attributes, options);
  }

  /**
   * @param {string} channelId
   * @param {Record<string, string>} attributes
   * @param {ChangeOptions} [options]
   * @returns {Promise<void>}
   */
  addOrUpdateChannelAttributes(channelId, attributes, options) {
    return this.#changeRoom("update", channelId, attributes, options);
  }

  /**
   * @param {string} channelId
   * @param {string[]} attributeKeys
   * @param {ChangeOptions} [options]
   * @returns {Promise<void>}
   */
  deleteChannelAttributesByKeys(channelId, attributeKeys, options) {
    return this.#settle(async () => {
      this.#checkDeleted(isName(channelId) && areKeys(attributeKeys));
      await this.#rooms().remove(channelId, attributeKeys, toChange(options));
    });
  }

  /** @param {string} channelId @param {ChangeOptions} [options] @returns {Promise<void>} */
  clearChannelAttributes(channelId, options) {
    return this.#settle(async () => {
      const rooms = this.#rooms();
      this.#checkName(channelId);
      await rooms.clear(channelId, toChange(options));
    });
  }

  /**
   * @param {string} channelId
   * @param {{withRevision?: boolean}} [options] with: `{attributes, revision}`, for a change of that revision only
   * @returns {Promise<any>}
   */
  getChannelAttributes(channelId, options) {
    return this.#settle(async () => {
      this.#checkName(channelId);
      const { attributes, revision } = await this.#rooms().get(channelId);
      const all = channelAttributes(attributes);
      return options?.withRevision ? { attributes: all, revision } : all;
    });
  }

  /** @param {string} channelId @param {string[]} keys @returns {Promise<any>} */
  getChannelAttributesByKeys(channelId, keys) {
    return this.#settle(async () => {
      const rooms = this.#rooms();
      this.#checkName(channelId);
      this.#checkKeys(keys);
      const { attributes } = await rooms.get(channelId, keys);
      return channelAttributes(attributes);
    });
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} work
   */
  #settle(work) {
    return this.#context.settle(GROUP, async () => work());
  }

  #loggedIn() {
    return this.#context.loggedIn(GROUP);
  }

  #rooms() {
    return new RoomAttributes(this.#loggedIn());
  }

  /**
   * @param {"set" | "update"} how
   * @param {Record<string, string>} attributes
   */
  #changeUser(how, attributes) {
    return this.#settle(() => {
      this.#context.check(GROUP, attributesFault(attributes, "user", this.#context.isLoggedIn));
      return this.#loggedIn().userAttributes[how]({ ...attributes });
    });
  }

  /**
   * @param {"set" | "update"} how
   * @param {string} channelId
   * @param {Record<string, string>} attributes
   * @param {ChangeOptions} [options]
   */
  #changeRoom(how, channelId, attributes, options) {
    return this.#settle(async () => {
      this.#context.check(GROUP, attributesFault(attributes, "room", this.#context.isLoggedIn));
      const rooms = this.#rooms();
      this.#checkName(channelId);
      await rooms[how](channelId, attributes, toChange(options));
    });
  }

  /** @param {string} id */
  #checkName(id) {
    this.#context.check(GROUP, isName(id) ? null : [INVALID, "not a valid id"]);
  }

  /** @param {string[]} keys */
  #checkKeys(keys) {
    this.#context.check(GROUP, areKeys(keys) ? null : [INVALID, "not valid keys"]);
  }

  /** @param {boolean} areValid the vendor takes the others for a wrong status */
  #checkDeleted(areValid) {
    if (areValid) return;
    const { code, message } = this.#context.error(GROUP, INVALID, "not valid keys");
    throw new ApiError("RtmInvalidStatusError", code, message);
  }
}
