// What goes on beside the results: progress, cancellation, log messages, refusals, roots and tasks, on both fronts.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import {
  CreateMessageRequestSchema,
  CreateTaskResultSchema,
  GetTaskResultSchema,
  ListTasksResultSchema,
  McpError,
  ResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { connectClient, textOf } from "../kit/client.ts";
import type { ClientOptions, TestClient } from "../kit/client.ts";
import { createStdioFront, startServers } from "../kit/servers.ts";
import type { Servers, StdioFront } from "../kit/servers.ts";
import { call, Gateway, recordOf } from "./kit.ts";
import { eventWith } from "./samples.ts";

interface Peers {
  readonly servers: Servers;
  readonly gateway: Gateway;
  /** The reference server with links of each session's own, which declare what its client declared. */
  readonly own: Gateway;
  readonly stdioFront: StdioFront;
  readonly clients: Readonly<Record<Front, TestClient>>;
}

type Front = "HTTP" | "stdio";
const fronts: readonly Front[] = ["HTTP", "stdio"];
const limits = { timeout: 120_000 };
const fixtures = ["fixture", "fixture-http"] as const;
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const servers = await startServers();
  const reference = ["everything", "everything-http"] as const;
  const [gateway, own] = await Promise.all([
    Gateway.start(servers.config()),
    Gateway.start(servers.config(reference, { isolation: "session" })),
  ]);
  await Promise.all([gateway.up(...fixtures, ...reference), own.up(...reference)]);
  const stdioFront = createStdioFront(servers.config(fixtures));
  const [HTTP, stdio] = await Promise.all([connectClient({ url: gateway.url() }), connectClient(stdioFront.target)]);
  return { servers, gateway, own, stdioFront, clients: { HTTP, stdio } };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { servers, gateway, own, stdioFront, clients } = await peers();
  await Promise.all([clients.HTTP, clients.stdio].map((each) => each[Symbol.asyncDispose]()));
  await Promise.all([servers, gateway, own].map((each) => each[Symbol.asyncDispose]()));
  stdioFront[Symbol.dispose]();
});

/** The client that most tests share. */
async function clientOf(front: Front): Promise<TestClient> {
  return (await peers()).clients[front];
}

async function connect(front: Front, options: ClientOptions): Promise<TestClient> {
  const { gateway, stdioFront } = await peers();
  return connectClient(front === "HTTP" ? { url: gateway.url() } : stdioFront.target, options);
}

/** Calls a tool as users of the SDK do, and gives the progress that it reported before its result. */
async function progressOf(one: TestClient, name: string, args: Record<string, unknown>): Promise<unknown[]> {
  const heard: unknown[] = [];
  const options = { onprogress: (progress: object): unknown => heard.push(progress) };
  await one.client.callTool({ name, arguments: args }, undefined, options);
  return heard;
}

for (const front of fronts) {
  test(`dialogue: progress comes in order and before the result, over ${front}`, limits, async () => {
    const one = await clientOf(front);
    const expected = [0, 50, 100].map((progress) => ({ progress, total: 150, message: `${progress} of 150` }));
    for (const name of fixtures) assert.deepEqual(await progressOf(one, `${name}__slow`, { ms: 150 }), expected);
  });

  test(`dialogue: an aborted call is cancelled at its server, over ${front}`, limits, async () => {
    const one = await clientOf(front);
    for (const name of fixtures) {
      const [gone, kept] = [randomUUID(), randomUUID()];
      const abort = new AbortController();
      const started = Promise.withResolvers<void>();
      const options = { signal: abort.signal, onprogress: (): void => started.resolve() };
      const args = (ms: number, nonce: string) => ({ name: `${name}__slow`, arguments: { ms, nonce } });
      const other = one.client.callTool(args(100, kept));
      const cancelled = one.client.callTool(args(60_000, gone), undefined, options);
      await started.promise;
      abort.abort("enough");
      await assert.rejects(cancelled);
      // Answers as soon as the server has heard of the cancellation.
      const nonces = await one.callText(`${name}__cancelled`, { nonce: gone });
      assert.ok(nonces.includes(gone));
      assert.ok(!nonces.includes(kept));
      assert.equal(textOf(await other), "done after 100 ms");
    }
  });

  test(`dialogue: log messages keep to the level that the client set, over ${front}`, limits, async () => {
    const one = await clientOf(front);
    for (const name of fixtures) {
      const log = (level: string, standalone: boolean): Promise<string> =>
        one.callText(`${name}__log`, { level, standalone, text: `${name} ${level} ${standalone}` });
      await one.client.setLoggingLevel("error");
      for (const standalone of [false, true]) {
        await log("warning", standalone);
        await log("error", standalone);
        await one.notified("notifications/message", ({ data }) => data === `${name} error ${standalone}`);
      }
      await one.client.setLoggingLevel("debug");
      await log("debug", false);
      await one.notified("notifications/message", ({ data }) => data === `${name} debug false`);
      const heard = one.notifications
        .map(({ params }) => String(params?.["data"]))
        .filter((data) => data.startsWith(name));
      assert.deepEqual(heard.sort(), [`${name} debug false`, `${name} error false`, `${name} error true`]);
    }
  });

  test(
    `dialogue: a client's refusal reaches the server with its code, message and data, over ${front}`,
    limits,
    async () => {
      await using one = await connect(front, { capabilities: { sampling: {} } });
      one.client.setRequestHandler(CreateMessageRequestSchema, () => {
        throw new McpError(-32_123, "the user says no", { reason: ["private", 1] });
      });
      for (const name of fixtures) {
        const { error } = recordOf(JSON.parse(await one.callText(`${name}__ask-sampling`)));
        const { code, message, data } = recordOf(error);
        assert.deepEqual([code, data], [-32_123, { reason: ["private", 1] }]);
        assert.match(String(message), /the user says no$/);
      }
    },
  );

  test(`dialogue: what a client did not declare is never asked of it, over ${front}`, limits, async () => {
    await using one = await connect(front, { capabilities: { sampling: {}, elicitation: { form: {} } } });
    const uninvited: string[] = [];
    one.client.fallbackRequestHandler = ({ method }) => {
      uninvited.push(method);
      return Promise.resolve({});
    };
    for (const name of fixtures) {
      for (const [tool, missing] of [
        ["ask-roots", /did not declare roots/],
        ["ask-elicitation-url", /did not declare elicitation\.url/],
      ] as const) {
        const { error } = recordOf(JSON.parse(await one.callText(`${name}__${tool}`)));
        assert.match(String(recordOf(error)["message"]), missing);
      }
      assert.match(await one.callText(`${name}__ask-elicitation`), /"action":"accept"/);
      assert.match(await one.callText(`${name}__ask-sampling`), /An answer of the test model/);
    }
    assert.deepEqual(uninvited, []);
    assert.equal(one.asked.length, 4);
  });
}

test("dialogue: the reference server reports progress through both of its links", limits, async () => {
  const one = await clientOf("HTTP");
  for (const name of ["everything", "everything-http"]) {
    const tool = `${name}__trigger-long-running-operation`;
    assert.deepEqual(await progressOf(one, tool, { duration: 0.1, steps: 2 }), [
      { progress: 1, total: 2 },
      { progress: 2, total: 2 },
    ]);
  }
});

test("dialogue: a call whose client is gone is cancelled at its server", limits, async () => {
  const { gateway } = await peers();
  for (const name of fixtures) {
    const nonce = randomUUID();
    const client = await gateway.client();
    const params = { name: `${name}__slow`, arguments: { ms: 60_000, nonce }, _meta: { progressToken: "p" } };
    const stream = await client.postStream({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    await eventWith(stream, "notifications/progress");
    await stream.close();
    const reply = await call(client, `${name}__cancelled`, { nonce });
    assert.ok(JSON.stringify(reply).includes(nonce));
  }
});

test("dialogue: an error that asks for an elicitation by URL passes as it is", limits, async () => {
  const one = await clientOf("HTTP");
  for (const name of ["everything", "everything-http"]) {
    const args = { url: "https://example.com/", message: "Please", errorPath: true };
    const failed: unknown = await one.call(`${name}__trigger-url-elicitation`, args).catch((error: unknown) => error);
    assert.ok(failed instanceof McpError);
    assert.equal(failed.code, -32_042);
    const { elicitations } = recordOf(failed.data);
    assert.ok(Array.isArray(elicitations));
    assert.equal(recordOf(elicitations[0])["url"], "https://modelcontextprotocol.io");
    // The server lets the second attempt ask.
    assert.match(textOf(await one.call(`${name}__trigger-url-elicitation`, args)), /User completed/);
  }
});

test("dialogue: changed roots are announced to the servers, which ask for them again", limits, async () => {
  const { own } = await peers();
  const names = ["everything", "everything-http"] as const;
  const roots = [{ uri: "file:///first", name: "first" }];
  await using one = await connectClient({ url: own.url() }, { roots });
  for (const name of names)
    assert.match(await one.callText(`${name}__get-roots-list`), /\(1 total\)[^]*file:\/\/\/first/);
  roots.push({ uri: "file:///second", name: "second" });
  await one.client.sendRootsListChanged();
  const updates = (): number =>
    one.notifications.filter(({ params }) => String(params?.["data"]).startsWith("Roots updated: 2")).length;
  await one.notified("notifications/message", () => updates() === names.length);
  for (const name of names)
    assert.match(await one.callText(`${name}__get-roots-list`), /\(2 total\)[^]*file:\/\/\/second/);
});

test(
  "dialogue: two clients of the reference server get their own progress and are asked on their own",
  limits,
  async () => {
    const { own } = await peers();
    const connectAs = (name: string): Promise<TestClient> =>
      connectClient({ url: own.url() }, { modelText: `model of ${name}`, formContent: { name } });
    await using ada = await connectAs("ada");
    await using bob = await connectAs("bob");
    const use = async (one: TestClient, name: string, steps: number, server: string): Promise<void> => {
      const [progress, sampled, elicited] = await Promise.all([
        progressOf(one, `${server}__trigger-long-running-operation`, { duration: 0.2, steps }),
        one.callText(`${server}__trigger-sampling-request`, { prompt: `by ${name}` }),
        one.call(`${server}__trigger-elicitation-request`),
      ]);
      assert.deepEqual(
        progress,
        Array.from({ length: steps }, (_, step) => ({ progress: step + 1, total: steps })),
      );
      assert.ok(sampled.includes(`model of ${name}`));
      assert.ok(JSON.stringify(elicited).includes(`- Name: ${name}`));
    };
    const servers = ["everything", "everything-http"];
    await Promise.all(servers.flatMap((server) => [use(ada, "ada", 3, server), use(bob, "bob", 4, server)]));
    assert.ok(!JSON.stringify(ada.asked).includes("by bob"));
    assert.ok(!JSON.stringify(bob.asked).includes("by ada"));
  },
);

test("dialogue: a task is created, found, listed and cancelled at the server that runs it", limits, async () => {
  const one = await clientOf("HTTP");
  for (const name of ["everything", "everything-http"]) {
    const params = { name: `${name}__simulate-research-query`, arguments: { topic: "x" }, task: { ttl: 60_000 } };
    const { task } = await one.client.request({ method: "tools/call", params }, CreateTaskResultSchema);
    const { taskId } = task;
    const found = await one.client.request({ method: "tasks/get", params: { taskId } }, GetTaskResultSchema);
    assert.deepEqual([found.taskId, found.status], [taskId, "working"]);
    const { tasks } = await one.client.request({ method: "tasks/list" }, ListTasksResultSchema);
    assert.ok(tasks.some((each) => each.taskId === taskId));
    await one.client.request({ method: "tasks/cancel", params: { taskId } }, ResultSchema);
    const ended = await one.client.request({ method: "tasks/get", params: { taskId } }, GetTaskResultSchema);
    assert.equal(ended.status, "cancelled");
  }
});
