// One link kept alive for its owner: attempts are shared, bounded and made on demand; silence is not taken for death.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { scan } from "../../lib/core/envelope.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { silentObserver } from "../../lib/core/observer.ts";
import { Scope } from "../../lib/core/scope.ts";
import { defaultPlan, type ReplicaPlan } from "../../lib/config/plan.ts";
import type { LinkOptions } from "../../lib/backend/connect.ts";
import type { Link } from "../../lib/backend/link.ts";
import { Replica } from "../../lib/backend/replica.ts";
import { Uplink } from "../../lib/backend/uplink.ts";
import { planOf } from "../config/kit.ts";
import { legacyCodec, sharedClientCapabilities } from "../../lib/protocol/legacy.ts";
import { backoffMs } from "../../lib/resilience/backoff.ts";
import { timed } from "../e2e/kit.ts";
import { startHttpServer } from "../kit/process.ts";
import { type RawServer, response, serveRaw, until } from "./raw-server.ts";

const rawScript = "test/kit/raw-server.ts";

async function optionsFor(urls: readonly (string | URL)[], connectMs = 5000): Promise<LinkOptions> {
  const { backends } = await planOf(
    "mcpctl.json",
    JSON.stringify({ backends: { b: { url: "http://127.0.0.1:1/mcp" } } }),
  );
  const replicas = urls.map((url): ReplicaPlan => ({ kind: "http", url: String(url), headers: {} }));
  const [plan] = defaultPlan(backends.map((each) => ({ ...each, replicas, connectMs, protocol: "legacy" }))).backends;
  if (plan === undefined) throw new Error("no plan");
  const nothing = (): void => {};
  return {
    plan,
    owner: "principal:anonymous",
    client: { name: "test", version: "1", capabilities: sharedClientCapabilities },
    codec: legacyCodec,
    maxMessageBytes: 2 ** 20,
    peer: { notified: nothing, asked: nothing, strayed: nothing, ended: nothing },
    observer: silentObserver,
  };
}

interface Started extends AsyncDisposable {
  readonly uplink: Uplink;
  readonly links: Link[];
  readonly failures: GatewayError[];
}

/** `only`: the replica that is opened at first. */
async function start(urls: readonly (string | URL)[], connectMs?: number, only?: number): Promise<Started> {
  const [links, failures]: [Link[], GatewayError[]] = [[], []];
  const options = await optionsFor(urls, connectMs);
  const replicas = options.plan.replicas.map((replica, index) => new Replica(index, replica));
  const uplink = new Uplink(
    options,
    replicas,
    {
      up: (link) => void links.push(link),
      down: (error) => void failures.push(error),
      leads: () => {},
    },
    only === undefined ? undefined : replicas[only],
  );
  return { uplink, links, failures, [Symbol.asyncDispose]: () => uplink.close() };
}

async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
}

/** A server that greets, unless it is broken, and then does with each request what it is told. */
function serveGreeting(
  answer: (socket: Socket, body: string) => void,
  isBroken: () => boolean = () => false,
): Promise<RawServer> {
  return serveRaw(({ method, body }, socket) => {
    const text = body.toString("utf8");
    if (isBroken()) return void socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    const id = /"id":(\d+)/.exec(text)?.[1];
    if (method !== "POST") socket.write("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n");
    else if (text.includes('"initialize"')) {
      const result = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}';
      socket.write(response(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, "content-type: application/json"));
    } else if (id === undefined) socket.write("HTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n");
    else answer(socket, text);
  });
}

const pong = (body: string): string =>
  response(`{"jsonrpc":"2.0","id":${/"id":(\d+)/.exec(body)?.[1]},"result":{}}`, "content-type: application/json");

test("uplink: twenty callers of a starting backend share one link", async () => {
  await using server = await startHttpServer(rawScript);
  await using started = await start([server.url]);
  using scope = new Scope();
  const links = await Promise.all(Array.from({ length: 20 }, () => started.uplink.acquire(scope)));
  assert.equal(new Set(links).size, 1);
  assert.equal(started.links.length, 1);
  assert.equal(started.uplink.state.kind, "up");
});

test("uplink: calls to a dead backend make one attempt together, and their failure says why", async () => {
  await using server = await serveRaw(() => {}, { onSocket: (socket) => socket.destroy() });
  await using started = await start([new URL("/mcp", server.origin)]);
  using scope = new Scope();
  const first = await failureOf(started.uplink.acquire(scope));
  assert.deepEqual([first.code, first.data["sent"]], ["unavailable", false]);
  assert.match(first.message, /backend "b" is unavailable: backend "b": 127\.0\.0\.1:\d+ closed the connection/);
  const before = started.failures.length;
  const took = await timed(async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => failureOf(started.uplink.acquire(scope))));
    assert.ok(all.every(({ code }) => code === "unavailable"));
  });
  assert.equal(started.failures.length - before, 1);
  assert.ok(took < 5_000, `${took} ms`);
  assert.equal(started.uplink.state.kind, "down");
});

test("uplink: a call brings a backend back at once, long before its next attempt is due", async () => {
  const server = await startHttpServer(rawScript);
  await using started = await start([server.url]);
  using scope = new Scope();
  await started.uplink.acquire(scope);
  await server[Symbol.asyncDispose]();
  await started.uplink.verify(scope, 1000);
  for (let count = 0; count < 3; count++) await failureOf(started.uplink.acquire(scope));
  await using _back = await startHttpServer(rawScript, ["--port", new URL(server.url).port]);
  const took = await timed(() => started.uplink.acquire(scope));
  assert.ok(took < 3_500, `${took} ms`);
  assert.equal(started.uplink.state.kind, "up");
});

test("uplink: a look at a backend that is down brings it back before its next attempt is due", async () => {
  const server = await startHttpServer(rawScript);
  await using started = await start([server.url]);
  using scope = new Scope();
  await started.uplink.acquire(scope);
  await server[Symbol.asyncDispose]();
  await started.uplink.verify(scope, 1000);
  // After three failures the next attempt is 4 s away.
  for (let count = 0; count < 3; count++) await failureOf(started.uplink.acquire(scope));
  await using _back = await startHttpServer(rawScript, ["--port", new URL(server.url).port]);
  const took = await timed(() =>
    until(() => {
      void started.uplink.verify(scope, 1000);
      return started.uplink.state.kind === "up";
    }, "the backend is up again"),
  );
  assert.ok(took < 3_500, `${took} ms`);
});

test("uplink: replicas that are down are looked for before their next attempts where the others are silent", async () => {
  await using one = await startHttpServer(rawScript);
  let isBroken = true;
  await using two = await serveGreeting(
    () => {},
    () => isBroken,
  );
  await using started = await start([one.url, new URL("/mcp", two.origin)]);
  using scope = new Scope();
  await started.uplink.acquire(scope);
  const strand = started.uplink.strands[1];
  assert.ok(strand);
  // After three failures the next attempt is 4 s away; that it answers at all says nothing.
  for (let count = 0; count < 3; count++) await failureOf(strand.acquire(scope));
  isBroken = false;
  const took = await timed(() =>
    until(() => {
      started.uplink.seek();
      return strand.link !== undefined;
    }, "it is up again"),
  );
  assert.ok(took < 3_500, `${took} ms`);
});

test("uplink: a caller who goes away leaves at once and takes the attempt from nobody", async () => {
  const waiting: Socket[] = [];
  await using server = await serveRaw((_request, socket) => void waiting.push(socket));
  await using started = await start([server.origin]);
  const impatient = new Scope();
  const other = started.uplink.acquire(new Scope());
  const gone = started.uplink.acquire(impatient);
  await until(() => waiting.length === 1, "the handshake has arrived");
  impatient.cancel(new Error("went away"));
  await assert.rejects(gone, /went away/);
  assert.equal(started.uplink.state.kind, "connecting");
  waiting[0]?.destroy();
  assert.equal((await failureOf(other)).code, "unavailable");
});

test("uplink: a handshake that nobody answers ends with its time, and the next replica has its turn", async () => {
  await using silent = await serveRaw(() => {});
  await using server = await startHttpServer(rawScript);
  await using started = await start([new URL("/mcp", silent.origin), server.url], 200);
  using scope = new Scope();
  await started.uplink.acquire(scope);
  const { state } = started.uplink;
  assert.deepEqual([state.kind, state.kind === "up" && state.replica], ["up", 1]);
  await using alone = await start([new URL("/mcp", silent.origin)], 200);
  assert.match(
    (await failureOf(alone.uplink.acquire(scope))).message,
    /backend "b" did not answer the handshake within 200 ms/,
  );
});

test("uplink: a replica that is not needed is left alone until the one that was chosen cannot be reached", async () => {
  await using spare = await startHttpServer(rawScript);
  await using server = await startHttpServer(rawScript);
  await using chosen = await start([spare.url, server.url], 5_000, 1);
  using scope = new Scope();
  const link = await chosen.uplink.acquire(scope);
  assert.deepEqual([chosen.uplink.links, chosen.uplink.state.replica], [[link], 1]);
  assert.equal(chosen.uplink.strands[0]?.isStarted, false);
  await using refused = await start([spare.url, "http://127.0.0.1:1/mcp"], 5_000, 1);
  assert.ok((await refused.uplink.acquire(scope)).usable);
  assert.equal(refused.uplink.state.replica, 0);
});

test("uplink: closing ends a handshake under way, its waiters and its connection", async () => {
  await using server = await serveRaw(() => {});
  const started = await start([server.origin], 60_000);
  const waiting = failureOf(started.uplink.acquire(new Scope()));
  await until(() => server.accepted === 1, "it connects");
  const took = await timed(() => started.uplink.close());
  assert.ok(took < 20_000, `${took} ms`);
  assert.equal((await waiting).code, "draining");
  await until(() => server.sockets.size === 0, "the connection is closed");
  await failureOf(started.uplink.acquire(new Scope()));
});

test("uplink: looks at a backend are one ping, and one that does not answer is not up until it is heard", async () => {
  const held: { socket: Socket; body: string }[] = [];
  await using server = await serveGreeting((socket, body) => void held.push({ socket, body }));
  await using started = await start([server.origin]);
  using scope = new Scope();
  const link = await started.uplink.acquire(scope);
  await Promise.all(Array.from({ length: 5 }, () => started.uplink.verify(scope, 100)));
  assert.equal(held.length, 1);
  const { state } = started.uplink;
  assert.equal(state.kind, "down");
  assert.match(state.kind === "down" ? state.error.message : "", /did not answer a ping within 100 ms/);
  // It may only be slow: its link is not taken from it.
  assert.equal(started.uplink.link, link);
  for (const { socket, body } of held.splice(0)) socket.write(pong(body));
  await until(() => started.uplink.state.kind === "up", "it is heard again");
  assert.equal(started.links.length, 1);
});

test("uplink: a backend that works on a call and answers no ping is up", async () => {
  const held: { socket: Socket; body: string }[] = [];
  await using server = await serveGreeting((socket, body) => void held.push({ socket, body }));
  await using started = await start([server.origin]);
  using scope = new Scope();
  const link = await started.uplink.acquire(scope);
  const scanned = scan(
    new TextEncoder().encode('{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"t"}}'),
  );
  if (scanned.kind !== "message") throw new Error("no message");
  const reply = link.call(scanned.envelope, [], { session: {}, deliver: () => {} }, scope);
  await started.uplink.verify(scope, 100);
  assert.equal(started.uplink.state.kind, "up");
  await until(() => held.length === 2, "call and ping have arrived");
  for (const { socket, body } of held.splice(0)) socket.write(pong(body));
  assert.equal(Buffer.from(await reply).toString("utf8"), '{"jsonrpc":"2.0","id":"mine","result":{}}');
});

test("uplink: a ping that fails opens another link, and the call in flight ends on the one before", async () => {
  const held: { socket: Socket; body: string }[] = [];
  await using server = await serveGreeting((socket, body) => {
    if (body.includes('"ping"')) socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    else held.push({ socket, body });
  });
  await using started = await start([server.origin]);
  using scope = new Scope();
  const link = await started.uplink.acquire(scope);
  const scanned = scan(
    new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}'),
  );
  if (scanned.kind !== "message") throw new Error("no message");
  const reply = link.call(scanned.envelope, [], { session: {}, deliver: () => {} }, scope);
  await until(() => held.length === 1, "the call has arrived");
  await started.uplink.verify(scope, 1000);
  const next = await started.uplink.acquire(scope);
  assert.notEqual(next, link);
  for (const { socket, body } of held.splice(0)) socket.write(pong(body));
  assert.match(Buffer.from(await reply).toString("utf8"), /"result":\{\}/);
});

test("uplink: pauses between attempts are 1, 2, 4 and 8 s, and then up to 30 s, not all alike", () => {
  assert.deepEqual(
    [1, 2, 3, 4].map((failures) => backoffMs(failures)),
    [1000, 2000, 4000, 8000],
  );
  assert.deepEqual([backoffMs(5, 0), backoffMs(50, 1)], [30_000, 22_500]);
});
