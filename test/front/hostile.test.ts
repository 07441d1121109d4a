// Backends that want to hurt: what never ends is cut, what leads elsewhere is not followed, and others are served meanwhile.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { backendDefaults } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { serveRaw } from "../backend/raw-server.ts";
import { servePeer } from "../route/peer.ts";
import { codeOf, startBench } from "./kit.ts";
import { within } from "./peer.ts";

const messageBytes = 2 ** 20;
/** What a hostile backend tries to send of each thing. */
const floodBytes = 64 * 2 ** 20;

const json = (id: unknown, result: string, more = ""): string => {
  const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
};

/** Sends a piece again and again, as fast as it is taken, until it is cut or all of it has gone. */
async function flood(socket: Socket, head: string, piece: Buffer): Promise<number> {
  let sent = 0;
  socket.write(head);
  while (sent < floodBytes && !socket.destroyed) {
    sent += piece.length;
    if (!socket.write(piece)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const event of ["drain", "close", "error"]) socket.once(event, () => resolve());
      await promise;
    }
  }
  return sent;
}

const chunk = (text: string): Buffer => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
const streamed = (type: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
const start = (id: unknown): string => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"a":"`;

type Attack = (socket: Socket, id: unknown, elsewhere: string) => Promise<number> | void;

const attacks: Readonly<Record<string, Attack>> = {
  "JSON that never ends": (socket, id) =>
    flood(socket, `${streamed("application/json")}${chunk(start(id)).toString()}`, chunk("x".repeat(60_000))),
  "a body that says it has 10 GB": (socket, id) =>
    flood(
      socket,
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n${start(id)}`,
      Buffer.alloc(60_000, "x"),
    ),
  "a body without an end or a length": (socket, id) =>
    flood(socket, `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${start(id)}`, Buffer.alloc(60_000, "x")),
  "a line of an event stream that never ends": (socket) =>
    flood(socket, streamed("text/event-stream"), chunk(`data: ${"x".repeat(60_000)}`)),
  "an event of endless lines": (socket) =>
    flood(socket, streamed("text/event-stream"), chunk("data: xxxxxxxxxx\n".repeat(4_000))),
  "headers that never end": (socket) => flood(socket, "HTTP/1.1 200 OK\r\n", Buffer.from("X: y\r\n".repeat(10_000))),
  "a header that never ends": (socket) => flood(socket, "HTTP/1.1 200 OK\r\nX: ", Buffer.alloc(60_000, "x")),
  "a line of a chunk that never ends": (socket) =>
    flood(socket, streamed("application/json"), Buffer.alloc(60_000, "1")),
  "a redirect to another origin": (socket, _id, elsewhere) =>
    void socket.write(`HTTP/1.1 307 There\r\nLocation: ${elsewhere}\r\nContent-Length: 0\r\n\r\n`),
  "a bomb of gzip": (socket) => {
    const bomb = gzipSync(Buffer.alloc(32 * 2 ** 20, "x"));
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
    );
    socket.write(bomb);
  },
  "a tower of brackets": (socket, id) => {
    const body = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  },
};

test(
  "hostile: each attack of a backend costs its own call, and nobody else anything",
  { timeout: 120_000 },
  async () => {
    const reached: string[] = [];
    await using elsewhere = await serveRaw(({ path }) => void reached.push(path));
    let attack: Attack = () => {};
    let attacking: Promise<number> | void = undefined;
    await using bad = await serveRaw(({ method, body }, socket) => {
      if (method !== "POST") return void socket.write("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
      const { id, method: name, params } = Object(JSON.parse(body.toString()));
      if (id === undefined) return void socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
      const info = {
        protocolVersion: Object(params).protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "h", version: "1" },
      };
      if (name === "initialize") return void socket.write(json(id, JSON.stringify(info), "Mcp-Session-Id: s\r\n"));
      if (name !== "tools/call")
        return void socket.write(json(id, '{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}'));
      attacking = attack(socket, id, `http://127.0.0.1:${elsewhere.port}/mcp`);
    });
    await using good = await servePeer(
      { tools: {} },
      {
        "tools/list": (exchange) => exchange.reply({ tools: [{ name: "t", inputSchema: { type: "object" } }] }),
        "tools/call": (exchange) => exchange.reply({ content: [{ type: "text", text: "served" }] }),
      },
    );
    const backends = [["bad", `http://127.0.0.1:${bad.port}/mcp`] as const, ["good", good.url] as const].map(
      ([name, url]) => ({
        ...backendDefaults,
        protocol: "legacy",
        name: name as BackendName,
        callMs: 4_000,
        replicas: [{ kind: "http" as const, url, headers: { authorization: "Bearer of-the-backend" } }],
      }),
    );
    await using bench = await startBench({ plan: { backends }, limits: { messageBytes } });
    const client = await bench.client();
    const call = (name: string): Promise<{ readonly text: string }> =>
      client.post({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });
    const before = process.memoryUsage().rss;
    for (const [name, each] of Object.entries(attacks)) {
      attack = each;
      const hurt = call("bad__t");
      assert.match((await within(call("good__t"), `the good backend beside ${name}`)).text, /served/, name);
      const answer = await within(hurt, name);
      assert.match(answer.text, /"error":\{"code":-?\d+/, `${name}: ${answer.text.slice(0, 300)}`);
      assert.doesNotMatch(answer.text, /of-the-backend/, name);
      const sent: unknown = await within(Promise.resolve(attacking), `the end of ${name}`);
      if (typeof sent === "number") assert.ok(sent < floodBytes / 2, `${name}: ${sent} bytes were taken`);
      assert.match((await within(call("good__t"), `the good backend after ${name}`)).text, /served/, name);
    }
    assert.deepEqual(reached, []);
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 250, `grew by ${Math.round(grown)} MiB`);
    assert.ok(!bench.logged.join("\n").includes("E7001"), bench.logged.join("\n"));
  },
);

test("hostile: a client's bomb of gzip is read as what it is, and not unpacked", async () => {
  await using bench = await startBench({ limits: { bodyBytes: 2 ** 20 } });
  const client = await bench.client();
  const bomb = new Uint8Array(gzipSync(Buffer.alloc(64 * 2 ** 20, "x")));
  const before = process.memoryUsage().rss;
  const answer = await client.post(bomb, { "content-encoding": "gzip" });
  assert.deepEqual([answer.status, codeOf(answer)], [400, -32700]);
  assert.ok(process.memoryUsage().rss - before < 40 * 2 ** 20);
});
