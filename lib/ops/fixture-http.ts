// The fixture over Streamable HTTP, for clients of both eras: sessions for the older ones, metadata for the newer.

import { randomUUID } from "node:crypto";
import type * as Http from "node:http";
import process from "node:process";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, decodeText, isRecord } from "../core/text.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import { metaKeys, modernVersions } from "../protocol/modern-meta.ts";
import type { DemoServer, JsonObject } from "./demo-server.ts";

export interface HttpFixture extends AsyncDisposable {
  readonly url: string;
  /** Every session is unknown from now on. */
  forget(): void;
}

const maxBodyBytes = 4 * 2 ** 20;

/** Serves at `host:port`; 0 takes a free port. `host` must be this machine: nobody is asked who they are. */
export async function serveFixture(
  port: number,
  create: (fixture: Pick<HttpFixture, "forget">) => DemoServer,
): Promise<HttpFixture> {
  const sessions = new Set<string>();
  const forget = (): void => sessions.clear();
  const server = create({ forget });
  const { createServer } = process.getBuiltinModule("node:http");
  const http = createServer((request, response) => {
    serve(server, sessions, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    http.once("error", (error) => reject(new GatewayError("portInUse", error.message, { cause: error })));
    http.listen(port, "127.0.0.1", resolve);
  });
  const address = http.address();
  const bound = address !== null && typeof address === "object" ? address.port : port;
  return {
    url: `http://127.0.0.1:${bound}/mcp`,
    forget,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => http.close(resolve));
      http.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  server: DemoServer,
  sessions: Set<string>,
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
): Promise<void> {
  const session = String(request.headers["mcp-session-id"] ?? "");
  if (request.method === "DELETE") {
    response.writeHead(sessions.delete(session) ? 204 : 404).end();
    return;
  }
  if (request.method !== "POST") return void response.writeHead(405, { allow: "POST, DELETE" }).end();
  const message = await readMessage(request);
  const { id, method } = message;
  const params = asRecord(message["params"]);
  const isModern = asRecord(params["_meta"])[metaKeys.protocolVersion] !== undefined;
  if (!isModern && method !== "initialize" && !sessions.has(session)) return refuse(response, id, session);
  if (id === undefined) return void response.writeHead(202).end();
  using scope = new Scope();
  response.on("close", () => scope.cancel(new Error("the client has gone")));
  const headers: Record<string, string> = { "content-type": "application/json" };
  try {
    const result = await answer(server, String(method), params, scope, isModern);
    if (method === "initialize") {
      headers["mcp-session-id"] = randomUUID();
      sessions.add(headers["mcp-session-id"]);
    }
    const more = isModern ? { resultType: "complete" } : {};
    send(response, headers, { jsonrpc: "2.0", id, result: { ...more, ...result } });
  } catch (error) {
    if (scope.cancelled) return void response.destroy();
    send(response, headers, { jsonrpc: "2.0", id, error: asGatewayError(error).toRpc() });
  }
}

function send(response: Http.ServerResponse, headers: Record<string, string>, message: object): void {
  const body = JSON.stringify(message);
  response.writeHead(200, { ...headers, "content-length": String(Buffer.byteLength(body)) }).end(body);
}

/** 2025-11-25, Transports, "Session Management": 404 for a session that is not known, 400 where none was named. */
function refuse(response: Http.ServerResponse, id: unknown, session: string): void {
  const error = {
    code: session === "" ? -32600 : -32001,
    message: session === "" ? "no session" : "session not found",
  };
  response.writeHead(session === "" ? 400 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", ...(id === undefined ? {} : { id }), error }));
}

async function readMessage(request: Http.IncomingMessage): Promise<JsonObject> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes: Uint8Array = chunk;
    length += bytes.length;
    if (length > maxBodyBytes) throw new GatewayError("tooLarge", "the message is too large");
    chunks.push(bytes);
  }
  const value: unknown = JSON.parse(decodeText(Buffer.concat(chunks)));
  return isRecord(value) ? value : {};
}

async function answer(
  { info, capabilities, instructions, methods }: DemoServer,
  method: string,
  params: JsonObject,
  scope: Scope,
  isModern: boolean,
): Promise<JsonObject> {
  if (method === "ping") return {};
  if (method === "initialize") {
    const protocolVersion = legacyCodec.negotiate(String(params["protocolVersion"]));
    return { protocolVersion, capabilities, serverInfo: info, instructions };
  }
  const cache = { ttlMs: 0, cacheScope: "private" };
  if (method === "server/discover" && isModern)
    return { ...cache, supportedVersions: modernVersions, capabilities, _meta: { [metaKeys.serverInfo]: info } };
  const run = methods.get(method);
  if (!run) throw new GatewayError("unknownMethod", `there is no method ${method}`);
  const result = await run(params, { scope, revision: "", progress: () => {} });
  return isModern && method === "tools/list" ? { ...cache, ...result } : result;
}
