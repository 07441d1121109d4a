// What a glance says of a message is what the scan says of it, and it says something of those that most clients send.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scan, spanNumber, spanText } from "../../lib/core/envelope.ts";
import { Glance } from "../../lib/core/glance.ts";
import { LoneEvent } from "../../lib/core/sse-lone.ts";
import { SseParser } from "../../lib/core/sse.ts";

const glance = new Glance();
const bytesOf = (text: string): Buffer => Buffer.from(text);

/** Holds the glance against the scan; true where the glance took the message. */
function agrees(bytes: Uint8Array, start: number = 0): boolean {
  const scanned = scan(bytes.subarray(start));
  const envelope = scanned.kind === "message" ? scanned.envelope : undefined;
  const { id, "params.name": name, "params._meta.progressToken": token } = envelope?.spans ?? {};
  const isCall = glance.call(bytes, start);
  if (isCall) {
    assert.deepEqual([envelope?.kind, envelope?.method], ["request", "tools/call"]);
    assert.deepEqual([glance.idStart - start, glance.idEnd - start], [id?.start, id?.end]);
    assert.deepEqual([glance.nameStart - start, glance.nameEnd - start], [name?.start, name?.end]);
    if (token) assert.deepEqual([glance.tokenStart - start, glance.tokenEnd - start], [token.start, token.end]);
    else assert.deepEqual([glance.tokenStart, glance.tokenEnd], [0, 0]);
    assert.equal(envelope?.spans["params.task"], undefined);
    assert.equal(
      envelope && spanText(envelope, "params.name"),
      Buffer.from(bytes.subarray(glance.nameStart + 1, glance.nameEnd - 1)).toString(),
    );
  }
  const result = glance.result(bytes, start);
  if (result >= 0) {
    assert.equal(envelope?.kind, "response");
    assert.ok(envelope?.spans.result && !envelope.spans.error);
    assert.equal(envelope && spanNumber(envelope, "id"), result);
    assert.deepEqual([glance.idStart - start, glance.idEnd - start], [id?.start, id?.end]);
  }
  return isCall || result >= 0;
}

/** Holds what is said of an event of progress against parser and scan; true where it was taken. */
function agreesOnEvent(event: Buffer): boolean {
  const lone = new LoneEvent();
  const parser = new SseParser(10_000);
  const [before, after] = [Buffer.from("10\r\n"), Buffer.from("\r\n\n\n")];
  const bytes = Buffer.concat([before, event, after]);
  if (!parser.lone(bytes, before.length, before.length + event.length, lone)) return false;
  const token = glance.progress(bytes, lone.start, lone.end);
  if (token < 0) return false;
  const events = new SseParser(10_000).push(event);
  assert.equal(events.length, 1);
  assert.deepEqual(
    [events[0]?.id, events[0]?.event ?? "message", events[0]?.retryMs],
    [undefined, "message", undefined],
  );
  const data = events[0]?.data ?? Buffer.alloc(0);
  assert.deepEqual(Buffer.from(data), bytes.subarray(lone.start, lone.end));
  const scanned = scan(data);
  const envelope = scanned.kind === "message" ? scanned.envelope : undefined;
  assert.deepEqual([envelope?.kind, envelope?.method], ["notification", "notifications/progress"]);
  assert.equal(envelope && spanNumber(envelope, "params.progressToken"), token);
  const { start, end } = envelope?.spans["params.progressToken"] ?? {};
  assert.deepEqual([glance.tokenStart - lone.start, glance.tokenEnd - lone.start], [start, end]);
  return true;
}

const call =
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__b","arguments":{"x":[1,-2.5e3,null]}}}';
const reply =
  '{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"\\u00e9 \\"ok\\"\\n"}],"isError":false}}';

test("glance: takes the calls and results of common clients and servers", () => {
  const taken = [
    call,
    call.replace('"id":1', '"id":"a-1"'),
    '{"method":"tools/call","params":{"name":"t","arguments":{}},"jsonrpc":"2.0","id":3}',
    '{"method":"tools/call","params":{"name":"t","_meta":{"progressToken":3}},"jsonrpc":"2.0","id":3}',
    '{ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "é".length } }'.replace(
      '"é".length',
      '"t"',
    ),
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"text":"naïve 漢字"}}}',
    reply,
    '{"result":{},"jsonrpc":"2.0","id":4}\r\n',
  ];
  for (const text of taken) {
    assert.ok(agrees(bytesOf(text)), text);
    assert.ok(agrees(bytesOf(`HTTP/1.1 200 OK\r\n\r\n${text}`), 19), text);
  }
});

test("glance: leaves everything else to the scan", () => {
  const left = [
    "",
    "{}",
    "[]",
    `[${call}]`,
    `${call}x`,
    `${call}${call}`,
    call.slice(0, -1),
    call.replace("2.0", "2.1"),
    call.replace('"id":1', '"id":null'),
    call.replace('"id":1', '"id":01'),
    call.replace('"id":1,', ""),
    call.replace('"id":1', '"id":1,"id":2'),
    call.replace("tools/call", "tools/list"),
    call.replace("tools/call", "tools\\/call"),
    call.replace("a__b", "a\\u005fb"),
    call.replace("a__b", "é"),
    call.replace('"name":"a__b"', '"name":7'),
    call.replace('"name":"a__b"', '"name":"a__b","task":{}'),
    call.replace('"name":"a__b"', '"name":"a__b","name":"c__d"'),
    call.replace('"name":"a__b"', '"n\\u0061me":"c__d","name":"a__b"'),
    call.replace('"name":"a__b"', '"name":"a__b","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'),
    call.replace('"name":"a__b"', '"name":"a__b","_meta":{"progressToken":1,"other":2}'),
    call.replace('"params":', '"result":{},"params":'),
    call.replace("[1,-2.5e3,null]", `${"[".repeat(40)}${"]".repeat(40)}`),
    call.replace("null", "nul"),
    call.replace("null", '"\u0001"'),
    reply.replace('"id":17', '"id":"17"'),
    reply.replace('"id":17', '"id":1.7'),
    reply.replace('"result":', '"error":'),
    reply.replace('"result":{', '"error":{"code":1,"message":""},"result":{'),
    '{"jsonrpc":"2.0","id":1,"result":[]}',
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}',
  ];
  for (const text of left) assert.equal(agrees(bytesOf(text)), false, text);
  const broken = bytesOf(call.replace("a__b", "t").replace("null", '"??"'));
  broken.set([0xc3, 0x28], broken.indexOf("??"));
  assert.equal(agrees(broken), false);
});

test("glance: never says what the scan does not say, whatever is changed in a message", () => {
  let taken = 0;
  const pieces = [
    '"id":2',
    '"name":"x"',
    '"_meta":{"progressToken":"t"}',
    "{}",
    "[1]",
    '"',
    "\\",
    ",",
    ":",
    "\u0000",
    "é",
  ];
  const change = fc.record({ at: fc.nat(200), cut: fc.nat(3), put: fc.constantFrom("", ...pieces) });
  fc.assert(
    fc.property(fc.constantFrom(call, reply), fc.array(change, { maxLength: 3 }), (text, changes) => {
      let changed = text;
      for (const { at, cut, put } of changes) {
        const from = at % (changed.length + 1);
        changed = changed.slice(0, from) + put + changed.slice(from + cut);
      }
      if (agrees(bytesOf(changed))) taken += 1;
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 300, `only ${taken} were taken`);
});

const progress =
  '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,"message":"é"}}';
const event = `event: message\ndata: ${progress}\n\n`;

test("glance: takes progress in an event of its own, with any line end", () => {
  const plain = `data:${progress}\n\n`;
  for (const text of [event, plain, event.replaceAll("\n", "\r\n"), event.replace("data: ", "data:")])
    assert.ok(agreesOnEvent(bytesOf(text)), text);
  const left = [
    "",
    "\n",
    "data: \n\n",
    progress,
    `id: 1\n${event}`,
    `${event}${event}`,
    `${event}\n`,
    `\uFEFF${event}`,
    event.slice(0, -1),
    event.replace("message\n", "other\n"),
    event.replace("data:", "dato:"),
    event.replace(',"method"', ',\ndata:"method"'),
    event.replace(',"method"', ',\r"method"'),
    event.replace("7", '"7"'),
    event.replace("7", "7.5"),
    event.replace('"progressToken":7', '"progressToken":7,"progressToken":8'),
    event.replace('"progressToken":7', '"progressTokens":7'),
    event.replace('progress"', 'message"'),
    event.replace('"params"', '"id":1,"params"'),
  ];
  for (const text of left) assert.equal(agreesOnEvent(bytesOf(text)), false, text);
});

test("glance: says of an event what parser and scan say, whatever is changed in it", () => {
  let taken = 0;
  const change = fc.record({
    at: fc.nat(200),
    cut: fc.nat(3),
    put: fc.constantFrom("", "\n", "\r", "\n\n", '"', "1", ",", "é"),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(event, event.replaceAll("\n", "\r\n")),
      fc.array(change, { maxLength: 2 }),
      (text, changes) => {
        let changed = text;
        for (const { at, cut, put } of changes) {
          const from = at % (changed.length + 1);
          changed = changed.slice(0, from) + put + changed.slice(from + cut);
        }
        if (agreesOnEvent(bytesOf(changed))) taken += 1;
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(taken > 300, `only ${taken} were taken`);
});
