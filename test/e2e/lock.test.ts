// A tool that changes behind a gateway with a lock disappears, is refused with the reason, and comes back when accepted.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { backendDefaults, defaultPlan, freeze, type Plan } from "../../lib/config/plan.ts";
import type { BackendName } from "../../lib/core/nouns.ts";
import { Gateway } from "../../lib/gateway.ts";
import { diffLock } from "../../lib/merge/lock.ts";
import { readLock, writeLock } from "../../lib/ops/lock-file.ts";
import { FrontClient } from "../front/kit.ts";
import { servePeer } from "../route/peer.ts";
import { recordOf, until } from "./kit.ts";

const tool = (description: string, ...more: string[]): object => ({
  name: "read",
  description,
  inputSchema: { type: "object", properties: Object.fromEntries(["path", ...more].map((name) => [name, {}])) },
});

test("lock: one changed word hides a tool until it is accepted", { timeout: 120_000 }, async () => {
  let tools = [tool("Reads a file."), { name: "list" }];
  await using peer = await servePeer(
    { tools: { listChanged: true } },
    {
      "tools/list": (exchange) => exchange.reply({ tools }),
      "tools/call": (exchange) =>
        exchange.reply({ content: [{ type: "text", text: String(exchange.params["name"]) }] }),
    },
  );
  const change = (next: object[]): void => {
    tools = next;
    peer.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  };
  const folder = mkdtempSync(join(tmpdir(), "mcpctl-lock-"));
  const file = join(folder, "mcp.lock");
  const logged: string[] = [];
  const observer = { log: (_: string, source: string, text: string): void => void logged.push(`${source}: ${text}`) };
  const backend = {
    ...backendDefaults,
    name: "fs" as BackendName,
    replicas: [{ kind: "http" as const, url: peer.url, headers: {} }],
  };
  const planOf = (mode: Plan["lock"]["mode"]): Plan => freeze({ ...defaultPlan([backend]), lock: { mode, file } });
  const gateway = await Gateway.open({ plan: planOf("off"), version: "0", observer });
  try {
    const accept = async (): Promise<void> => writeLock(file, (await gateway.computeLock()).lock);
    await accept();
    const accepted = readLock(file);
    assert.ok(accepted);
    assert.deepEqual([...(accepted.get("fs")?.keys() ?? [])], ["list", "read"]);
    await gateway.apply(planOf("enforce"));
    const client = new FrontClient(gateway);
    await client.initialize();
    const ask = async (method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> =>
      recordOf((await client.post({ jsonrpc: "2.0", id: 1, method, params })).json);
    const names = async (): Promise<unknown[]> => {
      const { tools: listed } = recordOf((await ask("tools/list"))["result"]);
      return (listed as { name: string }[]).map(({ name }) => name);
    };
    const call = (): Promise<Readonly<Record<string, unknown>>> => ask("tools/call", { name: "fs__read" });
    assert.deepEqual(await names(), ["fs__list", "fs__read"]);
    assert.ok((await call())["result"]);

    change([tool("Reads a file!"), { name: "list" }, { name: "fresh" }]);
    await until(async () => (await names()).length === 1, "the changed tool is hidden");
    assert.deepEqual(await names(), ["fs__list"]);
    const { code, message, data } = recordOf((await call())["error"]);
    assert.deepEqual([code, recordOf(data)["code"]], [-32_602, "E6141"]);
    assert.match(String(message), /"fs__read" is not as the lock has it: description says something else/);
    const calls = peer.count("tools/call");
    const health = await gateway.settled(1_000);
    assert.deepEqual(health.backends["fs"]?.deviations, [
      { tool: "fresh", kind: "new", what: "is new" },
      { tool: "read", kind: "changed", what: "description says something else" },
    ]);
    assert.ok(logged.some((line) => /^backend fs: .*fresh \(is new\); read \(description .*mcpctl lock/.test(line)));
    const { lock: now } = await gateway.computeLock();
    assert.deepEqual(
      diffLock(accepted, now).map(({ backend: name, name: changed, weight }) => [name, changed, weight]),
      [
        ["fs", "fresh", "compatible"],
        ["fs", "read", "cosmetic"],
      ],
    );

    // The running gateway sees the file by itself.
    await accept();
    await until(async () => (await names()).length === 3, "what was accepted is back");
    assert.ok((await call())["result"]);
    assert.equal(peer.count("tools/call"), calls + 1);

    change([tool("Reads a file!", "more"), { name: "list" }]);
    await until(async () => (await names()).length === 1, "a changed schema hides it, too");
    await gateway.apply(planOf("warn"));
    assert.deepEqual(await names(), ["fs__list", "fs__read"]);
    assert.ok((await call())["result"]);
    assert.equal((await gateway.settled(1_000)).backends["fs"]?.deviations?.length, 1);
    await gateway.apply(planOf("off"));
    assert.equal((await gateway.settled(1_000)).backends["fs"]?.deviations, undefined);
  } finally {
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
