// The bounds of what streams keep, and what becomes of streams whose client is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Archive } from "../../lib/front/archive.ts";
import { ChunkSink, ChunkTurn } from "../../lib/front/chunks.ts";
import { Crowd } from "../../lib/front/crowd.ts";
import { CallStream } from "../../lib/front/callstream.ts";
import { EventLog, type EventSink } from "../../lib/front/eventlog.ts";
import { SessionStreams } from "../../lib/front/streams.ts";
import { incomingOf, responseOf } from "./exchange.ts";
import { Events } from "./kit.ts";
import { within } from "./peer.ts";

const mebibyte = 2 ** 20;
const message = (text: string): Uint8Array =>
  Buffer.from(`{"jsonrpc":"2.0","method":"notifications/x","params":{"text":"${text}"}}`);

/** A connection that records what it was given. */
class Recorder implements EventSink {
  readonly texts: string[] = [];
  ended = false;
  write(frame: Uint8Array): void {
    const [, text] = /"text":"([^"]*)"/.exec(Buffer.from(frame).toString()) ?? [];
    if (text !== undefined) this.texts.push(text);
  }
  end(): void {
    this.ended = true;
  }
}

test("event log: keeps so many bytes and events, the newest one whatever its size", () => {
  const log = new EventLog({ id: "a", maxBytes: 10_000 });
  for (let n = 0; n < 100; n += 1) log.send(message("x".repeat(1000)));
  assert.ok(log.bytes <= 10_000, String(log.bytes));
  log.send(message("y".repeat(50_000)));
  const sink = new Recorder();
  log.attach(sink, false, 0);
  assert.deepEqual(
    sink.texts.map(({ length }) => length),
    [50_000],
  );
  const many = new EventLog({ id: "b", maxBytes: mebibyte });
  for (let n = 0; n < 2000; n += 1) many.send(message(String(n)));
  const last = new Recorder();
  many.attach(last, false, 0);
  assert.deepEqual([last.texts.length, last.texts[0], last.texts.at(-1)], [1000, "1000", "1999"]);
});

test("event log: equal hints wait once, equal messages as often as they came", () => {
  const log = new EventLog({ id: "a", maxBytes: mebibyte });
  const changed = Buffer.from('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}');
  const updated = Buffer.from('{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:y"}}');
  for (let n = 0; n < 5; n += 1) for (const hint of [changed, updated]) log.send(hint);
  for (let n = 0; n < 3; n += 1) log.send(message("tick"));
  log.send(changed);
  const frames: string[] = [];
  log.attach({ write: (frame) => void frames.push(Buffer.from(frame).toString()), end: () => {} }, false);
  const methods = frames.map((frame) => /notifications\/([^"]+)/.exec(frame)?.[1]);
  assert.deepEqual(methods, ["tools/list_changed", "resources/updated", "x", "x", "x", "tools/list_changed"]);
});

test("event log: a forged number beyond the last event hides nothing", () => {
  const log = new EventLog({ id: "a", maxBytes: mebibyte });
  log.send(message("1"));
  const sink = new Recorder();
  log.attach(sink, true, 999_999);
  log.send(message("2"));
  assert.deepEqual(sink.texts, ["2"]);
});

test("event log: is held up by its newest connection alone, and not by one that it has left", async () => {
  const log = new EventLog({ id: "a", maxBytes: mebibyte });
  const never = new Promise<void>(() => {});
  class Stuck extends Recorder {
    readonly congestion = never;
  }
  const [first, second, keen] = [new Stuck(), new Stuck(), new Recorder()];
  log.attach(first, false);
  const held = log.congestion;
  assert.ok(held);
  assert.equal(log.congestion, held, "one promise, however often it is asked for");
  log.attach(second, false);
  await within(held, "the connection that took over");
  const again = log.congestion;
  assert.ok(again);
  log.detach(second);
  await within(again, "the end of the newest connection");
  assert.ok(log.congestion, "the older one carries it again");
  log.attach(keen, false);
  assert.equal(log.congestion, undefined);
  log.detach(keen);
  const last = log.congestion;
  log.detach(first);
  await within(last ?? never, "the end of the last connection");
  assert.equal(log.congestion, undefined);
});

test("event log: goes on when its connection takes more", async () => {
  const log = new EventLog({ id: "a", maxBytes: mebibyte });
  const relief = Promise.withResolvers<void>();
  let congestion: Promise<void> | undefined = relief.promise;
  log.attach({ write: () => {}, end: () => {}, congestion: undefined }, false);
  const sink: EventSink = {
    write: () => {},
    end: () => {},
    get congestion() {
      return congestion;
    },
  };
  log.attach(sink, false);
  const held = log.congestion;
  assert.ok(held);
  congestion = undefined;
  relief.resolve();
  await within(held, "the connection");
  assert.equal(log.congestion, undefined);
});

test("streams: ended ones are dropped, the oldest first, and all of them with their session", () => {
  const archive = new Archive();
  const streams = new SessionStreams(archive);
  for (let n = 0; n < 500; n += 1) {
    const log = streams.open({ connected: () => {} });
    log.send(message(String(n)));
    streams.finish(log);
  }
  assert.deepEqual([streams.size, archive.size], [100, 100]);
  const live = streams.open({ connected: () => {} });
  live.send(message("live"));
  assert.equal(streams.size, 101);
  streams.close();
  assert.deepEqual([streams.size, archive.size, archive.bytes], [0, 0, 0]);
});

test("streams: ended ones of all sessions stay within one limit of bytes, and live a minute", () => {
  const archive = new Archive();
  const sessions = Array.from({ length: 40 }, () => new SessionStreams(archive));
  for (const streams of sessions) {
    for (let n = 0; n < 3; n += 1) {
      const log = streams.open({ connected: () => {} });
      log.send(message("x".repeat(mebibyte)));
      streams.finish(log);
    }
  }
  assert.ok(archive.bytes <= 64 * mebibyte, String(archive.bytes));
  assert.equal(sessions[0]?.size, 0, "the oldest went first");
  assert.equal(sessions.at(-1)?.size, 3);
  archive.expire(Date.now() + 59_000);
  assert.equal(sessions.at(-1)?.size, 3);
  archive.expire(Date.now() + 61_000);
  assert.deepEqual([sessions.at(-1)?.size, archive.bytes], [0, 0]);
});

/** A sink, with the text that it wrote and how often it said that it had ended. */
function createSink(
  chunked: boolean = true,
  roomBytes: number = 1000,
): { sink: ChunkSink; text: () => string; ends: () => number } {
  const written: Uint8Array[] = [];
  let ends = 0;
  const output = {
    encoder: { chunkRoom: Buffer.alloc(roomBytes), chunkTurn: new ChunkTurn(), crowd: new Crowd() },
    out: { congestion: undefined },
    write: (bytes: Uint8Array) => void written.push(bytes),
    writeStart: (bytes: Uint8Array, length: number) => void written.push(new Uint8Array(bytes.subarray(0, length))),
    ended: () => void (ends += 1),
  };
  const sink = new ChunkSink(output, Buffer.from("head;"), chunked);
  return { sink, text: () => Buffer.concat(written).toString(), ends: () => ends };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("chunk sink: the head leaves at once, and the frames of one turn in one chunk", async () => {
  for (const roomBytes of [1000, 45, 0]) {
    const { sink, text, ends } = createSink(true, roomBytes);
    await turn();
    assert.equal(text(), "head;");
    for (const frame of ["one", "two"]) sink.write(Buffer.from(frame));
    await turn();
    assert.equal(text(), "head;6\r\nonetwo\r\n");
    sink.write(Buffer.from("x".repeat(26)));
    sink.end();
    sink.write(Buffer.from("late"));
    await turn();
    assert.equal(text(), `head;6\r\nonetwo\r\n1a\r\n${"x".repeat(26)}\r\n0\r\n\r\n`);
    assert.equal(ends(), 1);
  }
});

test("chunk sink: without chunks the frames are all there is", async () => {
  const { sink, text, ends } = createSink(false);
  sink.write(Buffer.from("one"));
  sink.end();
  await turn();
  assert.equal(text(), "head;one");
  assert.equal(ends(), 1);
});

test("chunk sink: a client that is lost ends the stream once, and not where it has ended before", async () => {
  for (const endsFirst of [false, true]) {
    const { sink, text, ends } = createSink();
    let gone = 0;
    sink.watch({ gone: () => void (gone += 1) });
    if (endsFirst) sink.end();
    await turn();
    for (let n = 0; n < 2; n += 1) sink.lose();
    sink.write(Buffer.from("late"));
    await turn();
    assert.deepEqual([gone, ends()], endsFirst ? [0, 1] : [1, 0]);
    assert.equal(text(), endsFirst ? "head;0\r\n\r\n" : "head;");
  }
});

test("chunk sink: a client that is lost while its replay is written leaves its log at once", () => {
  const connected: boolean[] = [];
  const log = new EventLog({ id: "a", maxBytes: mebibyte, watch: { connected: (is) => void connected.push(is) } });
  log.send(message("x"));
  const { sink } = createSink();
  log.attach(sink, false, 0);
  sink.lose();
  sink.watch({ gone: () => log.detach(sink) });
  assert.deepEqual(connected, [true, false]);
  assert.equal(log.connected, false);
});

test("call stream: a call that is to be polled ends its connection with a time, and the client gets the reply later", async () => {
  const request = incomingOf(new Request("http://127.0.0.1/mcp"));
  const streams = new SessionStreams(new Archive());
  const call = new CallStream({ streams, prime: true, resumeMs: 5_000, replies: 1, isBatch: false, request });
  call.pause(30);
  const events = await new Events(responseOf(await call.response())).rest();
  assert.deepEqual(
    events.map(({ text }) => text),
    ["", ""],
  );
  assert.equal(events[1]?.retryMs, 30);
  const resumed = new Events(responseOf(streams.listen(events[1]?.id ?? "", true)));
  call.reply(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}'));
  assert.deepEqual(await resumed.messages(), [{ jsonrpc: "2.0", id: 1, result: {} }]);
});

test("call stream: an older client, which knows no polling, keeps its connection", async () => {
  const request = incomingOf(new Request("http://127.0.0.1/mcp"));
  const streams = new SessionStreams(new Archive());
  const call = new CallStream({ streams, prime: false, resumeMs: 5_000, replies: 1, isBatch: false, request });
  call.pause(30);
  call.reply(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}'));
  assert.equal((await call.response()).headers["content-type"], "application/json");
});
