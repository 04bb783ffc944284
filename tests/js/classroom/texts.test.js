import assert from "node:assert/strict";
import { test } from "node:test";

import { Keep } from "../../../static/classroom/keep.js";
import { Texts } from "../../../static/classroom/texts.js";

const DAY = 24 * 3600_000;
const NOON = new Date(2030, 4, 6, 12).getTime();
const english = new Texts(
  {
    here: { one: "{count} person here", other: "{count} people here" },
    others: { one: "{count} other", other: "{count} others" },
    today: "Today",
    yesterday: "Yesterday",
    hello: "Hello {name}, {missing}",
  },
  "en",
);

test("a text is filled in, and says one or many", () => {
  assert.equal(english.say("here", { count: 1 }), "1 person here");
  assert.equal(english.say("here", { count: 2 }), "2 people here");
  assert.equal(english.say("hello", { name: "{count}" }), "Hello {count}, {missing}");
  assert.throws(() => english.say("nothing"));
});

test("names are listed as the language does, many by number", () => {
  assert.equal(english.list(["Ann", "Bo"]), "Ann and Bo");
  assert.equal(english.list(["Ann", "Bo", "Cy", "Di"]), "Ann, Bo, and 2 others");
  const chinese = new Texts({ others: { one: "另外 {count} 人", other: "另外 {count} 人" } }, "zh-hans");
  assert.equal(chinese.list(["王子涵", "李文"]), "王子涵和李文");
});

test("a size is said in bytes, kilobytes or megabytes", () => {
  const sizes = [1, 999, 1000, 999_499, 999_500, 31_457_280].map((size) => english.bytes(size));
  assert.deepEqual(sizes, ["1 byte", "999 bytes", "1 kB", "999 kB", "1 MB", "31.5 MB"]);
});

test("time has two digits and no half-days; a day has a name, an older one its date", () => {
  assert.equal(english.time(new Date(2030, 4, 6, 0, 5).getTime()), "00:05");
  assert.equal(english.day(NOON, NOON), "Today");
  assert.equal(english.day(NOON - DAY, NOON), "Yesterday");
  assert.match(english.day(NOON - 3 * DAY, NOON), /Friday/);
  assert.match(english.day(NOON - 400 * DAY, NOON), /2029/);
});

test("where the browser keeps nothing, memory does", () => {
  const keep = new Keep(() => {
    throw new Error("storage is off");
  });
  assert.equal(keep.get("draft"), null);
  keep.set("draft", "hello");
  assert.equal(keep.get("draft"), "hello");
  keep.set("draft", null);
  assert.equal(keep.get("draft"), null);
});

test("what the browser kept and nobody can read is nothing", () => {
  const keep = new Keep(() => ({ getItem: () => "{", setItem: () => {}, removeItem: () => {} }));
  assert.equal(keep.get("draft"), null);
});
