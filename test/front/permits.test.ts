// What a policy always allows is remembered: never longer than its name means the same, and what it means may be called.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { backendDefaults, type BackendPlan, freeze, type Plan } from "../../lib/config/plan.ts";
import type { PolicyPlan } from "../../lib/config/rules-policy.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { writeLock } from "../../lib/ops/lock-file.ts";
import { until } from "../e2e/kit.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { FrontClient } from "./kit.ts";
import { record } from "./peer.ts";
import { Bench, call, theLongWay, wentStraight } from "./straight-kit.ts";

const everything: PolicyPlan = { default: "allow", roles: {}, rules: [] };
const ways = ["straight", "long"] as const;

interface Changing extends AsyncDisposable {
  readonly peer: McpPeer;
  readonly plan: BackendPlan;
  /** It has this from now on, and says so. */
  change(...next: object[]): Promise<void>;
}

/** A backend whose tools change, and whose every answer names it. */
async function changing(name: string, ...first: object[]): Promise<Changing> {
  let tools = first;
  const peer = await servePeer(
    { tools: { listChanged: true }, prompts: {} },
    {
      "tools/list": (exchange) => exchange.reply({ tools }),
      "prompts/list": (exchange) => exchange.reply({ prompts: [] }),
      "tools/call": (exchange) => exchange.reply({ content: [{ type: "text", text: `done by ${name}` }] }),
    },
  );
  return {
    peer,
    plan: { ...backendDefaults, name: name as BackendName, replicas: [{ kind: "http", url: peer.url, headers: {} }] },
    change: async (...next) => {
      tools = next;
      await peer.until(() => peer.asked.length > 0);
      peer.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    },
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

interface Called {
  /** The answer to a call of `b__t`, or of another tool or method. */
  readonly ask: (name?: string, method?: string) => Promise<string>;
  readonly listed: () => Promise<readonly string[]>;
}

/** A gateway with this plan, whose client has one connection for all its calls. */
async function started(
  way: (typeof ways)[number],
  backends: readonly BackendPlan[],
  more: (bench: Bench) => Promise<Partial<Plan>> | Partial<Plan>,
): Promise<Called & AsyncDisposable> {
  const bench = await Bench.start();
  await bench.gateway.apply(freeze({ ...bench.gateway.plan, backends }));
  await bench.gateway.settled(30_000);
  await bench.gateway.apply(freeze({ ...bench.gateway.plan, ...(await more(bench)) }));
  const wire = bench.connect();
  const client = new FrontClient(bench.gateway);
  await client.initialize();
  let last = 100;
  return {
    ask: async (name = "b__t", method = "tools/call") => {
      const id = `c${(last += 1)}`;
      wire.text = "";
      const send = async (): Promise<void> => {
        bench.post(wire, call(id).replace("b__t", name).replace("tools/call", method));
        await wire.until(new RegExp(`"${id}".*\\}\\}`));
      };
      await (way === "long" ? theLongWay(send) : send());
      return wire.text;
    },
    listed: async () => {
      const { tools } = record((await client.post({ jsonrpc: "2.0", id: 1, method: "tools/list" })).json["result"]);
      return (tools as { name: string }[]).map(({ name }) => name);
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}

const tool = (name: string, description: string = "works"): object => ({
  name,
  description,
  inputSchema: { type: "object" },
});

for (const way of ways)
  for (const [what, policy, before] of [
    ["a call of before", everything, "tools/call"],
    ["a prompt of its name", undefined, "prompts/get"],
  ] as const)
    test(`permits: ${what} opens no way round the lock, ${way}`, { timeout: 120_000 }, async () => {
      const folder = mkdtempSync(join(tmpdir(), "mcpctl-permits-"));
      const file = join(folder, "mcp.lock");
      try {
        await using b = await changing("b", tool("t"), tool("u"));
        await using front = await started(way, [b.plan], async ({ gateway }) => {
          writeLock(file, (await gateway.computeLock()).lock);
          return { ...(policy && { policy }), lock: { mode: "enforce", file } };
        });
        assert.match(await front.ask(), /done by b/);
        assert.match(await front.ask("b__t", before), before === "tools/call" ? /done by b/ : /no such method/);
        await b.change(tool("t", "works!"), tool("u"));
        await until(async () => (await front.listed()).length === 1, "the changed tool is hidden");
        const calls = b.peer.count("tools/call");
        assert.match(await front.ask(), /E6141/);
        assert.match(await front.ask("b__u"), /done by b/);
        assert.equal(b.peer.count("tools/call"), calls + 1);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

for (const way of ways) {
  test(`permits: without prefixes a call goes to whose tool is listed now, ${way}`, { timeout: 120_000 }, async () => {
    await using a = await changing("a");
    await using b = await changing("b", tool("t"));
    await using front = await started(way, [a.plan, b.plan], () => ({
      policy: everything,
      naming: "none",
      priority: ["a" as BackendName, "b" as BackendName],
    }));
    assert.match(await front.ask("t"), /done by b/);
    assert.match(await front.ask("t"), /done by b/);
    await a.change(tool("t"), tool("u"));
    await until(async () => (await front.listed()).includes("u"), "the tools of the other one are listed");
    assert.match(await front.ask("t"), /done by a/);
  });

  test(`permits: a tool that has left the listing is called no more, ${way}`, { timeout: 120_000 }, async () => {
    await using b = await changing("b", tool("t"), tool("u"));
    await using front = await started(way, [b.plan], () => ({ policy: everything }));
    for (let calls = 0; calls < 3; calls += 1) assert.match(await front.ask(), /done by b/);
    // What else changes is nothing to it.
    await b.change(tool("t", "works!"), tool("u"), tool("v"));
    await until(async () => (await front.listed()).length === 3, "another one is listed");
    const before = wentStraight();
    assert.match(await front.ask(), /done by b/);
    assert.equal(wentStraight() - before, way === "straight" ? 1 : 0);
    await b.change(tool("u"));
    await until(async () => (await front.listed()).length === 1, "it has left");
    assert.match(await front.ask(), /unknown tool/);
    assert.match(await front.ask("b__u"), /done by b/);
    await b.change(tool("t"), tool("u"));
    await until(async () => (await front.listed()).length === 2, "it is back");
    assert.match(await front.ask(), /done by b/);
  });
}

test("permits: what the policy hides is not said to be held back by the lock", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-permits-"));
  const policy: PolicyPlan = { default: "deny", roles: {}, rules: [{ effect: "allow", tools: ["seen"] }] };
  try {
    await using b = await changing("b", tool("seen"), tool("t"));
    await using front = await started("long", [b.plan], () => ({
      policy,
      lock: { mode: "enforce", file: join(folder, "mcp.lock") },
    }));
    assert.match(await front.ask("b__seen"), /E6141/);
    assert.equal(answerOf(await front.ask()), answerOf(await front.ask("b__0")).replaceAll("b__0", "b__t"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const answerOf = (text: string): string => (/"error".*/.exec(text) ?? [])[0] ?? text;
