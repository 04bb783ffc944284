import assert from "node:assert/strict";
import { test } from "node:test";

import { initialsOf, makeTag, nameOf, roomIdOf, tidy, tintOf, uidOf } from "../../../static/classroom/names.js";

/** The character set and length of ids, docs/contract.md 2. */
const ID = /^[a-zA-Z0-9 !#$%&()+\-:;<=.>?@[\]^_{}|~,]{1,64}$/;

for (const name of ["Ann", "Jonas Weber", "O'Neil", "王子涵", "Tomás", "🎓", "a~b", "~", "~abc", "x".repeat(57), "字".repeat(14)]) {
  test(`a name comes through its id: ${name}`, () => {
    const uid = uidOf(name, "k3f9x2");
    assert.ok(uid);
    assert.match(uid, ID);
    assert.equal(nameOf(uid), name);
  });
}

test("a name that does not fit is refused, not cut", () => {
  assert.equal(uidOf("x".repeat(58), "k3f9x2"), null);
  assert.equal(uidOf("字".repeat(15), "k3f9x2"), null);
  assert.equal(roomIdOf("x".repeat(65)), null);
});

test("two people of one name are two", () => {
  assert.notEqual(uidOf("Ann", "aaaaaa"), uidOf("Ann", "bbbbbb"));
});

for (const uid of ["ann", "load-17", "a~b", "~~~", "~!!!!~k3f9x2", "~k3f9x2", "x~K3F9X2"]) {
  test(`another program's id is called as it is: ${uid}`, () => assert.equal(nameOf(uid), uid));
}

test("rooms: as typed where that is an id, else written in one", () => {
  assert.equal(roomIdOf("math 9B"), "math 9B");
  assert.match(roomIdOf("数学") ?? "", ID);
  assert.notEqual(roomIdOf("数学"), roomIdOf("美术"));
});

test("what is typed is tidied: spaces at the ends and runs of them, and one form of the same letter", () => {
  assert.equal(tidy("  Jonas \t Weber\n"), "Jonas Weber");
  assert.equal(tidy("Toma\u0301s"), "Tom\u00e1s");
});

test("initials: first and last word, one sign in scripts without capitals", () => {
  assert.deepEqual(["Jonas Weber", "ann", "Maria del Mar", "王子涵", "7b", "…"].map(initialsOf), ["JW", "A", "MM", "王", "7", "?"]);
});

test("a tint is one of six and the same each time", () => {
  assert.equal(tintOf("ann"), tintOf("ann"));
  for (const uid of ["", "a", "b", "王", "x".repeat(64)]) assert.ok([1, 2, 3, 4, 5, 6].includes(tintOf(uid)));
});

test("a tag is six of a-z and 0-9", () => {
  assert.match(makeTag((length) => crypto.getRandomValues(new Uint8Array(length))), /^[a-z0-9]{6}$/);
});
