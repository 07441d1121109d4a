// Requests hidden inside of others, on raw sockets: none of them reaches a backend, and each is judged by its own credentials.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openWire, type Wire } from "../front/wire.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { type House, startHouse } from "./kit.ts";

const limits = { timeout: 120_000 };
const crlf = "\r\n";

function servePlain(): Promise<McpPeer> {
  return servePeer(
    { tools: {} },
    {
      "tools/list": (exchange) =>
        exchange.reply({ tools: ["t", "hidden"].map((name) => ({ name, inputSchema: { type: "object" } })) }),
      "tools/call": (exchange) =>
        exchange.reply({ content: [{ type: "text", text: String(exchange.params["name"]) }] }),
    },
  );
}

const version = "2026-07-28";
const meta = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Head and body of a call, of a client that needs no session. */
function callOf(tool: string, key: string | undefined, framing: readonly string[]): { head: string; body: string } {
  const name = `peer__${tool}`;
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name, arguments: {}, _meta: meta },
  });
  const lines = [
    "POST /mcp HTTP/1.1",
    "Host: localhost",
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `MCP-Protocol-Version: ${version}`,
    "Mcp-Method: tools/call",
    `Mcp-Name: ${name}`,
    ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
    ...framing.map((line) => line.replace("LENGTH", String(body.length))),
  ];
  return { head: lines.join(crlf) + crlf + crlf, body };
}

const chunked = (body: string): string => `${body.length.toString(16)}${crlf}${body}${crlf}0${crlf}${crlf}`;

/** Framings of which two readers could make two things; what follows is a whole request of somebody else. */
function attacks(key: string, victim: string): Readonly<Record<string, string>> {
  const inner = callOf("hidden", victim, ["Content-Length: LENGTH"]);
  const hidden = inner.head + inner.body;
  const made = (framing: readonly string[], write: (body: string) => string): string => {
    const { head, body } = callOf("t", key, framing);
    return head + write(body);
  };
  const none = `0${crlf}${crlf}`;
  return {
    "CL.TE": made(["Content-Length: LENGTH", "Transfer-Encoding: chunked"], () => none + hidden),
    "TE.CL": made(["Transfer-Encoding: chunked", "Content-Length: 4"], () => chunked(hidden)),
    "two lengths": made(["Content-Length: LENGTH", "Content-Length: 0"], (body) => body + hidden),
    "two lengths in one": made(["Content-Length: LENGTH, 0"], (body) => body + hidden),
    "a negative length": made(["Content-Length: -1"], () => hidden),
    "a length with a plus": made(["Content-Length: +0"], () => hidden),
    "a length in hex": made(["Content-Length: 0x10"], () => hidden),
    "two codings": made(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], () => none + hidden),
    "a coding with a blank": made(["Transfer-Encoding : chunked"], () => none + hidden),
    "a coding with a tab": made(["Transfer-Encoding:\tchunked\u000b"], () => none + hidden),
    "an unknown coding": made(["Transfer-Encoding: xchunked"], () => none + hidden),
    "a coding in quotes": made(['Transfer-Encoding: "chunked"'], () => none + hidden),
    "a coding behind another": made(["Transfer-Encoding: gzip, chunked"], () => none + hidden),
    "a folded coding": made(["Transfer-Encoding:", " chunked"], () => none + hidden),
    "a folded header with a length": made(["X: y", " Content-Length: 0"], () => hidden),
    "LF alone in the head": made(["X: y\nTransfer-Encoding: chunked"], () => none + hidden),
    "LF alone as the end of the head": callOf("t", key, []).head.slice(0, -2).concat("\n") + hidden,
    "CR alone in a value": made(["X: y\rTransfer-Encoding: chunked"], () => none + hidden),
    "NUL in a value": made(["X: \u0000", "Content-Length: 0"], () => hidden),
    "a huge chunk": made(["Transfer-Encoding: chunked"], () => `fffffffffffffffff${crlf}${hidden}`),
    "a chunk of 2^53": made(["Transfer-Encoding: chunked"], () => `20000000000000${crlf}${hidden}`),
    "a negative chunk": made(["Transfer-Encoding: chunked"], () => `-1${crlf}${hidden}`),
    "a chunk in 0x": made(["Transfer-Encoding: chunked"], () => `0x0${crlf}${crlf}${hidden}`),
    "a chunk that ends with LF": made(["Transfer-Encoding: chunked"], () => `0\n\n${hidden}`),
    "an extension with LF": made(["Transfer-Encoding: chunked"], () => `0;a\n${crlf}${hidden}`),
    "an extension that never ends": made(
      ["Transfer-Encoding: chunked"],
      () => `0;${"a".repeat(100_000)}${crlf}${crlf}${hidden}`,
    ),
    "trailers that never end": made(
      ["Transfer-Encoding: chunked"],
      () => `0${crlf}${`a: b${crlf}`.repeat(20_000)}${crlf}${hidden}`,
    ),
    "a chunk longer than it says": made(
      ["Transfer-Encoding: chunked"],
      (body) => `1${crlf}${body}${crlf}${none}${hidden}`,
    ),
    "an upgrade": made(
      ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Content-Length: LENGTH", "Transfer-Encoding: chunked"],
      () => none + hidden,
    ),
    "the preface of HTTP/2": `PRI * HTTP/2.0${crlf}${crlf}SM${crlf}${crlf}${hidden}`,
  };
}

/** Two people, of whom one sends what the other's requests should hide in. */
async function start(): Promise<House & { readonly peer: McpPeer }> {
  const peer = await servePlain();
  const house = await startHouse({ peer: { url: peer.url } });
  return {
    ...house,
    peer,
    [Symbol.asyncDispose]: async () => {
      await house[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}

const toolsOf = ({ got }: McpPeer): unknown[] =>
  got.flatMap(({ method, params }) => (method === "tools/call" ? [params?.["name"]] : []));
const statusesOf = ({ text }: Wire): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = ""]) => status);

test("smuggling: what two readers could read in two ways is 400, and the connection ends", limits, async () => {
  await using house = await start();
  const port = Number(new URL(house.gateway.url()).port);
  const [ada = "", eve = ""] = [house.client("ada").key, house.client("eve").key];
  for (const [what, text] of Object.entries(attacks(eve, ada))) {
    const wire = await openWire(port);
    wire.socket.write(Buffer.from(text, "latin1"));
    await wire.when(`the end after ${what}`, () => wire.isEnded);
    wire.socket.destroy();
    const statuses = statusesOf(wire);
    assert.ok(statuses.length === 1 && /^(?:400|413|431)$/.test(statuses[0] ?? ""), `${what}: ${statuses.join(" ")}`);
    assert.match(wire.text, /connection: close/i, what);
    // A request that was complete before the doubtful part may have been answered; the hidden one never runs.
    assert.ok(!toolsOf(house.peer).includes("hidden"), what);
  }
  const ok = await house.client("ada").askModern("tools/call", { name: "peer__t", arguments: {} });
  assert.match(JSON.stringify(ok), /"text":"t"/);
});

test(
  "smuggling: of requests in a row each is judged by what it shows itself, and answered in turn",
  limits,
  async () => {
    await using house = await start();
    const port = Number(new URL(house.gateway.url()).port);
    const [ada, eve] = [house.client("ada").key, house.client("eve").key];
    const text = [ada, undefined, eve, "nobody", ada, undefined, ada]
      .map((key) => callOf(key === undefined ? "hidden" : "t", key, ["Content-Length: LENGTH"]))
      .map(({ head, body }) => head + body)
      .join("");
    for (const cuts of [[], [10], [200, 700], [text.length - 1]]) {
      const wire = await openWire(port);
      let from = 0;
      for (const cut of [...cuts, text.length]) {
        wire.socket.write(text.slice(from, cut));
        await new Promise((resolve) => setImmediate(resolve));
        from = cut;
      }
      await wire.when("seven answers", () => statusesOf(wire).length === 7 || wire.isEnded);
      wire.socket.destroy();
      assert.deepEqual(statusesOf(wire), ["200", "401", "200", "401", "200", "401", "200"]);
    }
    assert.ok(!toolsOf(house.peer).includes("hidden"));
  },
);
