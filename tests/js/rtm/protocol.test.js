import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeFrame, encodeRequest, utf8Length } from "../../../static/rtm/connection/protocol.js";

test("a request has an id, a notification has none", () => {
  assert.deepEqual(JSON.parse(encodeRequest("room.join", { room: "math" }, 7)), {
    jsonrpc: "2.0",
    id: 7,
    method: "room.join",
    params: { room: "math" },
  });
  assert.equal("id" in JSON.parse(encodeRequest("session.ack", { received: 1 })), false);
});

for (const [text, sent] of [
  ["cut \ud83d", "cut \ufffd"],
  ["\udc00\ud83d\ud83d", "\ufffd\ufffd\ufffd"],
  ["\\\ud83d", "\\\ufffd"],
  ["\\ud83d \\\\udc00", "\\ud83d \\\\udc00"],
  ["🎓 \"\n\u0001\ud7ff\ue000", "🎓 \"\n\u0001\ud7ff\ue000"],
]) {
  test(`half a character is sent as the replacement character, and counted so: ${JSON.stringify(text)}`, () => {
    const frame = encodeRequest("room.send", { [text]: [text] }, 7);
    assert.deepEqual(JSON.parse(frame).params, { [sent]: [sent] });
    assert.equal(utf8Length(text), utf8Length(sent));
  });
}

test("a frame is one message or a batch, kept in its order", () => {
  const push = { jsonrpc: "2.0", method: "room.sent", params: { seq: 1 } };
  const result = { jsonrpc: "2.0", id: 1, result: {} };
  const error = { jsonrpc: "2.0", id: null, error: { code: -32700, message: "The frame is no JSON." } };
  assert.deepEqual(decodeFrame(JSON.stringify(push)), [push]);
  assert.deepEqual(decodeFrame(JSON.stringify([result, push, error])), [result, push, error]);
});

for (const frame of ["", "{", "null", "7", "{}", '{"jsonrpc":"1.0","method":"x"}', '{"jsonrpc":"2.0","id":1}', "[7]"]) {
  test(`what is no message is refused: ${frame || "(empty)"}`, () => {
    assert.throws(() => decodeFrame(frame), SyntaxError);
  });
}

for (const text of ["", "plain", "é", "€uro", "数学", "🎓 class", "\u{10ffff}", "a\ud800b", "\udc00", "\ud800\ud800\udc00"]) {
  test(`bytes are counted as UTF-8 has them: ${JSON.stringify(text)}`, () => {
    assert.equal(utf8Length(text), Buffer.byteLength(text, "utf8"));
  });
}
