// What one process knows of who somebody is, and of what is theirs, holds at the others too.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { recordOf, until } from "../e2e/kit.ts";
import { TestAuthority } from "../kit/authority.ts";
import { lacksFleet } from "../kit/engine.ts";
import { Fleet } from "../kit/fleet.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { KeyClient, refusalOf } from "../security/kit.ts";

const limits = { timeout: 120_000, skip: lacksFleet };
const capabilities = {
  tools: {},
  resources: { subscribe: true },
  tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
};
const [shown, hidden] = ["test://shown", "test://hidden"];

/** A server with two resources, which keeps tasks for whoever asks. */
async function startKeeper(): Promise<McpPeer> {
  const made: string[] = [];
  return await servePeer(capabilities, {
    "resources/list": (to) => to.reply({ resources: [shown, hidden].map((uri) => ({ uri, name: uri })) }),
    "resources/templates/list": (to) => to.reply({ resourceTemplates: [] }),
    "resources/subscribe": (to) => to.reply({}),
    "resources/unsubscribe": (to) => to.reply({}),
    "tools/list": (to) => to.reply({ tools: [{ name: "begin", inputSchema: { type: "object" } }] }),
    "tools/call": (to) => to.reply({ task: { taskId: `t-${made.push("t")}`, status: "working", ttl: null } }),
    "tasks/get": (to) => to.reply({ taskId: to.params["taskId"], status: "completed" }),
    "tasks/result": (to) => to.reply({ content: [{ type: "text", text: "of ada" }] }),
    "tasks/cancel": (to) => to.reply({ taskId: to.params["taskId"], status: "cancelled" }),
    "tasks/list": (to) =>
      to.reply({ tasks: made.map((_, at) => ({ taskId: `t-${at + 1}`, status: "working", ttl: null })) }),
  });
}

interface World {
  readonly keeper: McpPeer;
  readonly authority: TestAuthority;
  readonly fleet: Fleet;
  readonly keys: Readonly<Record<"ada" | "eve", string>>;
}

const state: { world?: Promise<World> } = {};

async function start(): Promise<World> {
  const keeper = await startKeeper();
  const authority = await TestAuthority.start();
  const keys = { ada: createApiKey(), eve: createApiKey() };
  const hashed = Object.entries(keys).map(([name, key]) => [name, { hash: `sha256:${hashApiKey(key)}` }]);
  const fleet = await Fleet.start(
    {
      backends: { keeper: { url: keeper.url } },
      auth: { keys: Object.fromEntries(hashed), issuers: [{ issuer: authority.issuer, audiences: ["gateway"] }] },
      policy: {
        default: "deny",
        roles: { rich: { groups: ["rich"] } },
        rules: [
          { effect: "allow", roles: ["rich"] },
          { effect: "allow", tools: ["*"], resources: [shown] },
        ],
      },
    },
    2,
  );
  return { keeper, authority, fleet, keys };
}

const world = (): Promise<World> => (state.world ??= start());

after(async () => {
  const { keeper, authority, fleet } = (await state.world) ?? {};
  await fleet?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
  await keeper?.[Symbol.asyncDispose]();
});

/** The sum of what fits in the metrics of a process. */
async function numberOf(client: KeyClient, fits: RegExp): Promise<number> {
  const { text } = await client.look("/metrics");
  const lines = text.split("\n").filter((line) => fits.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const listened = /^mcpctl_subscriptions /;
const counted = /^mcpctl_requests_total\{.*"resources\/subscribe"/;
const countedOf = /^mcpctl_requests_total\{backend="keeper",.*"resources\/subscribe"/;

/** One session of one subject with two tokens: whoever is `listening` has its stream, at the first process. */
async function shareSession(listening: "rich" | "poor") {
  const { fleet, authority } = await world();
  const sub = crypto.randomUUID();
  const rich = await authority.token("gateway", { claims: { sub, groups: ["rich"] } });
  const poor = await authority.token("gateway", { claims: { sub } });
  const first = new KeyClient(fleet.member(0).url, listening === "rich" ? rich : poor);
  await first.initialize();
  const at = (member: number, key: string): KeyClient => {
    const client = new KeyClient(fleet.member(member).url, key);
    client.sessionId = first.sessionId;
    client.protocolVersion = first.protocolVersion;
    return client;
  };
  const stream = await first.get();
  const [here, there] = [at(0, rich), at(1, rich)];
  assert.deepEqual((await at(1, poor).ask("resources/subscribe", { uri: shown }))["result"], {});
  // The other process knows by then where the stream is, and has handed on what it was asked to listen to.
  const held = async (client: KeyClient): Promise<number> => await numberOf(client, listened);
  await until(async () => (await held(here)) === 1 && (await held(there)) === 0, "the first process listens");
  const close = async (): Promise<void> => {
    await stream.close();
    await first.delete();
  };
  return { here, there, poor: at(1, poor), first, [Symbol.asyncDispose]: close };
}

test("sharing: a subscription is judged by who asks for it, not by who has the stream", limits, async () => {
  const { keeper } = await world();
  await using shared = await shareSession("rich");
  const { poor } = shared;
  const before = keeper.count("resources/subscribe");
  const refused = refusalOf(await poor.ask("resources/subscribe", { uri: hidden }));
  assert.equal(refused.message.includes(hidden), true);
  assert.equal(keeper.count("resources/subscribe"), before);
});

test("sharing: one who may subscribe may do so where another has the stream, and is counted once", limits, async () => {
  const { keeper } = await world();
  await using shared = await shareSession("poor");
  const { here, there, first } = shared;
  const count = async (fits: RegExp): Promise<number> => {
    const [one, other] = await Promise.all([numberOf(here, fits), numberOf(there, fits)]);
    return one + other;
  };
  const [before, beforeOf, asked] = [await count(counted), await count(countedOf), keeper.count("resources/subscribe")];
  // What the stream's own token shows is what it was.
  assert.ok(refusalOf(await first.ask("resources/subscribe", { uri: hidden })));
  assert.deepEqual((await there.ask("resources/subscribe", { uri: hidden }))["result"], {});
  assert.ok(refusalOf(await first.ask("resources/read", { uri: hidden })));
  assert.equal(keeper.count("resources/subscribe"), asked + 1);
  assert.deepEqual([await count(counted), await count(countedOf)], [before + 2, beforeOf + 1]);
  assert.equal(await numberOf(here, listened), 2);
});

/** A task of Ada's, made at a process. */
async function beginTask(ada: KeyClient): Promise<string> {
  const params = { name: "keeper__begin", arguments: {}, task: {} };
  const { task } = recordOf((await ada.ask("tools/call", params))["result"]);
  return String(recordOf(task)["taskId"]);
}

/** A session of its own at a process. */
async function clientAt(member: number, name: "ada" | "eve"): Promise<KeyClient> {
  const { fleet, keys } = await world();
  const client = new KeyClient(fleet.member(member).url, keys[name]);
  await client.initialize();
  // The backend is known by then.
  await client.ask("tools/list");
  return client;
}

/** What a client is told that asks for a task in each way that there is. */
async function lookFor(taskId: string, client: KeyClient): Promise<readonly (string | boolean)[]> {
  const said: (string | boolean)[] = [];
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
    const answer = await client.ask(method, { taskId });
    said.push(answer["result"] === undefined ? refusalOf(answer).message : true);
  }
  const { tasks } = recordOf((await client.ask("tasks/list"))["result"]);
  return [...said, Array.isArray(tasks) && tasks.some((task) => recordOf(task)["taskId"] === taskId)];
}

const unknown = (id: string): readonly (string | boolean)[] => {
  const text = `unknown task "${id}"`;
  return [text, text, text, false];
};

test("sharing: a legacy task is not there for another at any process, and for its owner at each", limits, async () => {
  const { fleet } = await world();
  const task = await beginTask(await clientAt(0, "ada"));
  const [early, late] = [await clientAt(1, "eve"), await clientAt(1, "eve")];
  // The one lists first, the other does not.
  await early.ask("tasks/list");
  for (const eve of [early, late, await clientAt(0, "eve")]) assert.deepEqual(await lookFor(task, eve), unknown(task));
  assert.deepEqual(await lookFor(task, await clientAt(1, "ada")), [true, true, true, true]);
  assert.deepEqual(await lookFor(task, late), unknown(task));
  // Nor is it there when the process is gone that made it, and another has its place.
  await fleet.member(0).kill();
  await fleet.member(0).start();
  assert.deepEqual(await lookFor(task, await clientAt(0, "eve")), unknown(task));
  assert.deepEqual(await lookFor(task, await clientAt(0, "ada")), [true, true, true, true]);
});
