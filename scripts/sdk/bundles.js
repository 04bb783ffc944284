/** The files of `static/rtm/dist/`, made of the modules in `static/rtm/` (docs/architecture.md, "The browser SDK"). */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { transform } from "@swc/core";
import { build } from "esbuild";

import { SDK_VERSION } from "../../static/rtm/session/session.js";
import { INTERNAL } from "./names.js";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCES = path.join(ROOT, "static", "rtm");
export const DIST = path.join(SOURCES, "dist");

/** @typedef {Map<string, string>} Files texts by name */

/** What runs private members as they are, since size counts. Older browsers take the legacy bundle. */
const TARGET = ["chrome91", "firefox90", "safari15"];
const SMALL = { minify: true, target: TARGET, mangleProps: new RegExp(`^(${INTERNAL.join("|")})$`) };
const LICENCE = `rostrum-rtm ${SDK_VERSION} | Apache-2.0`;

/** For `require`: the default export is the module itself, as with the vendor's package, and has the others in it. */
const COMMONJS = /** @type {const} */ ({
  format: "cjs",
  footer: { js: "module.exports=Object.assign(module.exports.default,module.exports);" },
});

/** @type {Record<string, import("esbuild").BuildOptions>} */
const MODERN = {
  "rtm-sdk.js": { entryPoints: ["static/rtm/globals.js"], format: "iife" },
  "rtm-sdk.mjs": { entryPoints: ["static/rtm/index.js"], format: "esm" },
  "ar-rtm-sdk.mjs": { entryPoints: ["static/rtm/anyrtc.js"], format: "esm" },
  "rtm-sdk.cjs": { entryPoints: ["static/rtm/index.js"], ...COMMONJS },
  "ar-rtm-sdk.cjs": { entryPoints: ["static/rtm/anyrtc.js"], ...COMMONJS },
};
const TYPES = ["rtm-sdk.d.ts", "ar-rtm-sdk.d.ts"];
const LEGACY = "rtm-sdk.legacy.js";
const MADE_OF = [path.join("static", "rtm"), path.join("scripts", "sdk")];

/** @returns {Promise<Files>} every file of `dist/` */
export async function makeFiles() {
  const build = await buildId();
  const options = commonOptions(build);
  /** @type {Files} */
  const files = new Map();
  for (const [name, own] of Object.entries(MODERN)) {
    // What is required was loaded from no address.
    const define = { ...options.define, ...(own.format === "cjs" && { "import.meta.url": "undefined" }) };
    const bundled = await bundle(name, { ...options, ...own, ...SMALL, define });
    const made = await compile(bundled, { isModule: own.format === "esm", jsc: { target: "es2022" } }, SMALLER);
    files.set(name, `/*! ${LICENCE} */\n${made.code}\n//# sourceMappingURL=${name}.map\n`);
    files.set(`${name}.map`, shifted(made.map, 1));
  }
  const bundled = await bundle(LEGACY, {
    ...options,
    entryPoints: ["scripts/sdk/legacy.js"],
    format: "iife",
    target: "esnext",
    define: { ...options.define, "globalThis.fetch": "sdkFetch" },
    inject: ["scripts/sdk/fetch.js"],
  });
  const legacy = await compile(bundled, ES5);
  // swc puts its helpers before the bundle's own function: they are no globals of the page's.
  const code = `!function(){\n${legacy.code}\n}();`;
  files.set(LEGACY, `/*! ${LICENCE} | with core-js, MIT */\n${code}\n//# sourceMappingURL=${LEGACY}.map\n`);
  files.set(`${LEGACY}.map`, shifted(legacy.map, 2));
  for (const name of TYPES) {
    const types = await readFile(path.join(SOURCES, "types", name), "utf8");
    files.set(name, types);
    // The types of a module that is required may come from no other kind of module.
    files.set(name.replace(/ts$/, "cts"), types.replaceAll('-sdk.js"', '-sdk.cjs"'));
  }
  files.set("package.json", `${JSON.stringify(packageOf(build, [...files.keys()]), null, 2)}\n`);
  files.set("LICENSE", await readFile(path.join(ROOT, "LICENSE"), "utf8"));
  return files;
}

/** @param {string} build @returns {import("esbuild").BuildOptions} */
function commonOptions(build) {
  return {
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    sourcemap: "external",
    legalComments: "none",
    charset: "ascii",
    define: { ROSTRUM_BUILD: JSON.stringify(build) },
  };
}

/** @returns {Promise<string>} a digest of modules, types and tools: files of the same build have the same bytes */
async function buildId() {
  const listed = await Promise.all(MADE_OF.map((folder) => readdir(path.join(ROOT, folder), { recursive: true })));
  const names = listed.flatMap((inside, at) => inside.map((name) => path.join(MADE_OF[at], name)));
  const sources = names.filter((name) => /\.[jt]s$/.test(name) && !path.join(ROOT, name).startsWith(DIST));
  const hash = createHash("sha256");
  for (const name of [...sources, "package-lock.json", "LICENSE"].sort()) {
    hash.update(name.replaceAll(path.sep, "/")).update(await readFile(path.join(ROOT, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

/**
 * @param {string} name
 * @param {import("esbuild").BuildOptions} options
 */
async function bundle(name, options) {
  const { outputFiles = [] } = await build({ ...options, outfile: path.join(DIST, name) });
  const [map, code] = outputFiles.sort((one, other) => other.path.length - one.path.length);
  return { code: code.text, map: map.text };
}

/** core-js makes symbols of objects: it must not be told that `typeof` of one is "symbol". */
const ES5 = { env: { targets: { ie: "11" }, exclude: ["transform-typeof-symbol", "transform-instanceof"] } };

/** What compresses better: expressions as they stand, and the short way where nobody has changed what is built in. */
const SMALLER = {
  booleans: false,
  if_return: false,
  sequences: false,
  unsafe: true,
  unsafe_methods: true,
  unsafe_regexp: true,
};

/**
 * swc's part: esbuild knows no ES5, and what it has made small gets a thirtieth smaller.
 * @param {{code: string, map?: string}} made
 * @param {import("@swc/core").Options} options
 * @param {import("@swc/core").TerserCompressOptions} [compress]
 */
async function compile({ code, map }, { jsc, ...options }, compress) {
  const format = { asciiOnly: true, comments: /** @type {const} */ (false) };
  const made = await transform(code, {
    configFile: false,
    swcrc: false,
    isModule: false,
    sourceMaps: true,
    inputSourceMap: map,
    minify: true,
    ...options,
    jsc: { ...jsc, minify: { compress: { passes: 2, ...compress }, mangle: true, format } },
  });
  return { code: made.code, map: made.map ?? "" };
}

/** A source map below so many lines more. @param {string} map @param {number} lines */
function shifted(map, lines) {
  const { version, sources, sourcesContent, names, mappings } = JSON.parse(map);
  return `${JSON.stringify({ version, sources, sourcesContent, names, mappings: ";".repeat(lines) + mappings })}\n`;
}

/**
 * What makes a package of `dist/`.
 * @param {string} build also in the address of these files (`config/static.py`)
 * @param {string[]} files
 */
function packageOf(build, files) {
  /** @param {string} name */
  const both = (name) => ({
    import: { types: `./${name}.d.ts`, default: `./${name}.mjs` },
    require: { types: `./${name}.d.cts`, default: `./${name}.cjs` },
  });
  return {
    name: "rostrum-rtm",
    version: SDK_VERSION,
    build,
    description: "Rostrum's browser SDK, with the API of Agora RTM 1.x and anyRTC RTM",
    license: "Apache-2.0",
    type: "module",
    main: "./rtm-sdk.cjs",
    module: "./rtm-sdk.mjs",
    types: "./rtm-sdk.d.ts",
    // For TypeScript that does not look at `exports`.
    typesVersions: { "*": { anyrtc: ["./ar-rtm-sdk.d.ts"] } },
    exports: {
      ".": both("rtm-sdk"),
      "./anyrtc": both("ar-rtm-sdk"),
      "./script": { types: "./rtm-sdk.d.ts", default: "./rtm-sdk.js" },
      "./legacy": { types: "./rtm-sdk.d.ts", default: "./rtm-sdk.legacy.js" },
      "./package.json": "./package.json",
    },
    files,
    sideEffects: ["./rtm-sdk.js", "./rtm-sdk.legacy.js"],
  };
}
