/** The types: what programs compile against them, and that they declare what there is, no more and no less. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import * as anyrtc from "../../../static/rtm/anyrtc.js";
import * as agora from "../../../static/rtm/index.js";
import { ApiError } from "../../../static/rtm/api/errors.js";

/** The oldest TypeScript that is promised has what today's has not: a checker to ask from JavaScript. */
const ts = /** @type {any} */ (createRequire(import.meta.url)("typescript-3.8"));

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, "../../..");
const TYPES = path.join(ROOT, "static/rtm/types");
const APP_ID = "0123456789abcdef0123456789abcdef";

/** @param {string} compiler @param {string[]} args */
function compile(compiler, ...args) {
  const tsc = path.join(ROOT, "node_modules", compiler, "bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...args], { cwd: HERE, encoding: "utf8" });
  assert.equal(stdout, "");
  assert.equal(status, 0);
}

test("programs of both vendors compile under the oldest TypeScript that is promised", () => {
  compile("typescript-3.8", "--project", "tsconfig.json", "--moduleResolution", "node");
});

test("programs of both vendors compile under today's TypeScript", () => {
  compile("typescript", "--project", "tsconfig.json", "--moduleResolution", "bundler");
});

test("what is wrong is refused", () => {
  compile("typescript", "--project", "tsconfig.wrong.json", "--moduleResolution", "bundler");
});

const files = ["rtm-sdk.d.ts", "ar-rtm-sdk.d.ts"].map((name) => path.join(TYPES, name));
const program = ts.createProgram(files, { lib: ["lib.es2018.d.ts", "lib.dom.d.ts"], types: [], strict: true });
const checker = program.getTypeChecker();
const [agoraTypes, anyrtcTypes] = files.map((file) => {
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
  return new Map(exported.map((/** @type {any} */ symbol) => [symbol.name, resolved(symbol)]));
});

/** @param {any} symbol */
function resolved(symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The public members of an object of this class or interface. @param {any} symbol @returns {string[]} */
function membersOf(symbol) {
  const members = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
  return members.map((/** @type {any} */ { name }) => name).sort();
}

/** What stands in a namespace or an enum at run time. @param {any} symbol @returns {string[]} */
function valuesOf(symbol) {
  return checker
    .getExportsOfModule(symbol)
    .filter((/** @type {any} */ each) => resolved(each).flags & ts.SymbolFlags.Value)
    .map((/** @type {any} */ { name }) => name)
    .sort();
}

/** What a module gives at run time by its types. @param {Map<string, any>} types @returns {string[]} */
function exportsOf(types) {
  const values = [...types].filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Value && !isTypeOnly(symbol));
  return values.map(([name]) => name).sort();
}

/** Classes that are exported by `export type` alone. @param {any} symbol */
function isTypeOnly(symbol) {
  const isAgoras = symbol.declarations[0].getSourceFile().fileName === files[0].replaceAll(path.sep, "/");
  return isAgoras && symbol.flags & ts.SymbolFlags.Class;
}

/** @param {object} object @returns {string[]} its members, without those of every object and of our own base */
function ownMembers(object) {
  const names = new Set(Object.getOwnPropertyNames(object));
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  for (const name of ["constructor", "emit", "registrations", "forget"]) names.delete(name);
  return [...names].sort();
}

for (const [vendor, module, types, rtm] of /** @type {const} */ ([
  ["Agora", agora, agoraTypes, agora.AgoraRTM],
  ["anyRTC", anyrtc, anyrtcTypes, anyrtc.ArRTM],
])) {
  const client = rtm.createInstance(APP_ID, { server: "https://rtm.example" });
  const objects = {
    RtmClient: client,
    RtmChannel: client.createChannel("math"),
    LocalInvitation: client.createLocalInvitation("bob"),
  };

  for (const [name, object] of Object.entries(objects)) {
    test(`${vendor}: ${name} has the members that are declared`, () => {
      assert.deepEqual(ownMembers(object), membersOf(types.get(name)));
    });
  }

  test(`${vendor}: RemoteInvitation has the members that are declared`, () => {
    const { prototype } = anyrtc.RemoteInvitation;
    const fields = ["callerId", "channelId", "response"];
    const names = [...ownMembers(Object.create(prototype)), ...fields];
    assert.deepEqual(names.sort(), membersOf(types.get("RemoteInvitation")));
  });

  test(`${vendor}: the module's object has the members that are declared`, () => {
    assert.deepEqual(Object.keys(rtm).sort(), valuesOf(types.get("default")));
  });

  test(`${vendor}: the module exports what is declared`, () => {
    assert.deepEqual(Object.keys(module).sort(), exportsOf(types));
  });

  test(`${vendor}: enums hold the names that are declared`, () => {
    const codes = /** @type {Record<string, object>} */ (module.RtmStatusCode);
    const declared = types.get("RtmStatusCode");
    assert.deepEqual(Object.keys(codes).sort(), valuesOf(declared));
    for (const [name, values] of Object.entries(codes)) {
      assert.deepEqual(Object.keys(values).sort(), valuesOf(declared.exports.get(name)), name);
    }
  });
}

test("anyRTC: error numbers are those declared", () => {
  const declared = anyrtcTypes.get("RtmErrorCode");
  const codes = /** @type {Record<string, Record<string, number | string>>} */ (anyrtc.RtmErrorCode);
  assert.deepEqual(Object.keys(codes).sort(), valuesOf(declared));
  for (const [group, numbers] of Object.entries(codes)) {
    const symbol = declared.exports.get(group);
    const names = Object.keys(numbers).filter((name) => Number.isNaN(Number(name)));
    assert.deepEqual(names.sort(), valuesOf(symbol), group);
    for (const name of names) {
      const [declaration] = symbol.exports.get(name).declarations;
      assert.equal(numbers[name], checker.getConstantValue(declaration), name);
    }
  }
});

test("an error has the members that are declared", () => {
  const members = [...Object.keys(new ApiError("RtmInternalError", 1, "")), "message", "stack"];
  assert.deepEqual([...new Set(members)].sort(), membersOf(agoraTypes.get("RtmError")));
});
