// Traces: one connected trace from the client over the gateway's attempts to the backend, and nothing where nobody traces.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { observeDefaults, type TracesPlan } from "../../lib/config/observe.ts";
import type { Gateway as InnerGateway } from "../../lib/gateway.ts";
import { type BackendConfig, Gateway, recordOf } from "../e2e/kit.ts";
import { createGateway, FrontClient, resultText } from "../front/kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { runtimeCommand, startScript } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { Collector, type TakenSpan } from "./collector.ts";
import { FaultyServer, scrape, tool } from "./kit.ts";

// The SDK collects spans for five seconds otherwise; the gateways that are started have it too.
process.env["OTEL_BSP_SCHEDULE_DELAY"] = "50";

const clientSpan = "00f067aa0ba902b7";
let lastTrace = 0;

/** A client's context of a trace of its own. */
function context(flags = "01"): { readonly traceId: string; readonly traceparent: string } {
  lastTrace += 1;
  const traceId = `4bf92f3577b34da6a3ce929d0e0e${String(lastTrace).padStart(4, "0")}`;
  return { traceId, traceparent: `00-${traceId}-${clientSpan}-${flags}` };
}

function byName(spans: readonly TakenSpan[], name: string): TakenSpan {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `${name}: ${JSON.stringify(spans)}`);
  return found[0] ?? assert.fail();
}

const script = "test/observe/traced-server.ts";
const seenBy = (result: unknown): Readonly<Record<string, unknown>> =>
  recordOf(JSON.parse(String(resultText({ result: recordOf(result) }))));

for (const era of ["legacy", "modern"] as const) {
  for (const wire of ["http", "stdio"] as const) {
    test(`traces: ${era} backend over ${wire}: client, gateway, attempt and backend are one trace`, async () => {
      await using collector = await Collector.start();
      const server = wire === "http" ? startScript(script, ["http", era, collector.url]) : undefined;
      const [, url = ""] = (await server?.line(/^listening (http:\S+)$/)) ?? [];
      const [command, args] = runtimeCommand(script, "stdio", era, collector.url);
      const backend: BackendConfig = wire === "http" ? { url } : { command, args };
      try {
        await using gateway = await Gateway.start({
          backends: { b: backend },
          traces: { endpoint: collector.url, service: "the gateway", headers: { "x-key": "s3cret" } },
        });
        await gateway.up("b");
        for (const client of ["legacy", "modern"] as const) {
          const { traceId, traceparent } = context();
          const meta = { traceparent, tracestate: "vendor=1", baggage: "user=ada" };
          const result = await callWith(gateway.url(), client, meta);
          const spans = await collector.trace(traceId, 3);
          const own = byName(spans, "tools/call b__work");
          const attempt = byName(spans, "tools/call work");
          const last = byName(spans, "the backend");
          assert.deepEqual([own.parentSpanId, own.kind, own.service], [clientSpan, 2, "the gateway"]);
          assert.deepEqual([attempt.parentSpanId, attempt.kind], [own.spanId, 3]);
          assert.equal(last.parentSpanId, attempt.spanId);
          assert.equal(own.attributes["gen_ai.tool.name"], "b__work");
          assert.equal(own.attributes["mcp.method.name"], "tools/call");
          assert.equal(attempt.attributes["mcpctl.backend"], "b");
          const { meta: got, header } = seenBy(result);
          assert.equal(recordOf(got)["tracestate"], "vendor=1");
          assert.equal(recordOf(got)["baggage"], "user=ada");
          if (wire === "http") assert.equal(header, recordOf(got)["traceparent"]);
        }
        assert.ok(collector.headers.some((headers) => headers["x-key"] === "s3cret"));
      } finally {
        await server?.stop();
      }
    });
  }
}

async function callWith(url: string, era: "legacy" | "modern", meta: object): Promise<unknown> {
  const client = new RawClient(url);
  if (era === "modern") {
    const { body, headers } = modernRequest("tools/call", { name: "b__work", arguments: {} }, { meta: { ...meta } });
    const { text } = await client.post(body, headers);
    return recordOf(JSON.parse(text))["result"];
  }
  await client.initialize();
  const reply = await client.request("tools/call", { name: "b__work", arguments: {}, _meta: meta }, 7);
  return recordOf(JSON.parse(reply))["result"];
}

/** A gateway in this process that traces to a collector. */
async function traced(server: FaultyServer, more: Partial<TracesPlan>): Promise<InnerGateway> {
  const traces = { isOff: false, headers: {}, ...more };
  const gateway = await createGateway({ plan: { observe: { ...observeDefaults, traces } } }, { peer: server.url });
  await gateway.arrivals(60_000);
  return gateway;
}

const traceparentAt = (server: FaultyServer): unknown =>
  recordOf(recordOf(server.of("tools/call").at(-1)?.message["params"])["_meta"])["traceparent"];

test("traces: every attempt has a span, with why it failed, and so has every question to the client", async () => {
  await using collector = await Collector.start();
  await using server = await FaultyServer.start();
  const gateway = await traced(server, { endpoint: collector.url });
  const client = new FrontClient(gateway);
  await client.initialize("2025-11-25", { elicitation: {} });
  const dropped = context();
  await client.post(tool("peer__drop", 1), { traceparent: dropped.traceparent });
  const spans = await collector.trace(dropped.traceId, 4);
  const attempts = spans.filter(({ name }) => name === "tools/call drop");
  assert.deepEqual(
    attempts.map(({ attributes, isError }) => [attributes["mcpctl.attempt"], attributes["error.type"], isError]),
    [1, 2, 3].map((attempt) => [String(attempt), "lost", true]),
  );
  const own = byName(spans, "tools/call peer__drop");
  assert.ok(attempts.every(({ parentSpanId }) => parentSpanId === own.spanId));
  assert.deepEqual([own.attributes["error.type"], own.isError, own.parentSpanId], ["lost", true, clientSpan]);

  const asked = context();
  const modern = new FrontClient(gateway);
  const ask = (more: object, id: number): ReturnType<typeof modernRequest> =>
    modernRequest(
      "tools/call",
      { name: "peer__ask", arguments: {}, ...more },
      { id, capabilities: { elicitation: {} }, meta: { traceparent: asked.traceparent } },
    );
  const first = ask({}, 1);
  const { json } = await modern.post(first.body, first.headers);
  const { requestState, inputRequests } = recordOf(json["result"]);
  const answers = Object.keys(recordOf(inputRequests)).map((key) => [key, { action: "decline" }]);
  const second = ask({ requestState, inputResponses: Object.fromEntries(answers) }, 2);
  await modern.post(second.body, second.headers);
  // Two requests of the client, one call at the backend, one question.
  const round = await collector.trace(asked.traceId, 4);
  assert.equal(round.filter(({ name }) => name === "tools/call peer__ask").length, 2);
  byName(round, "tools/call ask");
  byName(round, "elicitation/create");
  await gateway.close();
});

test("traces: what the client does not record is not recorded, and goes on as it came", async () => {
  await using collector = await Collector.start();
  await using server = await FaultyServer.start();
  const gateway = await traced(server, { endpoint: collector.url, sample: 0 });
  const client = new FrontClient(gateway);
  await client.initialize();
  const unsampled = context("00");
  await client.post({
    ...tool("peer__ok", 1),
    params: { name: "peer__ok", _meta: { traceparent: unsampled.traceparent } },
  });
  assert.equal(traceparentAt(server), unsampled.traceparent);
  await client.post(tool("peer__ok", 2), { traceparent: unsampled.traceparent });
  assert.equal(traceparentAt(server), unsampled.traceparent);
  await client.post(tool("peer__ok", 3), { traceparent: "00-evil\u0022-x" });
  assert.equal(traceparentAt(server), undefined);
  await client.post(tool("peer__ok", 4));
  assert.equal(traceparentAt(server), undefined);
  // What it does record is, whatever the share.
  const sampled = context();
  await client.post(tool("peer__ok", 5), { traceparent: sampled.traceparent });
  await collector.trace(sampled.traceId, 2);
  assert.deepEqual(new Set(collector.spans.map(({ traceId }) => traceId)), new Set([sampled.traceId]));
  await gateway.close();
});

test("traces: a client's context goes on where nobody traces", async () => {
  await using server = await FaultyServer.start();
  const gateway = await createGateway({}, { peer: server.url });
  await gateway.arrivals(60_000);
  const client = new FrontClient(gateway);
  await client.initialize();
  const { traceparent } = context();
  await client.post(tool("peer__ok", 1), { traceparent, baggage: "user=ada" });
  const last = server.of("tools/call").at(-1);
  assert.equal(traceparentAt(server), traceparent);
  assert.deepEqual([last?.headers["traceparent"], last?.headers["baggage"]], [traceparent, "user=ada"]);
  await gateway.close();
});

test("traces: metrics point to traces, and no trace holds a secret", async () => {
  await using collector = await Collector.start();
  await using server = await FaultyServer.start();
  const gateway = await traced(server, { endpoint: collector.url });
  const client = new FrontClient(gateway);
  await client.initialize();
  const { traceId, traceparent } = context();
  const secret = { "x-secret": "s3cret", authorization: "Bearer t0ken", traceparent };
  await client.post(tool("peer__fail", 1, { password: "hunter2" }), secret);
  await client.post(tool("peer__wrong", 2, { password: "hunter2" }), secret);
  await collector.trace(traceId, 4);
  const text = await scrape(gateway, "application/openmetrics-text; version=1.0.0");
  assert.match(text, new RegExp(`_bucket\\{.*\\} 1 # \\{trace_id="${traceId}",span_id="[0-9a-f]{16}"\\} \\d`));
  assert.ok(!(await scrape(gateway)).includes(traceId));
  const sent = Buffer.concat(collector.bodies).toString();
  for (const word of ["hunter2", "s3cret", "t0ken", client.sessionId ?? "-", "it failed", "wrong arguments"])
    assert.ok(!sent.includes(word), word);
  await gateway.close();
});

test("traces: the environment switches them on, and names protocol, share and how long values may be", async () => {
  await using collector = await Collector.start();
  await using server = await FaultyServer.start();
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url;
  process.env["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
  process.env["OTEL_SERVICE_NAME"] = "named-by-env";
  process.env["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] = "11";
  try {
    const gateway = await createGateway({}, { peer: server.url });
    await gateway.arrivals(60_000);
    const client = new FrontClient(gateway);
    await client.initialize();
    await client.post(tool("peer__ok", 1));
    await gateway.close();
    assert.equal(collector.headers[0]?.["content-type"], "application/x-protobuf");
    const sent = Buffer.concat(collector.bodies).toString("latin1");
    for (const word of ["named-by-env", "tools/call peer__ok", "mcp.method.name", "execute_too"])
      assert.ok(sent.includes(word), word);
    assert.ok(!sent.includes("execute_tool"));
  } finally {
    for (const name of ["ENDPOINT", "PROTOCOL"]) delete process.env[`OTEL_EXPORTER_OTLP_${name}`];
    for (const name of ["SERVICE_NAME", "ATTRIBUTE_VALUE_LENGTH_LIMIT"]) delete process.env[`OTEL_${name}`];
  }
});
