// Traces of calls that go straight: recorded or not, a call takes the same way, and its spans say the same.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { observeDefaults } from "../../lib/config/observe.ts";
import { recordOf, until } from "../e2e/kit.ts";
import {
  Bench,
  type BenchSettings,
  call,
  type Heard,
  json,
  result,
  theLongWay,
  wentStraight,
} from "../front/straight-kit.ts";
import { Collector, type TakenSpan } from "./collector.ts";

// The SDK collects spans for five seconds otherwise.
process.env["OTEL_BSP_SCHEDULE_DELAY"] = "50";

const tracesTo = (collector: Collector, sample = 1): BenchSettings => ({
  plan: {
    observe: { ...observeDefaults, traces: { isOff: false, headers: {}, endpoint: collector.url, sample } },
  },
});

const traceparent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;

/** What the backend was told of the trace, which is the same in the head and in the message. */
function contextIn({ head, text }: Heard): { readonly traceId: string; readonly spanId: string } {
  const [, header = ""] = /^traceparent: (.*)\r$/m.exec(head) ?? [];
  const meta = recordOf(recordOf(recordOf(JSON.parse(text))["params"])["_meta"]);
  assert.equal(meta["traceparent"], header);
  const [, traceId = "", spanId = ""] = traceparent.exec(header) ?? assert.fail(head);
  return { traceId, spanId };
}

/** Without what is of one call alone. */
const plain = (spans: readonly TakenSpan[]): unknown[] =>
  spans
    .map(({ name, kind, service, attributes, isError }) => ({ name, kind, service, attributes, isError }))
    .toSorted((a, b) => a.kind - b.kind);

test("traces: a recorded call goes straight, and its spans are those of the long way", async () => {
  await using collector = await Collector.start();
  await using bench = await Bench.start(tracesTo(collector));
  const wire = await bench.warm();
  const seen: unknown[] = [];
  for (const way of ["straight", "long"] as const) {
    const before = wentStraight();
    const ask = async (): Promise<Heard> => {
      bench.post(wire, call("next"));
      return await bench.backend.calls.next("the call");
    };
    const heard = way === "long" ? await theLongWay(ask) : await ask();
    assert.equal(wentStraight() - before, way === "long" ? 0 : 1);
    heard.socket.write(json(result(heard.id)));
    await wire.until(/\}\}$/);
    wire.text = "";
    const { traceId, spanId } = contextIn(heard);
    const spans = await collector.trace(traceId, 2);
    const [own, attempt] = [spans.find(({ kind }) => kind === 2), spans.find(({ kind }) => kind === 3)];
    assert.deepEqual([own?.parentSpanId, attempt?.parentSpanId, attempt?.spanId], ["", own?.spanId, spanId]);
    seen.push(plain(spans));
  }
  assert.deepEqual(seen[0], seen[1]);
});

test("traces: the context stands behind the name or the token, and nothing else of a message is changed", async () => {
  await using collector = await Collector.start();
  await using bench = await Bench.start(tracesTo(collector));
  const wire = await bench.warm();
  const before = wentStraight();
  const messages = [
    call("next"),
    call("next", '"arguments":{"name":"b__t","_meta":{"progressToken":1}}'),
    '{"method":"tools/call", "params":{"arguments":{} , "name":"b__t"},\n"jsonrpc":"2.0","id":"next"}',
    call("next", '"_meta":{"progressToken":"mine"}'),
    '{"params":{"_meta": { "progressToken" : 7 },"name":"b__t"},"id":7,"method":"tools/call","jsonrpc":"2.0"}',
  ];
  for (const sent of messages) {
    bench.post(wire, sent);
    const heard = await bench.backend.calls.next("the call");
    contextIn(heard);
    const text = Buffer.from(heard.text, "latin1").toString();
    const length = Number(/content-length: (\d+)/.exec(heard.head)?.[1]);
    assert.equal(Buffer.byteLength(text), length);
    const without = text.replace(/,"_meta":\{"traceparent":"[^"]*"\}|,"traceparent":"[^"]*"/, "");
    const token = /("progressToken"\s*:\s*)("mine"|7)/;
    const expected = sent
      .replace('"name":"b__t"}', '"name":"t"}')
      .replace(/("params":\{|, )"name":"b__t"/, '$1"name":"t"')
      .replace(/"id":("next"|7)/, `"id":${heard.id}`)
      .replace(token, `$1${heard.id}`);
    assert.equal(without, expected);
    heard.socket.write(json(result(heard.id)));
    await wire.until(/\}\}$/);
    wire.text = "";
  }
  assert.equal(wentStraight() - before, messages.length);
});

test("traces: an attempt that went straight and is lost is told", async () => {
  await using collector = await Collector.start();
  await using bench = await Bench.start(tracesTo(collector));
  const wire = await bench.warm();
  bench.post(wire, call("next"));
  const heard = await bench.backend.calls.next("the call");
  heard.socket.destroy();
  await wire.until(/"error"/);
  const { traceId } = contextIn(heard);
  const spans = await collector.trace(traceId, 2);
  assert.deepEqual(
    spans.map(({ attributes, isError }) => [attributes["error.type"], isError]),
    spans.map(() => ["lost", true]),
  );
});

test("traces: of the calls that go straight the share is recorded that is asked for, and the others say nothing", async () => {
  await using collector = await Collector.start();
  const count = 400;
  await using bench = await Bench.start(tracesTo(collector, 0.25));
  const wire = await bench.warm();
  const before = wentStraight();
  let recorded = 0;
  for (let at = 0; at < count; at += 1) {
    bench.post(wire, call("next"));
    const heard = await bench.backend.calls.next("the call");
    if (/traceparent/.test(heard.head + heard.text)) recorded += 1;
    else assert.ok(heard.text.endsWith('"params":{"name":"t","arguments":{"a":"Ã©"}}}'), heard.text);
    heard.socket.write(json(result(heard.id)));
    await wire.until(/\}\}$/);
    wire.text = "";
  }
  assert.equal(wentStraight() - before, count);
  // Nine standard deviations: 400 calls, of which a quarter.
  assert.ok(recorded > 22 && recorded < 178, String(recorded));
  const owns = (): number => collector.spans.filter(({ kind }) => kind === 2).length;
  await until(() => owns() >= recorded, "a span for each of them", 15_000);
});
