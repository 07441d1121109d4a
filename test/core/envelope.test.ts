// The envelope scanner agrees with JSON.parse on every message, damaged or not, and keeps its bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scan, type Scanned, type SpanName, spanBytes, spanText, spanValue } from "../../lib/core/envelope.ts";
import { encode, lookUp, message, readKind, runs } from "./messages.ts";

const spanNames: readonly SpanName[] = [
  ...(["jsonrpc", "id", "method", "params", "result", "error", "error.code", "params.name", "params.uri"] as const),
  ...(["params.cursor", "params.level", "params.requestId", "params.progressToken", "params.taskId"] as const),
  ...(["params.task", "params.elicitationId", "params.mode", "params.ref", "params.ref.type"] as const),
  ...(["params.ref.name", "params.ref.uri", "params._meta", "params._meta.progressToken"] as const),
  ...(["result._meta", "result.task", "result.task.taskId"] as const),
];

/** What the platform's own decoder and parser say. */
function parse(bytes: Uint8Array): { outcome: "ok"; value: unknown } | { outcome: "utf8" | "json" } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { outcome: "utf8" };
  }
  try {
    return { outcome: "ok", value: JSON.parse(text) };
  } catch {
    return { outcome: "json" };
  }
}

const outcomeOf = (scanned: Scanned): string =>
  scanned.kind === "malformed" ? scanned.reason : scanned.kind === "batch" ? "batch" : scanned.envelope.kind;

/** Scans, and compares everything that the scanner says with what the platform's parser says. */
function check(bytes: Uint8Array): void {
  const scanned = scan(bytes);
  const parsed = parse(bytes);
  const shown = (): string => `bytes: ${JSON.stringify(new TextDecoder().decode(bytes))}`;
  if (parsed.outcome !== "ok") {
    assert.equal(outcomeOf(scanned), parsed.outcome, shown());
    return;
  }
  if (Array.isArray(parsed.value)) {
    assert(scanned.kind === "batch", shown());
    const items = scanned.items.map(({ start, end }) =>
      JSON.parse(new TextDecoder().decode(bytes.subarray(start, end))),
    );
    assert.equal(JSON.stringify(items), JSON.stringify(parsed.value), shown());
    return;
  }
  assert.equal(outcomeOf(scanned), readKind(parsed.value), shown());
  const id = lookUp(parsed.value, ["id"]);
  if (scanned.kind === "malformed") {
    const found = scanned.id && JSON.parse(new TextDecoder().decode(scanned.id));
    assert.equal(found, typeof id === "string" || typeof id === "number" ? id : undefined, shown());
  } else if (scanned.kind === "message") {
    assert.equal(scanned.envelope.method, lookUp(parsed.value, ["method"]), shown());
    for (const name of spanNames) {
      const expected = lookUp(parsed.value, name.split("."));
      const actual = spanValue(scanned.envelope, name);
      assert.equal(JSON.stringify(actual), JSON.stringify(expected), `${name}, ${shown()}`);
      assert.equal(spanText(scanned.envelope, name), typeof expected === "string" ? expected : undefined, shown());
      const raw = spanBytes(scanned.envelope, name);
      if (raw !== undefined) assert.equal(raw.buffer, bytes.buffer);
    }
  }
}

/** The same bytes inside a larger buffer whose surroundings would derail a scanner that looks at them. */
function embed(bytes: Uint8Array, offset: number, filler: number): Uint8Array {
  const larger = new Uint8Array(offset + bytes.length + 9).fill(filler);
  larger.set(bytes, offset);
  return larger.subarray(offset, offset + bytes.length);
}

test("envelope: the spans of any message hold what JSON.parse finds there", () => {
  fc.assert(
    fc.property(message, fc.nat(7), (text, offset) => check(embed(encode(text), offset, 0x22))),
    runs(3000),
  );
});

test("envelope: refuses any damaged message that JSON.parse refuses, and no other", () => {
  const damage = fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      what: fc.constantFrom("replace", "insert", "remove", "cut"),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(...encode('"\\{}[]:,0-.eEu\u0000\u001f \n'))),
    }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(message, damage, fc.nat(3), (text, edits, offset) => {
      const bytes = [...encode(text)];
      for (const { at, what, byte } of edits) {
        const index = Math.floor(at * bytes.length);
        if (what === "cut") bytes.length = index;
        else if (what === "remove") bytes.splice(index, 1);
        else bytes.splice(index, what === "replace" ? 1 : 0, byte);
      }
      check(embed(new Uint8Array(bytes), offset, 0x5d));
    }),
    runs(6000),
  );
});

test("envelope: reads arbitrary bytes as JSON.parse does", () => {
  const token = fc.constantFrom(
    ...'{ } [ ] : , " \\ \\u 0 1 - . e E+ true false null "a" "id" \t \u00e9 \u{1f600}'.split(" "),
  );
  const soup = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.array(token, { maxLength: 9 }).map((tokens) => encode(tokens.join(""))),
  );
  fc.assert(fc.property(soup, check), runs(10000));
});

test("envelope: every byte at every place of a string, at every alignment", () => {
  const text = encode(`"${"a".repeat(44)}"`);
  for (let offset = 0; offset < 4; offset++) {
    for (let byte = 0; byte < 0x80; byte++) {
      for (let at = 1; at < 45; at++) {
        const bytes = embed(text, offset, 0x22);
        bytes[at] = byte;
        // A quote ends the string early, and an escaped character depends on what follows it.
        const legal = byte >= 0x20 && byte !== 0x22 && byte !== 0x5c;
        assert.equal(outcomeOf(scan(bytes)), legal ? "shape" : "json", `byte ${byte} at ${at}, offset ${offset}`);
      }
    }
  }
});

test("envelope: every prefix of a message", () => {
  const bytes = encode(
    '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1.5e3,true,"\\u00e9 é",{"b":null}],"name":"x"}}',
  );
  for (let end = 0; end <= bytes.length; end++) check(bytes.subarray(0, end));
});

const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"m","params":${params}}`;

const texts: readonly (readonly [text: string, outcome: string])[] = [
  ["", "json"],
  [" ", "json"],
  ["\ufeff{}", "json"],
  ["\u00a0{}", "json"],
  ["{}{}", "json"],
  ["{} x", "json"],
  ["{}\u0000", "json"],
  ["{,}", "json"],
  ['{"a"}', "json"],
  ['{"a":}', "json"],
  ['{"a":1,}', "json"],
  ['{"a":1 "b":2}', "json"],
  ["{a:1}", "json"],
  ["{'a':1}", "json"],
  ['{"a":1]', "json"],
  ["[1}", "json"],
  ["[1,]", "json"],
  ["[,1]", "json"],
  ["[1 2]", "json"],
  ["[[[", "json"],
  ["]", "json"],
  ["01", "json"],
  ["-", "json"],
  ["-01", "json"],
  ["+1", "json"],
  ["1.", "json"],
  [".5", "json"],
  ["1e", "json"],
  ["1e+", "json"],
  ["0x10", "json"],
  ["NaN", "json"],
  ["Infinity", "json"],
  ["tru", "json"],
  ["truE", "json"],
  ["nulll", "json"],
  ["fals", "json"],
  ["// c\n{}", "json"],
  ['"\\x41"', "json"],
  ['"\\u12G4"', "json"],
  ['"\\u123"', "json"],
  ['"a\nb"', "json"],
  ['"a\tb"', "json"],
  ['"open', "json"],
  ['"open\\"', "json"],
  ['"\u2028\u007f"', "shape"],
  ['"\\ud800"', "shape"],
  ["-0.0E-0", "shape"],
  ["null", "shape"],
  ["{}", "shape"],
  ["[]", "batch"],
  [" [ 1 , {} ] ", "batch"],
  ['{"jsonrpc":"2.0","id":1,"method":"m"}', "request"],
  ['{"jsonrpc":"2.\\u0030","\\u0069d":1,"m\\u0065thod":"m"}', "request"],
  ['{"jsonrpc":"2.0","id":9007199254740993,"method":""}', "request"],
  ['{"jsonrpc":"1.0","jsonrpc":"2.0","id":1,"method":"m"}', "request"],
  ['{"jsonrpc":"2.0","jsonrpc":"1.0","id":1,"method":"m"}', "shape"],
  ['{"id":1,"method":"m"}', "shape"],
  ['{"jsonrpc":2.0,"id":1,"method":"m"}', "shape"],
  ['{"jsonrpc":"2.0","id":null,"method":"m"}', "shape"],
  ['{"jsonrpc":"2.0","id":true,"method":"m"}', "shape"],
  ['{"jsonrpc":"2.0","id":{},"method":"m"}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"method":1}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"method":null}', "shape"],
  ['{"jsonrpc":"2.0","method":"m"}', "notification"],
  ['{"jsonrpc":"2.0","__proto__":{"id":1},"method":"m"}', "notification"],
  [call("{}"), "request"],
  [call("[]"), "shape"],
  [call("null"), "shape"],
  ['{"jsonrpc":"2.0","id":"","result":{}}', "response"],
  ['{"jsonrpc":"2.0","id":1,"result":[]}', "shape"],
  ['{"jsonrpc":"2.0","id":null,"result":{}}', "shape"],
  ['{"jsonrpc":"2.0","result":{}}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}', "response"],
  ['{"jsonrpc":"2.0","id":null,"error":{"code":1}}', "response"],
  ['{"jsonrpc":"2.0","error":{"code":1}}', "response"],
  ['{"jsonrpc":"2.0","id":1,"error":{"code":"1"}}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"error":{"code":1},"error":{}}', "shape"],
  ['{"jsonrpc":"2.0","id":1,"error":null}', "shape"],
  ['{"jsonrpc":"2.0","id":1}', "shape"],
];

test("envelope: a table of nasty texts", () => {
  for (const [text, outcome] of texts) {
    assert.equal(outcomeOf(scan(encode(text))), outcome, text);
    check(encode(text));
    // The same inside other containers, which other code walks.
    for (const outer of [
      `[${text}]`,
      `[[0,${text}]]`,
      `{"x":${text}}`,
      `{"x":[{"y":${text}}]}`,
      call(`{"_meta":${text}}`),
    ]) {
      check(encode(outer));
    }
  }
});

test("envelope: bytes that are not UTF-8", () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
    assert.equal(outcomeOf(scan(new Uint8Array([0x22, ...bytes, 0x22]))), "utf8");
  }
});

test("envelope: the members of a repeated parent come from its last occurrence only", () => {
  const scanned = scan(
    encode('{"jsonrpc":"2.0","method":"m","params":{"name":"a","_meta":{"progressToken":1}},"params":{"uri":"u"}}'),
  );
  assert(scanned.kind === "message");
  const { spans } = scanned.envelope;
  assert.deepEqual(Object.keys(spans).toSorted(), ["jsonrpc", "method", "params", "params.uri"]);
});

test("envelope: an id that can be answered comes with a shape error, and with no other", () => {
  const idOf = (text: string): string | undefined => {
    const scanned = scan(encode(text));
    assert(scanned.kind === "malformed");
    return scanned.id && new TextDecoder().decode(scanned.id);
  };
  assert.equal(idOf('{"jsonrpc":"1.0","id":12345678901234567890,"method":"m"}'), "12345678901234567890");
  assert.equal(idOf('{"jsonrpc":"2.0","id":"a\\u0062"}'), '"a\\u0062"');
  assert.equal(idOf('{"jsonrpc":"2.0","id":[1],"method":"m"}'), undefined);
  assert.equal(idOf('{"jsonrpc":"2.0","id":1,"method":}'), undefined);
});

test("envelope: nesting is bounded exactly, for arrays, objects and known members", () => {
  const arrays = (depth: number): Uint8Array => encode("[".repeat(depth) + "]".repeat(depth));
  const objects = (depth: number): Uint8Array => encode('{"a":'.repeat(depth - 1) + "{}" + "}".repeat(depth - 1));
  assert.equal(outcomeOf(scan(arrays(256))), "batch");
  assert.equal(outcomeOf(scan(arrays(257))), "depth");
  assert.equal(outcomeOf(scan(objects(256))), "shape");
  assert.equal(outcomeOf(scan(objects(257))), "depth");
  const known = encode(call('{"_meta":{"progressToken":[]}}'));
  assert.equal(outcomeOf(scan(known, { maxDepth: 4 })), "request");
  for (const maxDepth of [0, 1, 2, 3]) assert.equal(outcomeOf(scan(known, { maxDepth })), "depth");
  assert.equal(outcomeOf(scan(encode("1"), { maxDepth: 0 })), "shape");
  // The bound stops before the end is seen, so that endless nesting costs nothing.
  assert.equal(outcomeOf(scan(encode("[".repeat(100_000)))), "depth");
});

test("envelope: nesting cannot overflow the stack, however deep it is allowed to be", () => {
  const depth = 300_000;
  const bytes = encode(call(`{"a":${'[{"b":'.repeat(depth)}1${"}]".repeat(depth)}}`));
  assert.equal(outcomeOf(scan(bytes, { maxDepth: Infinity })), "request");
});

test("envelope: a text with U+FEFF at its start keeps it", () => {
  const scanned = scan(encode('{"jsonrpc":"2.0","method":"\ufeffm"}'));
  assert(scanned.kind === "message");
  assert.equal(scanned.envelope.method, "\ufeffm");
});
