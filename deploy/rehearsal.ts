// A short run of a freshly built binary, which notes the functions that it needs: the build lays their code out together,
// so that the system reads less of the file.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";

const timeoutMs = 20_000;
const protocolVersion = "2025-11-25";
const tool = { name: "echo", inputSchema: { type: "object" } };
const results: ReadonlyMap<unknown, object> = new Map<unknown, object>([
  ["initialize", { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "rehearsal", version: "1" } }],
  ["tools/list", { tools: [tool] }],
  ["tools/call", { content: [{ type: "text", text: "once" }] }],
]);

/** Serves one backend with `binary`, calls it, and gives the file in `folder` that says what it needed. */
export async function rehearse(binary: string, folder: string): Promise<string> {
  const order = join(folder, "order");
  const config = join(folder, "mcpctl.json");
  const backend = await startBackend();
  const url = `http://127.0.0.1:${portOf(backend)}/mcp`;
  writeFileSync(config, JSON.stringify({ backends: { one: { url } } }));
  const env = { ...process.env, BUN_BYTECODE_ORDER_OUT: order };
  const child = spawn(binary, ["serve", "-c", config, "--port", "0"], { env, stdio: ["ignore", "ignore", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    await useOnce(await endpointOf(child));
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = await exited;
    assert.equal(code, 0, `SIGTERM ended the rehearsal with exit code ${code}`);
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
    backend.close();
    backend.closeAllConnections();
  }
  return order;
}

async function startBackend(): Promise<Server> {
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      const { id, method } = text === "" ? {} : JSON.parse(text);
      const result = results.get(method);
      if (request.method !== "POST") response.writeHead(405).end();
      else if (id === undefined) response.writeHead(202).end();
      else {
        response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "rehearsal" });
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result: result ?? {} }));
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

/** The endpoint that `serve` says once it listens. */
export function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let output = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const endpoint = /http:\/\/127\.0\.0\.1:\d+\/mcp\b/.exec(output);
      if (endpoint) done(endpoint[0]);
    });
    child.on("error", fail);
    child.on("exit", (code) => fail(new Error(`serve ended with exit code ${code}: ${output}`)));
  });
}

async function useOnce(endpoint: string): Promise<void> {
  let session: string | undefined;
  const send = async (id: number | undefined, method: string, params: object): Promise<void> => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(session === undefined ? {} : { "mcp-session-id": session, "mcp-protocol-version": protocolVersion }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    session ??= response.headers.get("mcp-session-id") ?? undefined;
    const text = await response.text();
    assert.ok(response.ok && !text.includes('"error"'), `${method}: ${response.status} ${text}`);
  };
  await send(1, "initialize", { protocolVersion, capabilities: {}, clientInfo: { name: "rehearsal", version: "1" } });
  await send(undefined, "notifications/initialized", {});
  await send(2, "tools/list", {});
  for (let id = 3; id < 20; id += 1) await send(id, "tools/call", { name: `one__${tool.name}`, arguments: { id } });
}
