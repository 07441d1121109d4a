// A backend that traces: over HTTP or stdio, of either era, with a span of its own for each call, sent to a collector.
// Usage: traced-server.ts http|stdio legacy|modern COLLECTOR
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import process from "node:process";
import { createInterface } from "node:readline";
import { type Message, record } from "../front/peer.ts";

const [mode = "http", era = "legacy", collector = ""] = process.argv.slice(2);
const revision = "2026-07-28";
const complete = era === "modern" ? { resultType: "complete" } : {};
const listed = era === "modern" ? { ...complete, ttlMs: 0, cacheScope: "private" } : {};
const serverInfo = { name: "traced", version: "1" };

async function answer(message: Message, header: string | undefined): Promise<Message | undefined> {
  const { id, method } = message;
  if (id === undefined || typeof method !== "string") return undefined;
  const params = record(message["params"]);
  const reply = (result: Message): Message => ({ jsonrpc: "2.0", id, result });
  switch (method) {
    case "server/discover":
      if (era !== "modern") break;
      return reply({
        ...listed,
        supportedVersions: [revision],
        capabilities: { tools: {} },
        _meta: { "io.modelcontextprotocol/serverInfo": serverInfo },
      });
    case "initialize":
      if (era === "modern") break;
      return reply({ protocolVersion: params["protocolVersion"], capabilities: { tools: {} }, serverInfo });
    case "ping":
      return reply({});
    case "tools/list":
      return reply({ ...listed, tools: [{ name: "work", inputSchema: { type: "object" } }] });
    case "tools/call": {
      const meta = record(params["_meta"]);
      const { traceparent } = meta;
      if (typeof traceparent === "string") await exportSpan(traceparent);
      const seen = { meta, header: header ?? null };
      return reply({ ...complete, content: [{ type: "text", text: JSON.stringify(seen) }] });
    }
    default:
      break;
  }
  return { jsonrpc: "2.0", id, error: { code: -32601, message: `unknown method ${method}` } };
}

/** Its own span, as any SDK of OpenTelemetry would send it. */
async function exportSpan(traceparent: string): Promise<void> {
  const [, traceId, parentSpanId] = traceparent.split("-");
  if (traceId === undefined || parentSpanId === undefined) return;
  const now = `${Date.now()}000000`;
  const spanId = randomBytes(8).toString("hex");
  const span = { traceId, spanId, parentSpanId, name: "the backend", startTimeUnixNano: now, endTimeUnixNano: now };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "backend" } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  await fetch(`${collector}/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body });
}

function serveHttp(): void {
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method !== "POST") return void response.writeHead(405).end();
      const message = record(JSON.parse(Buffer.concat(chunks).toString()));
      void answer(message, request.headers["traceparent"]?.toString()).then((reply) => {
        if (!reply) return response.writeHead(202).end();
        const isUnknown = era === "modern" && record(reply["error"])["code"] === -32601;
        return response
          .writeHead(isUnknown ? 404 : 200, { "content-type": "application/json" })
          .end(JSON.stringify(reply));
      });
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (address && typeof address === "object")
      process.stdout.write(`listening http://127.0.0.1:${address.port}/mcp\n`);
  });
}

function serveStdio(): void {
  createInterface({ input: process.stdin }).on("line", (line) => {
    void answer(record(JSON.parse(line)), undefined).then((reply) => {
      if (reply) process.stdout.write(`${JSON.stringify(reply)}\n`);
    });
  });
}

if (mode === "stdio") serveStdio();
else serveHttp();
