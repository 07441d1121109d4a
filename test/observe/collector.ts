// A stand-in for a collector of OpenTelemetry: takes spans by OTLP over HTTP, as JSON.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { record } from "../front/peer.ts";
import { until } from "../e2e/kit.ts";

export interface TakenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly service: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isError: boolean;
}

export class Collector implements AsyncDisposable {
  readonly spans: TakenSpan[] = [];
  readonly bodies: Buffer[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  readonly #server: Server;
  url = "";

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks);
        this.bodies.push(body);
        this.headers.push(request.headers);
        if (request.url === "/v1/traces" && request.headers["content-type"] === "application/json")
          this.spans.push(...spansIn(JSON.parse(body.toString())));
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => {
      collector.#server.listen(0, "127.0.0.1", resolve);
    });
    const address = collector.#server.address();
    assert.ok(address && typeof address === "object");
    collector.url = `http://127.0.0.1:${address.port}`;
    return collector;
  }

  /** The spans of a trace, once there are so many. */
  async trace(traceId: string, count: number): Promise<readonly TakenSpan[]> {
    const found = (): readonly TakenSpan[] => this.spans.filter((span) => span.traceId === traceId);
    await until(() => found().length >= count, `${count} spans of ${traceId}: ${JSON.stringify(this.spans)}`, 15_000);
    return found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function spansIn(body: unknown): readonly TakenSpan[] {
  return items(record(body)["resourceSpans"]).flatMap((resourceSpan) => {
    const service = attributesOf(record(resourceSpan["resource"])["attributes"])["service.name"] ?? "";
    return items(resourceSpan["scopeSpans"])
      .flatMap((scope) => items(scope["spans"]))
      .map((span) => ({
        traceId: String(span["traceId"]),
        spanId: String(span["spanId"]),
        parentSpanId: typeof span["parentSpanId"] === "string" ? span["parentSpanId"] : "",
        name: String(span["name"]),
        kind: Number(span["kind"]),
        service,
        attributes: attributesOf(span["attributes"]),
        isError: record(span["status"])["code"] === 2,
      }));
  });
}

function items(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.map(record) : [];
}

function attributesOf(list: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    items(list).map(({ key, value }) => [String(key), String(Object.values(record(value))[0])]),
  );
}
