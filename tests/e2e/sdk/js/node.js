/**
 * Plays one scenario in Node, which has no WebSocket of its own: `node node.js CASTING`, as JSON. Fails with the
 * scenario's error.
 */

import WebSocket from "ws";

import { play } from "./world.js";

const casting = JSON.parse(process.argv[2] ?? "");
const { default: agora, ArRTM } = await import(casting.entry);
const scenarios = await import(`./scenarios/${casting.file}.js`);
const socketFactory = (/** @type {string} */ url) => new WebSocket(url);
const rtm = casting.flavour === "agora" ? agora : ArRTM;
await play({ ...casting, rtm, config: { socketFactory } }, scenarios[casting.scenario]);
