// The event stream parser against the standard, at every cut, and the frames that the gateway sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../lib/core/errors.ts";
import { type SseEvent, SseParser } from "../../lib/core/sse.ts";
import { frameComment, frameEvent, frameRetry } from "../../lib/core/sse-frames.ts";
import { encode, runs } from "./messages.ts";

interface Read {
  readonly event: string | undefined;
  readonly data: string | undefined;
  readonly id: string | undefined;
  readonly retryMs: number | undefined;
}

const read = (events: readonly SseEvent[]): Read[] =>
  events.map((event) => ({
    ...event,
    data: event.data && new TextDecoder("utf-8", { ignoreBOM: true }).decode(event.data),
  }));

const parse = (...chunks: readonly (string | Uint8Array)[]): Read[] => {
  const parser = new SseParser(1 << 20);
  return chunks.flatMap((chunk) => read(parser.push(typeof chunk === "string" ? encode(chunk) : chunk)));
};

const event = (fields: Partial<Read>): Read => ({
  event: undefined,
  data: undefined,
  id: undefined,
  retryMs: undefined,
  ...fields,
});

/** The standard's grammar over the whole text at once. */
function parseWhole(text: string): Read[] {
  const events: Read[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  lines.pop();
  let at = event({});
  for (const line of lines) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? [];
    if (line === "") {
      if (at.data !== undefined || at.id !== undefined || at.retryMs !== undefined) events.push(at);
      at = event({});
    } else if (name === "data") at = { ...at, data: at.data === undefined ? value : `${at.data}\n${value}` };
    else if (name === "event") at = { ...at, event: value };
    else if (name === "id" && !value.includes("\0")) at = { ...at, id: value };
    else if (name === "retry" && /^[0-9]+$/.test(value)) at = { ...at, retryMs: Number(value) };
  }
  return events;
}

const piece = fc.constantFrom(
  ..."data: x|data:|data|data:  two|data: {}|event: e|event|id: 7|id|id: a\0b|retry: 50|retry: 5x|retry|: note|:|dat|datax: 1|Data: 1|:data: 1".split(
    "|",
  ),
);
const text = fc.constantFrom(
  "data: žluťoučký 🦊",
  "\ufeff",
  "data: \ufeffx",
  "id: č",
  " data: 1",
  "data : 1",
  `data: ${"x".repeat(300)}`,
);
const lineEnd = fc.constantFrom("\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r\n");
const stream = fc
  .tuple(
    fc.constantFrom("", "\ufeff"),
    fc.array(fc.tuple(fc.oneof({ weight: 4, arbitrary: piece }, text), lineEnd), { maxLength: 14 }),
  )
  .map(([start, lines]) => start + lines.flat().join(""));

test("sse: any cut of the stream gives the events that the whole text holds", () => {
  let seen = 0;
  fc.assert(
    fc.property(stream, fc.array(fc.nat(600), { maxLength: 12 }), (text, cuts) => {
      const bytes = encode(text);
      const expected = parseWhole(text);
      seen += expected.length;
      assert.deepEqual(parse(bytes), expected);
      assert.deepEqual(parse(...Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))), expected);
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
        (left, right) => left - right,
      );
      assert.deepEqual(parse(...at.map((start, index) => bytes.slice(start, at[index + 1]))), expected);
    }),
    runs(1500),
  );
  assert(seen > 2000, `only ${seen} events`);
});

test("sse: fields, comments and what dispatches", () => {
  assert.deepEqual(parse("data: a\ndata: b\n\n"), [event({ data: "a\nb" })]);
  assert.deepEqual(parse("data\n\n"), [event({ data: "" })]);
  assert.deepEqual(parse("event: message\nid: 3\ndata:x\n\n"), [event({ event: "message", id: "3", data: "x" })]);
  assert.deepEqual(parse(": ping\n\n\n\nevent: lonely\n\nother: 1\n\n"), []);
  assert.deepEqual(parse("id: 1\n\nretry: 20\n\ndata: x\n\n"), [
    event({ id: "1" }),
    event({ retryMs: 20 }),
    event({ data: "x" }),
  ]);
  assert.deepEqual(parse("id: a\0\ndata: x\n\n"), [event({ data: "x" })]);
  assert.deepEqual(parse("id\ndata: x\n\n"), [event({ id: "", data: "x" })]);
  assert.deepEqual(parse("data: unfinished\n"), []);
});

test("sse: a lone CR ends a line at once, also at the end of a chunk", () => {
  assert.deepEqual(parse("data: a\r\r"), [event({ data: "a" })]);
  assert.deepEqual(parse("data: a\r", "\n\r", "\ndata: b\n\n"), [event({ data: "a" }), event({ data: "b" })]);
  assert.deepEqual(parse("data: a\r", new Uint8Array(0), "\n", "\n"), [event({ data: "a" })]);
});

test("sse: data stays as the bytes that came, valid UTF-8 or not, and does not alias the chunk", () => {
  const parser = new SseParser(1000);
  const chunk = new Uint8Array([...encode("data: "), 0xff, 0x00, 0xc3, 0x0a, 0x0a]);
  const [first] = parser.push(chunk);
  chunk.fill(0x20);
  assert.deepEqual(first?.data, new Uint8Array([0xff, 0x00, 0xc3]));
  const [second] = parser.push(encode("data: other\n\n"));
  assert.deepEqual(first?.data, new Uint8Array([0xff, 0x00, 0xc3]));
  assert.deepEqual(second?.data, encode("other"));
});

test("sse: an event may be as large as the limit and no larger, however it is cut", () => {
  const fits = encode(`: comments and ended events do not count\ndata: ${"x".repeat(20)}\ndata: ${"y".repeat(60)}\n\n`);
  const limit = "data: ".length * 2 + 80;
  for (const size of [1, 7, fits.length]) {
    const feed = (parser: SseParser): number => {
      let count = 0;
      for (let round = 0; round < 5; round++) {
        for (let at = 0; at < fits.length; at += size) count += parser.push(fits.subarray(at, at + size)).length;
      }
      return count;
    };
    assert.equal(feed(new SseParser(limit)), 5);
    const parser = new SseParser(limit - 1);
    const tooLarge = (error: unknown): boolean => error instanceof GatewayError && error.code === "badProtocol";
    assert.throws(() => feed(parser), tooLarge);
    assert.throws(() => parser.push(encode("\n\n")), tooLarge, "a failed stream stays failed");
  }
  assert.throws(() => new SseParser(10).push(encode("a line that never ends")), GatewayError);
});

test("sse: time grows with size only, for large events in small chunks and for many lines in one chunk", () => {
  const started = performance.now();
  const parser = new SseParser(1 << 26);
  const chunk = new Uint8Array(512).fill(0x61);
  parser.push(encode("data: "));
  for (let sent = 0; sent < 1 << 24; sent += chunk.length) parser.push(chunk);
  assert.equal(parser.push(encode("\n\n"))[0]?.data?.length, 1 << 24);
  assert.equal(parser.push(encode("data: x\n\n".repeat(200_000))).length, 200_000);
  assert.equal(parser.push(encode("data: x\r\r".repeat(200_000))).length, 200_000);
  assert.equal(parser.push(encode(`${"data:\n".repeat(200_000)}\n`))[0]?.data?.length, 199_999);
  assert(performance.now() - started < 30_000, "quadratic work takes minutes here");
});

test("sse: frames come back as they were sent", () => {
  assert.deepEqual(parse(frameEvent(encode('{"a":" é"}'))), [event({ data: '{"a":" é"}' })]);
  assert.deepEqual(parse(frameEvent(encode(" x"))), [event({ data: " x" })]);
  assert.deepEqual(parse(frameRetry(1500, "7")), [event({ id: "7", retryMs: 1500, data: "" })]);
  assert.deepEqual(parse(frameComment("ping")), []);
  assert.equal(new TextDecoder().decode(frameEvent(encode("x"))), "data: x\n\n");
  assert.equal(new TextDecoder().decode(frameComment("ping")), ": ping\n\n");
  assert.deepEqual(parse(frameComment("a\r\ndata: forged\n\n")), []);
});
