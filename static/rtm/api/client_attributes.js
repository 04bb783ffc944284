/** What an RtmClient does with attributes (docs/contract.md 7). */

import { RoomAttributes } from "../session/room_attributes.js";
import { INVALID, NONE_VALID, NOT_ID, areKeys, attributesFault, isName, unless } from "./checks.js";
import { ApiError } from "./errors.js";
import { ApiEmitter } from "./events.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("../session/attributes.js").Attribute} Attribute */
/** @typedef {{enableNotificationToChannelMembers?: boolean, revision?: number}} ChangeOptions */

const GROUP = "ATTRIBUTE_OPERATION_ERR";

/** @param {unknown} id */
const nameFault = (id) => unless(isName(id), NOT_ID);

/** @param {unknown} keys */
const keysFault = (keys) => unless(areKeys(keys), NONE_VALID);

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
    return this.#delete(areKeys(attributeKeys), ({ userAttributes }) => userAttributes.remove([...attributeKeys]));
  }

  /** @returns {Promise<void>} */
  clearLocalUserAttributes() {
    return this.#context.ask(GROUP, null, [], ({ userAttributes }) => userAttributes.clear());
  }

  /** @param {string} userId @returns {Promise<Record<string, string>>} */
  getUserAttributes(userId) {
    return this.#context.ask(GROUP, nameFault(userId), [], ({ userAttributes }) => userAttributes.get(userId));
  }

  /** @param {string} userId @param {string[]} attributeKeys @returns {Promise<Record<string, string>>} */
  getUserAttributesByKeys(userId, attributeKeys) {
    const late = [nameFault(userId), keysFault(attributeKeys)];
    return this.#context.ask(GROUP, null, late, ({ userAttributes }) => userAttributes.get(userId, [...attributeKeys]));
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
    return this.#delete(isName(channelId) && areKeys(attributeKeys), async (session) => {
      await new RoomAttributes(session).remove(channelId, [...attributeKeys], toChange(options));
    });
  }

  /** @param {string} channelId @param {ChangeOptions} [options] @returns {Promise<void>} */
  clearChannelAttributes(channelId, options) {
    return this.#context.ask(GROUP, null, [nameFault(channelId)], async (session) => {
      await new RoomAttributes(session).clear(channelId, toChange(options));
    });
  }

  /**
   * @param {string} channelId
   * @param {{withRevision?: boolean}} [options] with: `{attributes, revision}`, for a change of that revision only
   * @returns {Promise<any>}
   */
  getChannelAttributes(channelId, options) {
    return this.#context.ask(GROUP, nameFault(channelId), [], async (session) => {
      const { attributes, revision } = await new RoomAttributes(session).get(channelId);
      const all = channelAttributes(attributes);
      return options?.withRevision ? { attributes: all, revision } : all;
    });
  }

  /** @param {string} channelId @param {string[]} keys @returns {Promise<any>} */
  getChannelAttributesByKeys(channelId, keys) {
    return this.#context.ask(GROUP, null, [nameFault(channelId), keysFault(keys)], async (session) => {
      return channelAttributes((await new RoomAttributes(session).get(channelId, [...keys])).attributes);
    });
  }

  /**
   * @param {"set" | "update"} how
   * @param {Record<string, string>} attributes
   */
  #changeUser(how, attributes) {
    const fault = attributesFault(attributes, "user", this.#context.isLoggedIn);
    return this.#context.ask(GROUP, fault, [], ({ userAttributes }) => userAttributes[how]({ ...attributes }));
  }

  /**
   * @param {"set" | "update"} how
   * @param {string} channelId
   * @param {Record<string, string>} attributes
   * @param {ChangeOptions} [options]
   */
  #changeRoom(how, channelId, attributes, options) {
    const fault = attributesFault(attributes, "room", this.#context.isLoggedIn);
    return this.#context.ask(GROUP, fault, [nameFault(channelId)], async (session) => {
      await new RoomAttributes(session)[how](channelId, { ...attributes }, toChange(options));
    });
  }

  /**
   * @param {boolean} areValid the ids and keys; the vendor takes the others for a wrong status
   * @param {(session: import("./context.js").Session) => Promise<void>} work
   */
  #delete(areValid, work) {
    return this.#context.settle(GROUP, async () => {
      const { code, message } = this.#context.error(GROUP, INVALID, NONE_VALID);
      if (!areValid) throw new ApiError("RtmInvalidStatusError", code, message);
      await work(this.#context.loggedIn(GROUP));
    });
  }
}
