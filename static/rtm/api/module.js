/** The two objects that programs know as `AgoraRTM` and `ArRTM` (docs/contract.md 1 and 13). */

/// <reference path="./build.d.ts" />

import { Room } from "../session/room.js";
import { SDK_VERSION, Session } from "../session/session.js";
import { areaConfig, baseOf } from "./areas.js";
import { RtmChannel } from "./channel.js";
import { isRecord } from "./checks.js";
import { RtmClient } from "./client.js";
import { ENUMS, LegacyAreaCode, NEW_AREA_CODES } from "./enums.js";
import { apiError } from "./errors.js";
import { AGORA, ANYRTC, errorEnums } from "./flavours.js";
import { LocalInvitation, RemoteInvitation } from "./invitations.js";

/** @typedef {import("./flavours.js").Flavour} Flavour */
/** @typedef {import("./client.js").ClientConfig} ClientConfig */

/** Which sources a bundle was made of. */
const BUILD = typeof ROSTRUM_BUILD === "string" ? ROSTRUM_BUILD : SDK_VERSION;

/**
 * @param {Flavour} flavour
 * @param {string | null} origin the script's
 */
function createRtm(flavour, origin) {
  const group = "CREATE_INSTANCE_ERR";
  /** @type {import("./areas.js").AreaConfig} */
  let areas = { areaCodes: ["GLOBAL"] };
  /** @type {string | undefined} */
  let chosen;
  /** @type {Map<string, unknown>} */
  const parameters = new Map();
  /** @param {string} detail */
  const invalid = (detail) => apiError(flavour.errors, group, "INVALID_ARGUMENT", detail);
  /** @param {any} config @param {typeof LegacyAreaCode} codes */
  const checkedAreas = (config, codes) => {
    const checked = areaConfig(config, codes);
    if (!checked) throw invalid("not valid areas");
    return checked;
  };
  const serverOf = (/** @type {string} */ own = chosen ?? origin ?? globalThis.location?.origin) => baseOf(own);

  class Client extends RtmClient {
    /**
     * @param {string} appId
     * @param {ClientConfig} [config]
     * @param {string[]} [areaCodes]
     */
    constructor(appId, config = {}, areaCodes) {
      if (!/^[^\W_]{32}$/.test(appId)) throw invalid("not a valid App ID");
      if (!isRecord(config)) throw invalid("not a valid config");
      const own = areaCodes === undefined ? areas : checkedAreas({ areaCodes }, LegacyAreaCode);
      super({ flavour, areas: own, serverOf }, appId, config);
    }
  }

  return {
    /** @param {string} appId @param {ClientConfig} [config] @param {string[]} [areaCodes] @returns {RtmClient} */
    createInstance: (appId, config, areaCodes) => new Client(appId, config, areaCodes),
    /** @param {{areaCodes: string[], excludedArea?: string}} config for clients made from now on */
    setArea: (config) => {
      areas = checkedAreas(config, NEW_AREA_CODES);
    },
    /** @param {string} url where the server is, unless a client's config says otherwise */
    setServer: (url) => {
      chosen = url;
    },
    /** @param {string} key @param {unknown} value kept for `getParameter` */
    setParameter: (key, value) => {
      parameters.set(key, value);
    },
    /** @param {string} key @returns {any} */
    getParameter: (key) => parameters.get(key),
    VERSION: SDK_VERSION,
    BUILD,
    END_CALL_PREFIX: flavour.endCallPrefix,
    ...flavour.logFilters,
    ...ENUMS,
    RtmClient: Client,
  };
}

/**
 * Everything that the SDK gives, for the server of this origin.
 * @param {string | null} origin null where the script's is not known
 */
export function createAll(origin) {
  const { RtmClient: _, ...AgoraRTM } = createRtm(AGORA, origin);
  const { RtmClient: Client, ...ArRTM } = createRtm(ANYRTC, origin);
  return {
    AgoraRTM,
    ArRTM,
    RostrumRTM: { ...AgoraRTM, Session, Room },
    // What anyRTC gives under names of its own.
    RtmClient: Client,
    RtmChannel,
    LocalInvitation,
    RemoteInvitation,
    RtmErrorCode: errorEnums(ANYRTC.errors),
    RtmStatusCode: { ...ENUMS, LegacyAreaCode },
  };
}

/**
 * @param {string | null | undefined} url
 * @returns {string | null} null for what was not loaded from a server
 */
export const originOf = (url) => (url && /^https?:/.test(url) ? new URL(url).origin : null);
