// A modern client's call to one backend, beside another backend that does not answer.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { modernRequest } from "../kit/modern-raw.ts";
import type { ModernRequestOptions } from "../kit/modern-raw.ts";
import { FrontClient, startBench } from "./kit.ts";
import { type Message, record, startPeer } from "./peer.ts";

/** Less than anything that the gateway waits for. */
const promptMs = 900;

interface Deaf extends AsyncDisposable {
  readonly url: string;
  /** Resolves when it has heard what it does not answer. */
  readonly heard: Promise<void>;
}

/** A legacy server that never answers one of the methods. */
async function startDeaf(to: string): Promise<Deaf> {
  const heard = Promise.withResolvers<void>();
  const facts = { capabilities: { logging: {}, tools: {} }, serverInfo: { name: "deaf", version: "1" } };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Uint8Array) => void (text += Buffer.from(chunk).toString()));
    request.on("end", () => {
      const { id, method } = record(text === "" ? {} : JSON.parse(text));
      if (method === to) return heard.resolve();
      if (id === undefined) return void response.writeHead(202).end();
      const results: Message = { initialize: { protocolVersion: "2025-11-25", ...facts }, "tools/list": { tools: [] } };
      const result = results[String(method)];
      const body = result === undefined ? { error: { code: -32601, message: "no" } } : { result };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    heard: heard.promise,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const cases: readonly [what: string, deaf: string, tool: string, options: ModernRequestOptions][] = [
  ["one that is deaf to log levels", "logging/setLevel", "work", { logLevel: "debug" }],
  ["one that does not list its tools, for a tool that its own does not list", "tools/list", "unlisted", {}],
];

/** How long the call takes, ms. */
async function callBeside(method: string, tool: string, options: ModernRequestOptions): Promise<number> {
  await using peer = await startPeer();
  await using deaf = await startDeaf(method);
  await using bench = await startBench({ backends: { peer: peer.url, deaf: deaf.url } });
  if (method === "tools/list") await deaf.heard;
  const { body, headers } = modernRequest("tools/call", { name: `peer__${tool}`, arguments: {} }, options);
  const begun = Date.now();
  const answering = new FrontClient(bench.gateway).send("POST", body, headers);
  (await peer.call()).reply("done");
  assert.equal((await answering).status, 200);
  return Date.now() - begun;
}

for (const [what, method, tool, options] of cases) {
  test(`modern neighbours: a call does not wait for ${what}`, async () => {
    // Where it waits it always does; a machine that stands still does so once.
    let took = promptMs;
    for (let left = 5; left > 0 && took >= promptMs; left -= 1) took = await callBeside(method, tool, options);
    assert.ok(took < promptMs, "it waited");
  });
}
