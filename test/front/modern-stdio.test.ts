// Modern clients on stdin and stdout: beside a legacy session or without one, with listen streams among the lines.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { PolicyRulePlan } from "../../lib/config/rules-policy.ts";
import { modernLine } from "../kit/modern-raw.ts";
import { authPlan, keyOf } from "./auth-kit.ts";
import { startBench } from "./kit.ts";
import { type Message, Queue, record, within } from "./peer.ts";

async function open(): Promise<
  {
    readonly write: (...lines: string[]) => void;
    readonly next: () => Promise<Message>;
    readonly bench: Awaited<ReturnType<typeof startBench>>;
    readonly end: () => Promise<void>;
  } & AsyncDisposable
> {
  const bench = await startBench();
  const [input, output] = [new PassThrough(), new PassThrough()];
  const lines = new Queue<string>();
  let rest = "";
  output.on("data", (chunk: Uint8Array) => {
    const [...whole] = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = whole.pop() ?? "";
    for (const line of whole) lines.push(line);
  });
  const ended = bench.gateway.serveStdio(input, output);
  return {
    bench,
    write: (...texts) => void input.write(texts.join("")),
    next: async () => record(JSON.parse(await lines.next("a line on stdout"))),
    end: () => {
      input.end();
      return within(ended, "the end of the run");
    },
    [Symbol.asyncDispose]: async () => {
      input.end();
      await ended;
      await bench[Symbol.asyncDispose]();
    },
  };
}

const call: Message = { name: "peer__work", arguments: {} };
const plain = (message: object): string => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;

test("modern stdio: requests are served without a handshake, and refused as over HTTP", async () => {
  await using pipe = await open();
  const cases: readonly [line: string, code: number | undefined][] = [
    [modernLine("server/discover", {}, { id: "probe" }), undefined],
    [modernLine("tools/list"), undefined],
    [modernLine("tools/list", {}, { version: "v999" }), -32022],
    [modernLine("tools/list", {}, { meta: { "io.modelcontextprotocol/clientCapabilities": undefined } }), -32602],
    [plain({ id: "bare", method: "tools/list" }), -32602],
    [modernLine("ping"), -32601],
    [modernLine("tasks/get", { taskId: "t" }), -32021],
  ];
  for (const [line, code] of cases) {
    pipe.write(line);
    const { error } = await pipe.next();
    assert.equal(error === undefined ? undefined : record(error)["code"], code, line);
  }
});

test("modern stdio: a legacy session and modern requests share the pipe", async () => {
  await using pipe = await open();
  pipe.write(modernLine("tools/list", {}, { id: 1 }));
  assert.equal(record((await pipe.next())["result"])["resultType"], "complete");
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  pipe.write(plain({ id: 2, method: "initialize", params }), plain({ method: "notifications/initialized" }));
  assert.equal(record((await pipe.next())["result"])["protocolVersion"], "2025-11-25");
  pipe.write(plain({ id: 3, method: "tools/list" }), modernLine("tools/list", {}, { id: 4 }));
  const answers = [await pipe.next(), await pipe.next()].toSorted((a, b) => Number(a["id"]) - Number(b["id"]));
  assert.deepEqual(
    answers.map(({ result }) => record(result)["resultType"]),
    [undefined, "complete"],
  );
});

test("modern stdio: a reload holds from the next request on", async () => {
  await using pipe = await open();
  const { gateway, peer } = pipe.bench;
  pipe.write(modernLine("tools/call", call, { id: "before" }));
  (await peer.call()).reply("done");
  assert.equal((await pipe.next())["error"], undefined);
  const rules: readonly PolicyRulePlan[] = [{ effect: "deny", tools: ["work"] }];
  await gateway.apply({ ...gateway.plan, policy: { default: "allow", roles: {}, rules } });
  pipe.write(modernLine("tools/call", call, { id: "after" }));
  assert.equal(record((await pipe.next())["error"])["code"], -32602);
  assert.equal(peer.calls.size, 0);
});

test("modern stdio: notifications/cancelled takes a call back, which is then not answered", async () => {
  await using pipe = await open();
  pipe.write(modernLine("tools/call", call, { id: "c" }));
  const upstream = await pipe.bench.peer.call();
  pipe.write(modernLine("tools/call", call, { id: "c" }));
  assert.equal(record((await pipe.next())["error"])["code"], -32600);
  pipe.write(plain({ method: "notifications/cancelled", params: { requestId: "c" } }));
  await upstream.dropped();
  pipe.write(modernLine("server/discover", {}, { id: "d" }));
  assert.equal((await pipe.next())["id"], "d");
});

test("modern stdio: listen streams are told apart by their ids, and end when they are cancelled", async () => {
  await using pipe = await open();
  const params = { notifications: { toolsListChanged: true } };
  pipe.write(modernLine("subscriptions/listen", params, { id: "one" }));
  pipe.write(modernLine("subscriptions/listen", params, { id: 2 }));
  const tags = [await pipe.next(), await pipe.next()].map(
    (opened) => record(record(opened["params"])["_meta"])["io.modelcontextprotocol/subscriptionId"],
  );
  assert.deepEqual(tags, ["one", 2]);
  pipe.write(plain({ method: "notifications/cancelled", params: { requestId: "one" } }));
  pipe.write(modernLine("server/discover", {}, { id: "d" }));
  assert.equal((await pipe.next())["id"], "d");
  // The other one does not keep the process alive when its client is gone.
  await pipe.end();
});

test("modern stdio: a listen stream goes on where a reload makes others sign in, or nobody any more", async () => {
  await using pipe = await open();
  const { gateway } = pipe.bench;
  pipe.write(modernLine("subscriptions/listen", { notifications: { toolsListChanged: true } }, { id: "one" }));
  await pipe.next();
  const { auth: _, ...plan } = gateway.plan;
  await gateway.apply({ ...plan, auth: authPlan({ keys: [keyOf("ada")] }) });
  await gateway.apply(plan);
  await gateway.apply({ ...plan, backends: [] });
  assert.equal((await pipe.next())["method"], "notifications/tools/list_changed");
});
