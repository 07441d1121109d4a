// A call that goes straight ends as it would have on the long way, whatever backend, client or gateway do meanwhile.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Track } from "../../lib/front/track.ts";
import { within } from "./peer.ts";
import { Bench, bothWays, call, json, result, theLongWay, wentStraight } from "./straight-kit.ts";

test("straight: a result comes under the client's id, with nothing else changed", async () => {
  const text = await bothWays(({ id, socket }) => void socket.write(json(result(id, "naïve"))), /\}\}$/);
  assert.match(text, /content-type: application\/json\r\n/);
  assert.equal(Buffer.from(text.slice(text.indexOf("{")), "latin1").toString(), result('"next"', "naïve"));
});

test("straight: a request goes up byte by byte as it came, but for name, id and token", async () => {
  await using bench = await Bench.start();
  const wire = await bench.warm();
  for (const [sent, local] of [
    [call("next"), undefined],
    ['{"method":"tools/call", "params":{"name":"b__t","arguments":{}},\n"jsonrpc":"2.0","id":7}', undefined],
    [call("next", '"_meta":{"progressToken":"mine"}'), '"mine"'],
  ] as const) {
    bench.post(wire, sent);
    const { text, id, socket } = await bench.backend.calls.next("the call");
    const expected = sent
      .replace("b__t", "t")
      .replace(/"id":("next"|7)/, `"id":${id}`)
      .replace(local ?? "\0", id);
    assert.equal(Buffer.from(text, "latin1").toString(), expected);
    wire.text = "";
    socket.write(json(result(id)));
    await wire.until(/\}\}$/);
  }
});

test("straight: an answer that is something else than a plain result is the same on both ways", async () => {
  const error = '"error":{"code":-32000,"message":"é","data":[1]}}';
  const answers: ((id: string) => string)[] = [
    (id) => json(`{"jsonrpc":"2.0","id":${id},${error}`),
    (id) => json(`{"jsonrpc":"2.0","id":${id},${error}`, "", "400 Bad Request"),
    () => json(`{"jsonrpc":"2.0","id":null,${error}`),
    (id) => json(`{"result":{"x":1e400,"x":2},"id":"${id}","jsonrpc":"2.0"}`),
    (id) => json(result(id, "x".repeat(200_000))),
    (id) => json(`${result(id)},`),
    (id) => json(`[${result(id)}]`),
    () => json(""),
    () => "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>",
    (id) => json(result(id)).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    (id) => `${json(result(id))}x`,
    () => "SSH-2.0\r\n",
    (id) => {
      const body = result(id);
      const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
      return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    },
  ];
  for (const answer of answers) await bothWays(({ id, socket }) => void socket.write(answer(id)), /\}$|\}\]$/);
});

test("straight: an answer may come in any two pieces", async () => {
  await using bench = await Bench.start();
  const wire = await bench.warm();
  const before = wentStraight();
  const { length } = json(result("1"));
  for (let cut = 1; cut < length; cut += 1) {
    wire.text = "";
    bench.post(wire, call("next"));
    const { id, socket } = await bench.backend.calls.next("the call");
    const answer = json(result(id));
    socket.write(answer.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(answer.slice(cut));
    await wire.until(/\}\}$/);
    assert.ok(wire.text.endsWith(result('"next"')), wire.text);
  }
  assert.equal(wentStraight() - before, length - 1);
});

test("straight: progress before the result makes the answer a stream", async () => {
  const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
  const text = await bothWays(
    ({ id, socket }) => {
      const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":1}}`;
      socket.end(`${stream}data: ${progress}\n\ndata: ${result(id)}\n\n`);
    },
    /"next"[^]*\r\n0\r\n\r\n$/,
    {},
    call("next", '"_meta":{"progressToken":"mine"}'),
  );
  assert.match(text, /text\/event-stream[^]*"progressToken":"mine","progress":1[^]*"id":"next"/);
});

test("straight: behind a stream, too, the next request goes there from its first byte", async () => {
  const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunk = (message: string): string => {
    const event = `data: ${message}\n\n`;
    return `${event.length.toString(16)}\r\n${event}\r\n`;
  };
  await using bench = await Bench.start();
  const wire = bench.connect();
  const take = mock.method(Track.prototype, "take");
  const taken = (): number => take.mock.calls.filter(({ result }) => result === true).length;
  for (const earlier of [0, 0, 1, 2]) {
    assert.equal(taken(), earlier);
    wire.text = "";
    bench.post(wire, call("next", '"_meta":{"progressToken":"mine"}'));
    const { id, socket } = await bench.backend.calls.next("the call");
    const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":1}}`;
    socket.write(stream + chunk(progress));
    await wire.until(/"progressToken":"mine","progress":1/);
    socket.write(`${chunk(result(id))}0\r\n\r\n`);
    await wire.until(/"id":"next"[^]*\r\n0\r\n\r\n$/);
  }
  take.mock.restore();
});

test("straight: progress on another stream, while the call waits, too", async () => {
  await using bench = await Bench.start();
  const [wire, other] = [await bench.warm(), await bench.warm()];
  bench.post(wire, call("next", '"_meta":{"progressToken":"mine"}'));
  const first = await bench.backend.calls.next("the call");
  bench.post(other, call("more"));
  const second = await bench.backend.calls.next("the other call");
  const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${first.id},"progress":1}}`;
  const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
  second.socket.end(`${stream}data: ${progress}\n\ndata: ${result(second.id)}\n\n`);
  await other.until(/"more"/);
  first.socket.write(json(result(first.id)));
  await wire.until(/"progressToken":"mine","progress":1[^]*"id":"next"/);
});

test("straight: a lost connection is an error, and the call is not sent again", async () => {
  for (const how of ["end", "destroy"] as const) {
    const text = await bothWays(({ socket }) => void socket[how](), /"error"[^]*\}$/);
    assert.match(text, /closed the connection before it answered/);
  }
});

test("straight: a session that the backend has forgotten is opened again, and the call sent there", async () => {
  await bothWays(async ({ socket }, { backend }) => {
    socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const again = await backend.calls.next("the call in the new session");
    assert.equal(backend.sessions, 2);
    again.socket.write(json(result(again.id)));
  }, /"next"[^]*\}\}$/);
});

test("straight: a client that goes away takes its call back", async () => {
  const ways = (["destroy", "end"] as const).flatMap((how) => [
    { how, isFirst: true },
    { how, isFirst: false },
  ]);
  for (const { how, isFirst } of ways) {
    await using bench = await Bench.start();
    const wire = isFirst ? bench.connect() : await bench.warm();
    bench.post(wire, call("next"));
    const { id, socket } = await bench.backend.calls.next("the call");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    wire.socket[how]();
    let notice = await bench.backend.notices.next("the cancellation");
    while (notice.text.includes("initialized")) notice = await bench.backend.notices.next("the cancellation");
    assert.match(notice.text, new RegExp(`notifications/cancelled.*"requestId":${id}[,}]`));
    await within(closed, "the end of the connection");
  }
});

test("straight: a call that is taken back by a message is answered by nothing", async () => {
  await bothWays(async (_heard, bench) => {
    bench.post(
      bench.connect(),
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"next","reason":"why"}}',
    );
    let notice = await bench.backend.notices.next("the cancellation");
    while (!notice.text.includes("cancelled")) notice = await bench.backend.notices.next("the cancellation");
    assert.match(notice.text, /"reason":"why"/);
  }, /text\/event-stream[^]*\r\n0\r\n\r\n$/);
});

test("straight: a silent call becomes a stream, and its result comes there", async () => {
  const settings = { timeouts: { keepAliveMs: 40 } };
  const until = /text\/event-stream[^]*: keep-alive/;
  for (const isFirst of [true, false]) {
    await using bench = await Bench.start(settings);
    const wire = isFirst ? bench.connect() : await bench.warm();
    bench.post(wire, call("next"));
    const { id, socket } = await bench.backend.calls.next("the call");
    await wire.until(until);
    socket.write(json(result(id)));
    await wire.until(/"id":"next"[^]*\r\n0\r\n\r\n$/);
  }
});

test("straight: calls go straight on connections that are opened for them", async () => {
  await using bench = await Bench.start();
  const wires = Array.from({ length: 3 }, () => bench.connect());
  const before = wentStraight();
  for (const [index, wire] of wires.entries()) bench.post(wire, call(`no ${index}`));
  for (let count = 0; count < wires.length; count += 1) {
    const { id, socket } = await bench.backend.calls.next("a call");
    socket.write(json(result(id)));
  }
  for (const [index, wire] of wires.entries()) await wire.until(new RegExp(`"id":"no ${index}","result"`));
  assert.equal(wentStraight(), before + wires.length);
});

test("straight: a backend that is gone is the same failure on both ways", async () => {
  const texts: string[] = [];
  for (const isLong of [true, false]) {
    await using bench = await Bench.start({ callMs: 500 });
    const wire = bench.connect();
    bench.backend.vanish();
    const ask = async (): Promise<void> => {
      bench.post(wire, call("next"));
      await wire.until(/"next","error"[^]*\}$/);
    };
    await (isLong ? theLongWay(ask) : ask());
    texts.push(wire.text.slice(wire.text.indexOf("{")).replaceAll(/127\.0\.0\.1:\d+|[\d.]+ m?s\b/g, ""));
  }
  assert.equal(texts[1], texts[0]);
});

test("straight: calls in flight are answered when the gateway closes, and those that come then refused", async () => {
  for (const isFirst of [true, false]) {
    await using bench = await Bench.start({ timeouts: { drainMs: 50 } });
    const wire = isFirst ? bench.connect() : await bench.warm();
    bench.post(wire, call("next"));
    await bench.backend.calls.next("the call");
    const closing = bench.gateway.close();
    await wire.until(/"next"[^]*shutting down/);
    await closing;
    const before = wentStraight();
    bench.post(wire, call("late"));
    await wire.until(/"late"[^]*shutting down/);
    assert.equal(wentStraight(), before);
  }
});

test("straight: requests that come before their turn, or in pieces, are answered in order", async () => {
  await using bench = await Bench.start();
  const wire = await bench.warm();
  for (const id of ["no 1", "no 2", "no 3"]) bench.post(wire, call(id));
  for (let count = 0; count < 3; count += 1) {
    const { id, socket } = await bench.backend.calls.next("a call");
    assert.equal(bench.backend.calls.size, 0);
    socket.write(json(result(id)));
  }
  await wire.until(/"no 1"[^]*"no 2"[^]*"no 3"[^]*\}\}$/);
});

test("straight: a call that takes too long is answered by an error", async () => {
  const text = await bothWays(() => {}, /"error"[^]*\}$/, { callMs: 60 });
  assert.match(text, /"next"[^]*did not answer tools\/call within 60 ms/);
});
