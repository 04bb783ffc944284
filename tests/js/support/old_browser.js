/**
 * Browsers of their time in a `vm` context: what they have not is taken away before the script runs. The network,
 * the timers and the worker's are a `FakeRuntime`'s.
 */

import vm from "node:vm";

/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */

/** What came with each edition of the language, as far as it can be taken away. */
const ES2015 = [
  ...["Promise", "Map", "Set", "WeakMap", "WeakSet", "Symbol", "Proxy", "Reflect"],
  ...["Object.assign", "Object.is", "Object.getOwnPropertySymbols"],
  ...["from", "of"].map((name) => `Array.${name}`),
  ...["copyWithin", "entries", "fill", "find", "findIndex", "keys", "values"].map((name) => `Array.prototype.${name}`),
  ...["codePointAt", "endsWith", "includes", "normalize", "repeat", "startsWith"].map((each) => `String.prototype.${each}`),
  ...["fromCodePoint", "raw"].map((name) => `String.${name}`),
  ...["isFinite", "isInteger", "isNaN", "isSafeInteger"].map((name) => `Number.${name}`),
  ...["clz32", "fround", "imul", "log2", "sign", "trunc"].map((name) => `Math.${name}`),
];
const TYPED_ARRAYS = [
  ...["Uint8Array", "Uint16Array", "Uint32Array", "Float64Array"].flatMap((name) => [`${name}.from`, `${name}.of`]),
  ...["from", "of"].map((name) => `TypedArray.${name}`),
  ...["entries", "every", "fill", "find", "forEach", "includes", "indexOf", "join", "keys", "map", "reduce", "slice"].map(
    (name) => `TypedArray.prototype.${name}`,
  ),
];
const ES2016 = ["Array.prototype.includes", "TypedArray.prototype.includes"];
const ES2017 = [
  ...["Object.entries", "Object.values", "Object.getOwnPropertyDescriptors"],
  ...["String.prototype.padEnd", "String.prototype.padStart", "Atomics", "SharedArrayBuffer"],
];
const AFTER = [
  ...["Promise.prototype.finally", "Promise.allSettled", "Promise.any", "Object.fromEntries", "Object.hasOwn"],
  ...["at", "flat", "flatMap", "findLast", "findLastIndex", "toReversed", "toSorted", "toSpliced", "with"].map(
    (name) => `Array.prototype.${name}`,
  ),
  ...["at", "matchAll", "replaceAll", "trimEnd", "trimStart", "isWellFormed"].map((name) => `String.prototype.${name}`),
  ...["TypedArray.prototype.at", "TypedArray.prototype.findLast", "globalThis", "BigInt"],
  ...["Blob.prototype.arrayBuffer", "AggregateError", "FinalizationRegistry", "WeakRef", "queueMicrotask", "structuredClone"],
];
const CHROME_49 = [...ES2017, ...AFTER, "AbortController"];
const CHROME_63 = [...AFTER, "AbortController"];
const SAFARI_9 = [...CHROME_49, ...ES2016, ...TYPED_ARRAYS, "Proxy", "Reflect", "fetch", "TextEncoder", "TextDecoder"];
const ANDROID_4_4 = [...SAFARI_9, ...ES2015, "URL", "URLSearchParams"];

/** @typedef {{userAgent: string, missing: string[]}} Browser */

/** What each browser says it is, and has not. @type {Record<string, Browser>} */
export const BROWSERS = {
  "Chrome 49": { userAgent: "Chrome/49.0", missing: CHROME_49 },
  "Firefox 52": { userAgent: "Firefox/52.0", missing: CHROME_63 },
  "Safari 9": { userAgent: "Version/9.0 Safari/601.1", missing: SAFARI_9 },
  "Android Browser 4.4.3": { userAgent: "Android 4.4.3 Version/4.0", missing: ANDROID_4_4 },
  "WeChat, of Chrome 53": { userAgent: "Chrome/53.0 MicroMessenger/6.0", missing: CHROME_49 },
  "QQ 10.5, of Chrome 63": { userAgent: "Chrome/63.0 QQBrowser/10.5", missing: CHROME_63 },
  "Internet Explorer 11": {
    userAgent: "Trident/7.0; rv:11.0",
    missing: [...ANDROID_4_4, "crypto", "document.currentScript"],
  },
};

export const TODAY = { userAgent: "Chrome/140.0", missing: [] };

/** Run in the context: takes things away by their paths. */
const TAKE = `(function (paths) {
  var global = this;
  var found = { TypedArray: Object.getPrototypeOf(Uint8Array) };
  paths.forEach(function (path) {
    var names = path.split(".");
    var last = names.pop();
    var holder = names.reduce(function (at, name) { return at && (found[name] || at[name]); }, global);
    if (holder && !delete holder[last]) throw new Error("cannot take away " + path);
  });
  paths.forEach(function (path) {
    var value = path.split(".").reduce(function (at, name) { return at && (found[name] || at[name]); }, global);
    if (value !== undefined) throw new Error(path + " is still there");
  });
})`;

/** @param {Record<string, any>} globals @param {Browser} browser */
function makeContext(globals, { missing }) {
  const context = vm.createContext(globals);
  vm.runInContext(`${TAKE}(${JSON.stringify(missing)})`, context);
  return context;
}

/**
 * A worker whose script is `text`: what the page has of it.
 * @param {FakeRuntime} runtime
 * @param {Browser} browser
 * @param {string} text
 */
function openWorker(runtime, browser, text) {
  const outside = {
    onmessage: (/** @type {{data: unknown}} */ _event) => {},
    onerror: (/** @type {unknown} */ _event) => {},
    postMessage: (/** @type {unknown} */ message) => inside.onmessage({ data: structuredClone(message) }),
  };
  /** @type {Record<string, any>} */
  const inside = {
    postMessage: (/** @type {unknown} */ data) => outside.onmessage({ data }),
    setTimeout: runtime.setTimeout,
    clearTimeout: runtime.clearTimeout,
  };
  inside.self = inside;
  vm.runInContext(text, makeContext(inside, browser));
  return outside;
}

/**
 * @typedef {object} Surroundings
 * @property {"runs" | "is forbidden" | "fails"} [worker] what becomes of the page's workers
 * @property {(url: string, form: {get: (name: string) => any} | null) => any} [http] what is at an address: a text, or
 *   a blob
 */

/**
 * A page of a browser, with a script run in it.
 * @param {FakeRuntime} runtime
 * @param {Browser} browser
 * @param {string} script
 * @param {Surroundings} [surroundings]
 * @returns {{run: (code: string) => any, workers: {text: string}[]}}
 */
export function openPage(runtime, browser, script, { worker = "runs", http = () => "" } = {}) {
  /** @type {{text: string}[]} */
  const workers = [];
  // Made anew for each page: what the browser has not is taken away from it.
  class PageBlob {
    bytes;

    /** @param {any[]} [parts] texts, bytes of the page's own, blobs */
    constructor(parts = []) {
      const bytesOf = (/** @type {any} */ part) => (typeof part === "string" ? Buffer.from(part) : (part.bytes ?? part));
      this.bytes = Uint8Array.from(Array.from(parts, (part) => Array.from(bytesOf(part))).flat());
    }

    get size() {
      return this.bytes.length;
    }

    async arrayBuffer() {
      return this.bytes.buffer;
    }
  }
  class PageForm {
    #values = new Map();

    /** @param {string} name @param {unknown} value */
    append(name, value) {
      this.#values.set(name, value);
    }

    /** @param {string} name */
    get(name) {
      return this.#values.get(name);
    }
  }
  const crypto = {
    getRandomValues: (/** @type {Uint8Array} */ bytes) => {
      for (let index = 0; index < bytes.length; index++) bytes[index] = 7 * index;
      return bytes;
    },
  };
  const element = { src: "https://rtm.example/static/rtm/dist/rtm-sdk.legacy.js" };
  const listens = { addEventListener() {}, removeEventListener() {} };
  const url = browser.missing.includes("URL") ? {} : class extends URL {};
  /** @type {Record<string, any>} */
  const page = {
    ...listens,
    document: { ...listens, currentScript: element, scripts: [element], visibilityState: "visible" },
    navigator: { userAgent: browser.userAgent, onLine: true },
    location: new URL("https://app.example/lesson"),
    performance: { now: runtime.monotonicNow },
    console: { log() {}, info() {}, warn() {}, error() {}, debug() {} },
    crypto,
    msCrypto: crypto,
    WebSocket: function (/** @type {string} */ address) {
      return runtime.openSocket(address);
    },
    Blob: PageBlob,
    FormData: PageForm,
    FileReader: function () {
      const reader = {
        /** @type {ArrayBuffer | null} */
        result: null,
        onload: () => {},
        readAsArrayBuffer: (/** @type {InstanceType<typeof PageBlob>} */ blob) => {
          reader.result = blob.bytes.buffer;
          runtime.setTimeout(() => reader.onload(), 0);
        },
      };
      return reader;
    },
    MessageChannel: function () {
      const port1 = { onmessage: (/** @type {unknown} */ _event) => {}, close() {} };
      const port2 = { postMessage: (/** @type {unknown} */ data) => runtime.setTimeout(() => port1.onmessage({ data }), 0) };
      return { port1, port2 };
    },
    Worker: function (/** @type {InstanceType<typeof PageBlob>} */ blob) {
      if (worker === "is forbidden") throw new Error("refused by the content security policy");
      const text = new TextDecoder().decode(blob.bytes);
      workers.push({ text });
      const opened = openWorker(runtime, browser, text);
      if (worker === "fails") {
        opened.postMessage = () => {};
        runtime.setTimeout(() => opened.onerror({}), 0);
      }
      return opened;
    },
    URL: Object.assign(url, { createObjectURL: (/** @type {unknown} */ blob) => blob }),
    setTimeout: runtime.setTimeout,
    clearTimeout: runtime.clearTimeout,
    atob,
    btoa,
    fetch: async (/** @type {string} */ address) => ({ ok: true, json: async () => JSON.parse(http(address, null)) }),
    XMLHttpRequest: function () {
      let address = "";
      const xhr = {
        status: 200,
        responseText: "",
        response: null,
        upload: {},
        onload: () => {},
        onloadend: () => {},
        setRequestHeader() {},
        open: (/** @type {string} */ _method, /** @type {string} */ url) => (address = url),
        send: (/** @type {any} */ form) => {
          xhr.response = http(address, form);
          xhr.responseText = String(xhr.response);
          runtime.setTimeout(() => {
            xhr.onload();
            xhr.onloadend();
          }, 0);
        },
      };
      return xhr;
    },
    AbortController,
    TextEncoder,
    TextDecoder,
    URLSearchParams,
    queueMicrotask,
  };
  page.window = page.self = page;
  const missing = browser.missing.filter((path) => path !== "URL");
  const context = makeContext(page, { ...browser, missing });
  const run = (/** @type {string} */ code) => vm.runInContext(code, context);
  run(script);
  return { run, workers };
}
