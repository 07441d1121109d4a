// Who watches the messages of a gateway sees all of them, once, whenever they began to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bench, call, json, result } from "./straight-kit.ts";

test("tail: a call that was not answered when it began lays no way past it", async () => {
  await using bench = await Bench.start();
  for (const until of [/"id":"long"[^]*\}\}$/, /"id":"long"[^]*\r\n0\r\n\r\n$/]) {
    const wire = bench.connect();
    bench.post(wire, call("long", '"_meta":{"progressToken":"mine"}'));
    const first = await bench.backend.calls.next("the first call");
    const tail = bench.connect();
    tail.socket.write("GET /admin/tail HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await tail.until(/x-ndjson[^]*\r\n\r\n1\r\n\n/);
    const isStream = until.source.includes("0\\r");
    const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${first.id},"progress":1}}`;
    const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    if (isStream) first.socket.end(`${stream}data: ${progress}\n\ndata: ${result(first.id)}\n\n`);
    else first.socket.write(json(result(first.id)));
    await wire.until(until);
    bench.post(wire, call("seen", '"_meta":{"progressToken":"mine"}'));
    const { id, socket } = await bench.backend.calls.next("the second call");
    socket.write(json(result(id)));
    await wire.until(/"id":"seen"/);
    await tail.until(/"from":"client"[^\n]*"id":"\\"seen\\""[^]*"from":"gateway"[^\n]*"id":"\\"seen\\""/);
    tail.socket.destroy();
    wire.socket.destroy();
  }
});

test("tail: each message is told once, also where the config changes between head and body", async () => {
  for (const isHeardFirst of [true, false]) {
    await using bench = await Bench.start();
    const [wire, tail] = [bench.connect(), bench.connect()];
    const listen = async (): Promise<void> => {
      tail.socket.write("GET /admin/tail HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await tail.until(/x-ndjson[^]*\r\n\r\n1\r\n\n/);
    };
    if (isHeardFirst) await listen();
    const body = call("half");
    bench.post(wire, "", { expect: "100-continue", "content-length": String(Buffer.byteLength(body)) });
    await wire.until(/100 Continue/);
    if (isHeardFirst) await bench.gateway.apply({ ...bench.gateway.plan });
    else await listen();
    wire.socket.write(body);
    const { id, socket } = await bench.backend.calls.next("the call");
    socket.write(json(result(id)));
    await wire.until(/"id":"half"/);
    bench.post(wire, call("last"));
    const last = await bench.backend.calls.next("the last call");
    last.socket.write(json(result(last.id)));
    await tail.until(/"from":"gateway"[^\n]*"id":"\\"last\\""/);
    assert.deepEqual(
      [...tail.text.matchAll(/"from":"(\w+)"[^\n]*?"id":"\\"(\w+)\\""/g)].map(([, from, which]) => `${from} ${which}`),
      ["client half", "gateway half", "client last", "gateway last"],
    );
  }
});
