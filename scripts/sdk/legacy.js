/** The classic script for old browsers: first what they have not, then what `static/rtm/globals.js` does. */

import "./polyfills.cjs";
import "./blob.js";
import { createAll, originOf } from "../../static/rtm/api/module.js";

/** Internet Explorer does not say which script is running: it is the last one so far. */
function ownScript() {
  if (typeof document === "undefined") return null;
  const { currentScript, scripts } = document;
  return /** @type {HTMLScriptElement | null} */ (currentScript === undefined ? scripts[scripts.length - 1] : currentScript);
}

Object.assign(globalThis, createAll(originOf(ownScript()?.src)));
