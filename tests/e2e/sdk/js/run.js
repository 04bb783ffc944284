/** Plays a scenario by name, in a page or in a worker. */

import { play } from "./world.js";

/**
 * @typedef {object} Casting
 * @property {string} entry address of the SDK's module or, ending in `rtm-sdk.js`, of its classic script
 * @property {"agora" | "anyrtc"} flavour
 * @property {string} file
 * @property {string} scenario
 * @property {string} server
 * @property {string} app
 * @property {Record<string, Record<string, number>>} codes
 */

/** @param {Casting} casting @param {import("./world.js").Surroundings["ask"]} [ask] */
export async function run(casting, ask) {
  const scenarios = await import(`./scenarios/${casting.file}.js`);
  const rtm = await load(casting.entry, casting.flavour);
  await play({ ...casting, rtm, ask }, scenarios[casting.scenario]);
}

/** @param {string} entry @param {"agora" | "anyrtc"} flavour */
async function load(entry, flavour) {
  const name = flavour === "agora" ? "AgoraRTM" : "ArRTM";
  if (!entry.endsWith("rtm-sdk.js")) {
    const module = await import(entry);
    return flavour === "agora" ? module.default : module[name];
  }
  const page = /** @type {any} */ (globalThis);
  if (!page[name]) {
    await new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: entry, onload: resolve, onerror: reject });
      document.head.append(script);
    });
  }
  return page[name];
}
