// An MCP server that lets nobody in without a token of a provider made for it: a check in front of a server of the kit.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { listenOn } from "./oauth-provider.ts";

export interface ResourceOptions {
  /** Of the server behind the check. */
  readonly upstream: string;
  readonly issuer: string;
  /** The tool for which "mcp" is not enough. */
  readonly adminTool?: string;
}

export interface ProtectedResource extends AsyncDisposable {
  readonly url: string;
  /** What came with each request that was let in: its headers and its message. */
  readonly passed: { readonly headers: IncomingMessage["headers"]; readonly body: string }[];
  readonly challenged: string[];
  /** Of its metadata; the provider's where it says nothing else. */
  issuers: readonly string[];
}

export async function startProtectedResource({
  upstream,
  issuer,
  adminTool,
}: ResourceOptions): Promise<ProtectedResource> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), { cooldownDuration: 0 });
  const server = createServer((request, response) => {
    // A client may go away in the middle of its request.
    answer(request, response).catch(() => response.destroy());
  });
  const origin = await listenOn(server);
  const url = `${origin}/mcp`;
  const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
  const resource: ProtectedResource = {
    url,
    passed: [],
    challenged: [],
    issuers: [issuer],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const refuse = (response: ServerResponse, status: number, more: string): void => {
    const challenge = `Bearer resource_metadata="${metadata}"${more}`;
    resource.challenged.push(challenge);
    response.writeHead(status, { "www-authenticate": challenge }).end();
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await Array.fromAsync(request));
    if (request.url?.startsWith("/.well-known/oauth-protected-resource"))
      return void response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ resource: url, authorization_servers: resource.issuers, scopes_supported: ["mcp"] }));
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token === undefined) return refuse(response, 401, ', scope="mcp"');
    const verified = await jwtVerify(token, keys, { issuer, audience: url }).catch(() => undefined);
    if (!verified) return refuse(response, 401, ', error="invalid_token"');
    const { scope } = verified.payload;
    const held = typeof scope === "string" ? scope.split(" ") : [];
    const isAdmin = adminTool !== undefined && body.includes('"tools/call"') && body.includes(`"name":"${adminTool}"`);
    if (isAdmin && !held.includes("mcp:admin"))
      return refuse(response, 403, ', error="insufficient_scope", scope="mcp:admin"');
    resource.passed.push({ headers: request.headers, body: body.toString() });
    await forward(request, response, upstream, body);
  };
  return resource;
}

async function forward(request: IncomingMessage, response: ServerResponse, to: string, body: Buffer): Promise<void> {
  const dropped = new Set(["host", "connection", "content-length", "authorization", "transfer-encoding"]);
  const headers = Object.entries(request.headers).filter(([name]) => !dropped.has(name));
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  try {
    const { method = "GET" } = request;
    const reply = await fetch(to, {
      method,
      headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
      ...(method === "POST" ? { body: new Uint8Array(body) } : {}),
      signal: abort.signal,
    });
    const shown = [...reply.headers].filter(
      ([name]) => !["connection", "content-length", "transfer-encoding", "content-encoding"].includes(name),
    );
    response.writeHead(reply.status, Object.fromEntries(shown));
    for await (const piece of reply.body ?? []) response.write(piece);
    response.end();
  } catch {
    response.destroy();
  }
}
