// Servers that never stop: events without end on a call's stream and on the standalone one, lines without end on stdout and stderr.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import { call, Gateway, rawStdio, recordOf, until } from "../e2e/kit.ts";
import { openWire } from "../front/wire.ts";
import { runtimeCommand } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";

const limits = { timeout: 120_000 };
const mebibyte = 2 ** 20;
/** What a server tries to send. */
const floodBytes = 80 * mebibyte;
const mostGrownMiB = 76;

interface Endless extends AsyncDisposable {
  readonly url: string;
  /** Bytes that were taken of the answer to a call, and of the standalone stream. */
  readonly sent: { call: number; stream: number };
  /** Answers to calls that were cut. */
  cut: number;
}

const event = (message: object): string => `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
const noise = event({ method: "notifications/message", params: { level: "info", data: "x".repeat(16_000) } });
const changed = event({ method: "notifications/tools/list_changed" }).repeat(200);

/** Writes as fast as it is read, until it is cut or all has gone. */
async function flood(response: ServerResponse, piece: string, count: (bytes: number) => void): Promise<void> {
  let wake = (): void => {};
  for (const name of ["drain", "close"]) response.on(name, () => wake());
  for (let sent = 0; sent < floodBytes && !response.destroyed; sent += piece.length) {
    count(piece.length);
    if (response.write(piece)) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    await promise;
  }
}

async function serveEndless(hasStream: boolean): Promise<Endless> {
  const sent = { call: 0, stream: 0 };
  const state = { cut: 0 };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    response.on("error", () => {});
    if (request.method === "GET" && hasStream) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      void flood(response, noise + changed, (bytes) => (sent.stream += bytes));
      return;
    }
    if (request.method !== "POST") return void response.writeHead(405).end();
    let text = "";
    request.on("data", (chunk: Uint8Array) => void (text += Buffer.from(chunk).toString()));
    request.on("end", () => {
      const { id, method, params } = recordOf(JSON.parse(text));
      if (id === undefined) return void response.writeHead(202).end();
      if (method === "tools/call") {
        response.on("close", () => (state.cut += 1));
        response.writeHead(200, { "content-type": "text/event-stream" });
        return void flood(response, noise, (bytes) => (sent.call += bytes));
      }
      const { protocolVersion } = recordOf(params);
      const capabilities = { tools: { listChanged: true }, logging: {} };
      const result =
        method === "initialize"
          ? { protocolVersion, capabilities, serverInfo: { name: "endless", version: "1" } }
          : { tools: [{ name: "t", inputSchema: { type: "object" } }] };
      response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    sent,
    get cut() {
      return state.cut;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Undefined where the system does not say it. */
function mebibytesOf(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, "utf8"))?.[1] ?? 0) / 1024;
}

async function served(client: RawClient): Promise<void> {
  assert.match(JSON.stringify(await call(client, "good__echo", { text: "served" })), /served/);
}

function boundedSince(before: number | undefined, pid: number, what: string): void {
  const grown = (mebibytesOf(pid) ?? 0) - (before ?? 0);
  assert.ok(before === undefined || grown < mostGrownMiB, `${what}: grew by ${grown.toFixed(0)} MiB`);
}

test(
  "backends: events without end wait for their reader, end with them, and cost nobody else anything",
  limits,
  async () => {
    await using endless = await serveEndless(false);
    await using gateway = await Gateway.start({
      backends: { endless: { url: endless.url, protocol: "legacy" }, good: rawStdio() },
      timeouts: { resume: "100ms" },
    });
    await gateway.up("endless", "good");
    const { pid } = gateway.proc;
    const client = new RawClient(gateway.url());
    await client.initialize();
    await served(client);
    const before = mebibytesOf(pid);
    const wire = await openWire(Number(new URL(gateway.url()).port));
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 9,
      method: "tools/call",
      params: { name: "endless__t", arguments: {} },
    });
    wire.request("POST", client, body, { "mcp-protocol-version": "2025-11-25" });
    await wire.until(/text\/event-stream/);
    wire.socket.pause();
    // Whatever the sockets in between hold has gone when nothing more is taken.
    let taken = -1;
    await until(async () => {
      const still = taken === endless.sent.call;
      taken = endless.sent.call;
      await served(client);
      return still;
    }, "the server waits");
    assert.ok(
      endless.sent.call < floodBytes / 2,
      `${endless.sent.call} bytes were taken for a client that does not read`,
    );
    boundedSince(before, pid, "a reader that stands still");
    wire.socket.destroy();
    await until(() => endless.cut === 1, "the server's answer is cut");
    await served(client);
  },
);

test("backends: a standalone stream without end is heard without being kept", limits, async () => {
  await using endless = await serveEndless(true);
  await using gateway = await Gateway.start({
    backends: { endless: { url: endless.url, protocol: "legacy" }, good: rawStdio() },
  });
  await gateway.up("endless", "good");
  const { pid } = gateway.proc;
  const client = new RawClient(gateway.url());
  await client.initialize();
  const before = mebibytesOf(pid);
  await until(() => endless.sent.stream >= floodBytes, "all of it is taken", 60_000);
  await served(client);
  boundedSince(before, pid, "a stream that nobody listens to");
});

test("backends: a child that prints without end is read on, and nothing of it is kept", limits, async () => {
  const [command, args] = runtimeCommand("test/security/chatty-server.ts", String(floodBytes));
  await using gateway = await Gateway.start({
    backends: { chatty: { command, args, protocol: "legacy" }, good: rawStdio() },
  });
  await gateway.up("chatty", "good");
  const { pid } = gateway.proc;
  const client = new RawClient(gateway.url());
  await client.initialize();
  await served(client);
  const before = mebibytesOf(pid);
  const answer = await call(client, "chatty__talk");
  await served(client);
  assert.match(JSON.stringify(answer), /has talked/);
  boundedSince(before, pid, "a child that prints");
  assert.ok(gateway.proc.stderr.length < 8 * mebibyte, `${gateway.proc.stderr.length} characters of log`);
});
