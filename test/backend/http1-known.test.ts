// A head that is known is taken only where its parser would say the same of it, but for the length.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ResponseHead, responseGrammar } from "../../lib/backend/http1-head.ts";
import { KnownHead } from "../../lib/backend/http1-known.ts";

const grammar = responseGrammar(false);

function parse(text: string): ResponseHead | undefined {
  const head = grammar.parse(Buffer.from(text, "latin1"));
  return head === "interim" || "bad" in head ? undefined : head;
}

function knownOf(text: string): KnownHead<ResponseHead> | undefined {
  const head = parse(text);
  return head && KnownHead.of(Buffer.from(text, "latin1"), head);
}

const short = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n";
const long =
  "HTTP/1.1 200 OK\r\nContent-Length:12\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\nKeep-Alive: timeout=5\r\n\r\n";

test("known head: matches itself with another length, and says where the body begins", () => {
  for (const text of [short, long]) {
    const known = knownOf(text);
    assert.ok(known);
    for (const length of ["12", "7", "123456789"]) {
      const head = text.replace("12", length);
      assert.equal(known.match(Buffer.from(`${head}{"a":1}`)), head.length);
      assert.equal(known.length, Number(length));
    }
  }
});

test("known head: does not match what is cut, changed, or has an odd length", () => {
  for (const text of [short, long]) {
    const known = knownOf(text);
    for (let end = 0; end < text.length; end += 1) assert.equal(known?.match(Buffer.from(text.slice(0, end))), 0);
    const changes = ["", "1234567890", "-1", "1 2", "1,2", "0x1", "1\r\nx:1"];
    for (const length of changes) assert.equal(known?.match(Buffer.from(text.replace("12", length))), 0, length);
    assert.equal(known?.match(Buffer.from(text.replace("200", "201"))), 0);
  }
});

test("known head: there is none without one plain length", () => {
  const heads = [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1 \r\n\r\n",
  ];
  for (const text of heads) {
    assert.ok(parse(text), text);
    assert.equal(knownOf(text), undefined, text);
  }
});

test("known head: what matches is read by the parser as the same head with this length", () => {
  const change = fc.record({ at: fc.nat(120), cut: fc.nat(2), put: fc.constantFrom("", "0", "3", "\r\n", " ", ",") });
  fc.assert(
    fc.property(fc.constantFrom(short, long), fc.array(change, { maxLength: 2 }), (text, changes) => {
      let changed = text;
      for (const { at, cut, put } of changes) {
        const from = at % changed.length;
        changed = changed.slice(0, from) + put + changed.slice(from + cut);
      }
      const known = knownOf(text);
      const end = known?.match(Buffer.from(changed, "latin1")) ?? 0;
      if (!known || end === 0) return;
      const head = parse(changed.slice(0, end));
      assert.deepEqual(head?.framing, { kind: "length", length: known.length });
      assert.deepEqual({ ...head, headers: 0, framing: 0 }, { ...known.head, headers: 0, framing: 0 });
    }),
    { numRuns: 5000 },
  );
});
