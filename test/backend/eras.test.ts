// The era of a server is found out on the wire it will be spoken to on, and an odd one is taken for the legacy server that it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type LinkOptions, openLink } from "../../lib/backend/connect.ts";
import { Eras } from "../../lib/backend/eras.ts";
import type { Link } from "../../lib/backend/link.ts";
import { type BackendPlan, backendDefaults, type ReplicaPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { Scope } from "../../lib/core/scope.ts";
import { legacyCodec, sharedClientCapabilities } from "../../lib/protocol/legacy.ts";
import { runtimeCommand } from "../kit/process.ts";
import { response, serveRaw } from "./raw-server.ts";

const limits = { timeout: 120_000 };
const initialized = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}';

interface Opened extends AsyncDisposable {
  readonly link: Link;
  readonly logs: readonly string[];
}

/** What a server over stdio got before it was up, as it printed it. */
async function openWith(replica: ReplicaPlan, more: Partial<BackendPlan> = {}, eras = new Eras()): Promise<Opened> {
  const logs: string[] = [];
  const nothing = (): void => {};
  const options: LinkOptions = {
    plan: { ...backendDefaults, name: "b" as BackendName, replicas: [replica], connectMs: 8_000, ...more },
    owner: "principal:anonymous",
    client: { name: "test", version: "1", capabilities: sharedClientCapabilities },
    codec: legacyCodec,
    maxMessageBytes: 2 ** 20,
    peer: { notified: nothing, asked: nothing, strayed: nothing, ended: nothing },
    observer: { log: (_level, _source, text) => void logs.push(text) },
    eras,
  };
  const tracked: Link[] = [];
  using scope = new Scope(undefined, 8_000);
  try {
    const link = await openLink(options, replica, scope, (each) => void tracked.push(each));
    return { link, logs, [Symbol.asyncDispose]: () => link.close() };
  } catch (error) {
    await Promise.all(tracked.map((each) => each.close()));
    throw error;
  }
}

function child(oddity: string): ReplicaPlan {
  const [command, args] = runtimeCommand("test/backend/era-server.ts", oddity);
  return { kind: "stdio", command, args, env: {}, cwd: undefined, inheritEnv: true };
}

for (const oddity of ["error", "silent", "exit"]) {
  test(`eras: a child that answers server/discover with ${oddity} is a legacy server`, limits, async () => {
    const [replica, eras] = [child(oddity), new Eras()];
    await using first = await openWith(replica, {}, eras);
    assert.equal(first.link.facts?.protocolVersion, "2025-11-25");
    assert.equal(first.link.facts.serverInfo["name"], "odd");
    if (oddity === "silent") return;
    // It is remembered: the next child is not asked.
    assert.equal(eras.of(replica), "legacy");
    await using second = await openWith(replica, {}, eras);
    assert.ok(!second.logs.includes("got server/discover"));
    assert.equal(second.link.facts?.protocolVersion, "2025-11-25");
  });
}

test("eras: a modern child that is slow to start is found out while initialize waits", limits, async () => {
  await using opened = await openWith(child("slow"));
  assert.equal(opened.link.facts?.protocolVersion, "2026-07-28");
  assert.equal(opened.logs.filter((line) => line === "got server/discover").length, 1);
});

test("eras: a server that shares no revision is refused, and never asked to initialize", limits, async () => {
  await assert.rejects(openWith(child("disjoint")), (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "badProtocol");
    assert.match(error.message, /2031-01-01, none of which this gateway speaks/);
    return true;
  });
});

type Odd = readonly [what: string, answer: string | undefined];

/** What servers that know nothing of server/discover were seen to answer. */
const odds: readonly Odd[] = [
  ["400 and a text", "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno"],
  ["404 and a page", "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>"],
  ["500", "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"],
  ["202", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"],
  ["-32601", json('{"jsonrpc":"2.0","id":1099511627777,"error":{"code":-32601,"message":"no"}}')],
  ["-32000 without an id", json('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}')],
  ["a result of another kind", json('{"jsonrpc":"2.0","id":1099511627777,"result":{"ok":true}}')],
  ["a web page", response("<html></html>", "content-type: text/html")],
  ["nothing at all", undefined],
  ["the end of the connection", ""],
];

function json(body: string): string {
  return response(body, "content-type: application/json");
}

for (const [what, answer] of odds) {
  test(`eras: a server over HTTP that answers server/discover with ${what} is initialized`, limits, async () => {
    const methods: string[] = [];
    await using server = await serveRaw(({ method, body, head }, socket) => {
      const text = body.toString("utf8");
      const [, name = method] = /"method":"([^"]+)"/.exec(text) ?? [];
      methods.push(name);
      const id = /"id":(\d+)/.exec(text)?.[1];
      if (name === "initialize") {
        assert.doesNotMatch(head, /mcp-method/i);
        socket.write(json(`{"jsonrpc":"2.0","id":${id},"result":${initialized}}`));
      } else if (name === "notifications/initialized") socket.write("HTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n");
      else if (method === "GET") socket.write("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n");
      else if (answer === "") socket.destroy();
      else if (answer !== undefined) socket.write(answer);
    });
    const replica: ReplicaPlan = { kind: "http", url: new URL("/mcp", server.origin).href, headers: {} };
    await using opened = await openWith(replica, { connectMs: 1_500 });
    assert.equal(opened.link.facts?.protocolVersion, "2025-11-25");
    assert.deepEqual(methods.slice(0, 3), ["server/discover", "initialize", "notifications/initialized"]);
  });
}

test("eras: a server that is not there is asked once, and the failure says so", limits, async () => {
  const replica: ReplicaPlan = { kind: "http", url: "http://127.0.0.1:1/mcp", headers: {} };
  await assert.rejects(openWith(replica), { code: "unreachable" });
});
