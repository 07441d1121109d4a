// The gateway on a pair of streams.
import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import type { Gateway } from "../../lib/gateway.ts";
import { callMessage, resultText, type Settings, startBench } from "./kit.ts";
import { type Message, Queue, record, within } from "./peer.ts";

class Pipe {
  readonly input: PassThrough = new PassThrough();
  readonly output: PassThrough = new PassThrough();
  readonly lines: Queue<string> = new Queue();
  readonly ended: Promise<void>;

  constructor(gateway: Gateway) {
    let rest = "";
    this.output.on("data", (chunk: Uint8Array) => {
      const [...whole] = (rest + Buffer.from(chunk).toString()).split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) this.lines.push(line);
    });
    this.ended = gateway.serveStdio(this.input, this.output);
  }

  write(...messages: readonly (object | string)[]): void {
    this.input.write(
      messages.map((message) => `${typeof message === "string" ? message : JSON.stringify(message)}\n`).join(""),
    );
  }

  async message(): Promise<Message> {
    return record(JSON.parse(await this.lines.next("a line on stdout")));
  }

  async initialize(version: string = "2025-11-25"): Promise<Message> {
    this.write(initialize(version));
    return record((await this.message())["result"]);
  }

  end(): Promise<void> {
    this.input.end();
    return within(this.ended, "the end of the run");
  }
}

const ping = (id: unknown = 1): object => ({ jsonrpc: "2.0", id, method: "ping" });

function initialize(version: string = "2025-11-25"): object {
  return {
    jsonrpc: "2.0",
    id: "init",
    method: "initialize",
    params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "t", version: "1" } },
  };
}

async function open(
  settings: Settings = {},
): Promise<{ bench: Awaited<ReturnType<typeof startBench>>; pipe: Pipe } & AsyncDisposable> {
  const bench = await startBench(settings);
  const pipe = new Pipe(bench.gateway);
  return { bench, pipe, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

test("stdio: initialize, a call with progress, and its reply, in this order", async () => {
  await using opened = await open();
  const { bench, pipe } = opened;
  assert.equal((await pipe.initialize())["protocolVersion"], "2025-11-25");
  pipe.write({ jsonrpc: "2.0", method: "notifications/initialized" }, callMessage(7));
  const call = await bench.peer.call();
  call.progress(1);
  call.reply("done");
  assert.equal((await pipe.message())["method"], "notifications/progress");
  const reply = await pipe.message();
  assert.deepEqual([reply["id"], resultText(reply)], [7, "done"]);
  await pipe.end();
});

test("stdio: before initialize only ping is answered; a second initialize is refused", async () => {
  await using opened = await open();
  const { pipe } = opened;
  pipe.write(ping(1), callMessage(2), { jsonrpc: "2.0", id: 3, method: "server/discover" });
  assert.deepEqual(await pipe.message(), { jsonrpc: "2.0", id: 1, result: {} });
  // 2026-07-28, Base Protocol, "`_meta`": a request without its metadata is malformed.
  for (const id of [2, 3]) {
    const refused = await pipe.message();
    assert.deepEqual([refused["id"], record(refused["error"])["code"]], [id, -32602]);
  }
  await pipe.initialize();
  pipe.write(initialize());
  const again = await pipe.message();
  assert.deepEqual([again["id"], record(again["error"])["code"]], ["init", -32600]);
  await pipe.end();
});

test("stdio: what is no message is answered without an id, and the next line is served", async () => {
  await using opened = await open({ limits: { bodyBytes: 1000 } });
  const { pipe } = opened;
  const cases: readonly (readonly [string, number])[] = [
    ["nonsense", -32700],
    ['{"jsonrpc":"2.0"', -32700],
    ["{}", -32600],
    ["[]", -32600],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600],
    [`{"text":"${"x".repeat(2000)}"}`, -32600],
  ];
  for (const [line, code] of cases) {
    pipe.write(line, "", "\r", ping());
    const refused = await pipe.message();
    assert.equal(record(refused["error"])["code"], code, line.slice(0, 40));
    assert.equal("id" in refused, false);
    assert.deepEqual((await pipe.message())["result"], {});
  }
  await pipe.end();
});

test("stdio: a batch of 2025-03-26 is answered as one, also where a call of it was taken back", async () => {
  await using opened = await open();
  const { bench, pipe } = opened;
  await pipe.initialize("2025-03-26");
  pipe.write([ping("a"), { jsonrpc: "2.0", method: "notifications/initialized" }, ping("b")]);
  assert.deepEqual(JSON.parse(await pipe.lines.next("the batch")), [
    { jsonrpc: "2.0", id: "a", result: {} },
    { jsonrpc: "2.0", id: "b", result: {} },
  ]);
  pipe.write([ping("c"), callMessage("d")]);
  const call = await bench.peer.call();
  pipe.write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "d" } });
  await call.dropped();
  assert.deepEqual(JSON.parse(await pipe.lines.next("the batch")), [{ jsonrpc: "2.0", id: "c", result: {} }]);
  pipe.write([{ jsonrpc: "2.0", method: "notifications/initialized" }], ping("e"));
  assert.equal((await pipe.message())["id"], "e");
  await pipe.end();
});

test("stdio: at the end of the input, calls in flight are still answered", async () => {
  await using opened = await open({ timeouts: { drainMs: 5_000 } });
  const { bench, pipe } = opened;
  // As a script does: everything at once, and no newline at the end.
  pipe.input.end(
    `${JSON.stringify(initialize())}\n${JSON.stringify(callMessage(1))}\n${JSON.stringify(callMessage(2))}`,
  );
  const calls = [await bench.peer.call(), await bench.peer.call()];
  for (const call of calls) call.reply("done");
  await within(pipe.ended, "the end of the run");
  assert.equal((await pipe.message())["id"], "init");
  assert.deepEqual(new Set([(await pipe.message())["id"], (await pipe.message())["id"]]), new Set([1, 2]));
});

test("stdio: at the end of the input, a call that does not end is cancelled after drain", async () => {
  await using opened = await open({ timeouts: { drainMs: 50 } });
  const { bench, pipe } = opened;
  await pipe.initialize();
  pipe.write(callMessage(1));
  const call = await bench.peer.call();
  const ended = pipe.end();
  await call.dropped();
  await ended;
});

test("stdio: when the gateway closes, calls are answered with an error and the run ends", async () => {
  await using opened = await open({ timeouts: { drainMs: 50 } });
  const { bench, pipe } = opened;
  await pipe.initialize();
  pipe.write(callMessage(1));
  await bench.peer.call();
  const closed = bench.gateway.close();
  pipe.write(callMessage(2));
  for (const id of [2, 1]) {
    const refused = await pipe.message();
    assert.deepEqual([refused["id"], record(refused["error"])["code"]], [id, -32000]);
  }
  await within(pipe.ended, "the end of the run");
  await closed;
});

test("stdio: a client that does not read is not read from either", async () => {
  await using opened = await startBench();
  const input = new PassThrough();
  const written: number[] = [];
  const blocked = Promise.withResolvers<() => void>();
  const output = new Writable({
    highWaterMark: 1000,
    write(chunk: Uint8Array, _encoding, done) {
      written.push(chunk.length);
      if (written.length === 1) blocked.resolve(done);
      else done();
    },
  });
  const ended = opened.gateway.serveStdio(input, output);
  const line = `${JSON.stringify(ping())}\n`;
  let sent = 0;
  while (input.write(line.repeat(100)) && sent < 10_000) {
    sent += 100;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent < 10_000, "the input was taken although nobody read the output");
  (await blocked.promise)();
  input.end();
  await within(ended, "the end of the run");
  assert.equal(written.length, sent + 100, "every ping was answered once the client read again");
});

test("stdio: a client that closes its output ends the run and its calls", async () => {
  await using opened = await open();
  const { bench, pipe } = opened;
  await pipe.initialize();
  pipe.write(callMessage(1));
  const call = await bench.peer.call();
  pipe.output.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  await call.dropped();
  await within(pipe.ended, "the end of the run");
});

test("stdio: the comments of the HTTP front do not disturb it", async () => {
  await using opened = await open({ timeouts: { keepAliveMs: 20 } });
  const { bench, pipe } = opened;
  await pipe.initialize();
  // A stream that gets its comments shows that they were due.
  const events = await (await bench.client()).listen();
  while (!events.raw.includes(": keep-alive")) assert.ok(await events.pull());
  pipe.write(ping());
  assert.deepEqual((await pipe.message())["result"], {});
  await pipe.end();
});
