// The response parser: the corpus whole and cut at every byte, random responses, and random damage.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ResponseHead, responseGrammar } from "../../lib/backend/http1-head.ts";
import { MessageParser } from "../../lib/backend/http1.ts";
import { maxHeadBytes, type ResponseCase } from "../fixtures/http1-case.ts";
import { responseCases } from "../fixtures/http1-responses.ts";

interface Outcome {
  status: number;
  headers: Record<string, string>;
  body: string;
  keepAlive: boolean;
  end: "done" | "cut" | "open" | "bad";
  surplus: number;
  why: string | undefined;
}

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

function newOutcome(): Outcome {
  return { status: 0, headers: {}, body: "", keepAlive: false, end: "open", surplus: 0, why: undefined };
}

/** `before`: a complete response that the same parser reads first. */
function parse(
  pieces: readonly Uint8Array[],
  close: boolean,
  bodyless = false,
  before: readonly Uint8Array[] = [],
): Outcome {
  let outcome = newOutcome();
  let dones = 0;
  const parser = new MessageParser(
    responseGrammar(bodyless),
    {
      onHead: (head: ResponseHead) => {
        assert.equal(outcome.status, 0, "one head only");
        outcome.status = head.status;
        outcome.headers = Object.fromEntries(head.headers);
        outcome.keepAlive = head.keepAlive;
      },
      onBody: (piece) => {
        assert.equal(dones, 0, "no body after the end");
        outcome.body += Buffer.from(piece).toString("latin1");
      },
      onDone: () => dones++,
    },
    maxHeadBytes,
  );
  for (const piece of before) assert.equal(parser.push(piece), undefined);
  if (before.length > 0) {
    assert.ok(parser.done && parser.surplus === 0 && dones === 1);
    parser.next();
    outcome = newOutcome();
    dones = 0;
  }
  for (const piece of pieces) {
    outcome.why = parser.push(piece);
    if (outcome.why !== undefined) break;
  }
  outcome.surplus = parser.surplus;
  if (outcome.why !== undefined) outcome.end = "bad";
  else if (parser.done) outcome.end = "done";
  else if (close) outcome.end = parser.end() ? "done" : "cut";
  assert.equal(dones, outcome.end === "done" ? 1 : 0);
  return outcome;
}

const wholes = new Map<ResponseCase, Outcome>();

/** The outcome of a case that comes in one piece. */
function wholeOf(each: ResponseCase): Outcome {
  const known = wholes.get(each) ?? parse([latin1(each.bytes)], each.close);
  wholes.set(each, known);
  return known;
}

function check(each: ResponseCase, outcome: Outcome): void {
  const { expect } = each;
  if (expect === "badProtocol") return assert.equal(outcome.end, "bad", each.name);
  if (expect === "lost") return assert.equal(outcome.end, "cut", each.name);
  assert.equal(outcome.why, undefined, each.name);
  assert.equal(outcome.end, "done", each.name);
  assert.equal(outcome.status, expect.status, each.name);
  assert.equal(outcome.body, expect.body, each.name);
  for (const [name, value] of Object.entries(expect.headers ?? {}))
    assert.equal(outcome.headers[name], value, each.name);
  if (expect.reusable) assert.ok(outcome.keepAlive && outcome.surplus === 0, each.name);
}

test(`http1: the corpus has ${responseCases.length} cases, at least 150, and names each once`, () => {
  assert.ok(responseCases.length >= 150);
  for (const kind of ["badProtocol", "lost"]) assert.ok(responseCases.some((each) => each.expect === kind));
  assert.equal(new Set(responseCases.map((each) => each.name)).size, responseCases.length);
});

test("http1: every response of the corpus means what the table says", () => {
  for (const each of responseCases) check(each, parse([latin1(each.bytes)], each.close));
});

test("http1: a response cut in two at any byte means the same", () => {
  for (const each of responseCases) {
    const bytes = latin1(each.bytes);
    const whole = parse([bytes], each.close);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parts = parse([bytes.subarray(0, cut), bytes.subarray(cut)], each.close);
      assert.deepEqual({ ...parts, surplus: 0 }, { ...whole, surplus: 0 }, `${each.name}, cut at ${cut}`);
    }
  }
});

test("http1: a response that comes byte by byte means the same", () => {
  for (const each of responseCases) {
    const bytes = latin1(each.bytes);
    const parts = parse(
      [...bytes].map((byte) => Uint8Array.of(byte)),
      each.close,
    );
    assert.deepEqual({ ...parts, surplus: 0 }, { ...parse([bytes], each.close), surplus: 0 }, each.name);
  }
});

test("http1: a response cut at any number of random places means the same", () => {
  const property = fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 12 }), (cuts) => {
    for (const each of responseCases) {
      const parts = parse(splitAt(latin1(each.bytes), cuts), each.close);
      assert.deepEqual({ ...parts, surplus: 0 }, { ...wholeOf(each), surplus: 0 }, each.name);
    }
  });
  fc.assert(property, { numRuns: 100 });
});

test("http1: a response means the same on a parser that has read another one, whatever that was", () => {
  const befores = responseCases.filter((each) => {
    const { end, surplus } = wholeOf(each);
    return end === "done" && surplus === 0 && !each.close;
  });
  assert.ok(befores.length > 50);
  for (const [index, each] of responseCases.entries()) {
    // Itself, as most servers answer in the same way again, and others in turn.
    const others = Array.from({ length: 8 }, (_, step) => befores[(index * 5 + step * 13) % befores.length]);
    for (const before of [befores.includes(each) ? each : undefined, ...others]) {
      if (before === undefined) continue;
      const bytes = latin1(each.bytes);
      const half = [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
      for (const pieces of [[bytes], half]) {
        const outcome = parse(pieces, each.close, false, [latin1(before.bytes)]);
        assert.deepEqual(
          { ...outcome, surplus: 0 },
          { ...wholeOf(each), surplus: 0 },
          `${each.name} after ${before.name}`,
        );
      }
    }
  }
});

test("http1: bytes that read like the head before are no head within another one", () => {
  const known = latin1("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const starts = [
    "H",
    "HTTP/1.",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nX: ",
    "HTTP/1.1 100 x\r\n\r\n",
    "HTTP/1.1 100 x\r\n\r\nH",
  ];
  for (const start of starts) {
    const pieces = [latin1(start), known];
    const fresh = parse(pieces, true);
    assert.equal(fresh.end, start.endsWith("\r\n\r\n") || start.endsWith("X: ") ? "done" : "bad", start);
    assert.deepEqual(parse(pieces, true, false, [known]), fresh, start);
  }
});

test("http1: a valid response that is cut off at any byte is never complete", () => {
  for (const each of responseCases) {
    if (each.close || typeof each.expect === "string") continue;
    const bytes = latin1(each.bytes);
    const whole = parse([bytes], false);
    const complete = bytes.length - whole.surplus;
    for (let size = 0; size < complete; size++) {
      assert.equal(parse([bytes.subarray(0, size)], true).end, "cut", `${each.name}, ${size} bytes`);
    }
  }
});

test("http1: the answer to HEAD has no body, whatever it announces", () => {
  for (const header of ["Content-Length: 5", "Transfer-Encoding: chunked", "X: 1"]) {
    const outcome = parse([latin1(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`)], false, true);
    assert.equal(outcome.end, "done");
    assert.equal(outcome.body, "");
  }
});

test("http1: body pieces are slices of what was pushed, not copies", () => {
  const bytes = latin1("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const pieces: Uint8Array[] = [];
  const sink = { onHead: () => {}, onBody: (piece: Uint8Array) => void pieces.push(piece), onDone: () => {} };
  assert.equal(new MessageParser(responseGrammar(false), sink, maxHeadBytes).push(bytes), undefined);
  assert.equal(pieces[0]?.buffer, bytes.buffer);
});

/** Splits `bytes` at the given places. */
function splitAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((cut, index) => bytes.subarray(cuts[index], cut));
}

const tokenText = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
const valueText = fc.stringMatching(/^[!-~]([ -~\t]{0,20}[!-~])?$/);
const bodyBytes = fc.uint8Array({ maxLength: 200 });

test("http1: any response that is written by the rules is read as it was meant, however it is cut", () => {
  const response = fc.record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    headers: fc.uniqueArray(fc.tuple(tokenText, valueText), { maxLength: 6, selector: ([name]) => name }),
    interim: fc.constantFrom("", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 x\r\nLink: a\r\n\r\n"),
    chunks: fc.array(bodyBytes, { maxLength: 5 }),
    framing: fc.constantFrom("length", "chunked", "close"),
    trailer: fc.constantFrom("", "X-Sum: 1\r\n"),
    cuts: fc.array(fc.nat(), { maxLength: 8 }),
  });
  fc.assert(
    fc.property(response, ({ status, headers, interim, chunks, framing, trailer, cuts }) => {
      const body = Buffer.concat(chunks);
      const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const framed: Record<string, () => Uint8Array[]> = {
        length: () => [latin1(`Content-Length: ${body.length}\r\n\r\n`), body],
        close: () => [latin1("\r\n"), body],
        chunked: () => [
          latin1("Transfer-Encoding: chunked\r\n\r\n"),
          ...chunks.flatMap((chunk) =>
            chunk.length === 0 ? [] : [latin1(`${chunk.length.toString(16)}\r\n`), chunk, latin1("\r\n")],
          ),
          latin1(`0\r\n${trailer}\r\n`),
        ],
      };
      const rest = framed[framing]?.() ?? [];
      const bytes = Buffer.concat([latin1(`${interim}HTTP/1.1 ${status} x\r\n${fields}`), ...rest]);
      const outcome = parse(splitAt(bytes, cuts), framing === "close");
      assert.equal(outcome.end, "done", outcome.why ?? "");
      assert.equal(outcome.status, status);
      assert.equal(outcome.body, body.toString("latin1"));
      for (const [name, value] of headers) assert.equal(outcome.headers[name], value);
    }),
    { numRuns: 300 },
  );
});

test("http1: damage never throws, and never depends on how the bytes are cut", () => {
  const damage = fc.record({
    each: fc.constantFrom(...responseCases.filter((each) => each.bytes.length < 400)),
    place: fc.nat(),
    kind: fc.constantFrom("replace", "insert", "delete"),
    byte: fc.oneof(fc.constantFrom(0, 9, 10, 13, 32, 48, 58, 59, 127, 255), fc.integer({ min: 0, max: 255 })),
    cuts: fc.array(fc.nat(), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(damage, ({ each, place, kind, byte, cuts }) => {
      const bytes = [...latin1(each.bytes)];
      const at = place % (bytes.length + 1);
      bytes.splice(at, kind === "insert" ? 0 : 1, ...(kind === "delete" ? [] : [byte]));
      const damaged = Uint8Array.from(bytes);
      const whole = parse([damaged], each.close);
      assert.deepEqual({ ...parse(splitAt(damaged, cuts), each.close), surplus: 0 }, { ...whole, surplus: 0 });
    }),
    { numRuns: 1000 },
  );
});
