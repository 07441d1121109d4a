// What the binary costs: processor time of the shortest commands, and of a probe of five servers.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { runtime, startProcess } from "../kit/process.ts";
import { servePeer } from "../route/peer.ts";
import { buildProgram } from "./failure-run.ts";
import { createFolder } from "./kit.ts";

// There is one binary, whichever runtime asks.
const where = { timeout: 120_000, skip: runtime !== "bun" };
const program = buildProgram();
const binary = program.path;
const folder = createFolder();
after(() => {
  folder[Symbol.dispose]();
  program[Symbol.dispose]();
});

/** Processor time of one run, least of several, ms: what the kernel counted for it, user and system. */
async function leastCost(runs: number, ...args: readonly string[]): Promise<number> {
  const script = 'TIMEFORMAT="%3U %3S"; time "$0" "$@" > /dev/null';
  const costs: number[] = [];
  for (let at = 0; at < runs; at += 1) {
    await using proc = startProcess("bash", ["-c", script, binary, ...args], {
      cwd: folder.path,
      env: { LC_ALL: "C" },
    });
    proc.end();
    assert.equal((await proc.exited).code, 0, proc.stderr);
    const [user = Number.NaN, system = Number.NaN] = (proc.stderr.trim().split("\n").at(-1) ?? "")
      .split(" ")
      .map(Number);
    costs.push((user + system) * 1000);
  }
  return Math.min(...costs);
}

test("cost: --help and version cost less than 15 ms of processor time", where, async () => {
  const least = await leastCost(15, "--version");
  const [help, version] = [await leastCost(15, "--help"), await leastCost(15, "version")];
  console.log(
    `processor time: --version ${least.toFixed(0)} ms, version ${version.toFixed(0)}, --help ${help.toFixed(0)}`,
  );
  // On a machine so slow that the least that there is takes longer, it is a share of that.
  const most = Math.max(15, 1.7 * least);
  assert.ok(help < most && version < most, `${help} ${version} of ${most}`);
});

test("cost: probe asks five servers at once, and takes 100 ms of processor time", where, async () => {
  const least = await leastCost(5, "--version");
  const pings: number[] = [];
  const waiting: (() => void)[] = [];
  // The slowest answers when the others have been asked all that they are asked: who asks one after another waits for ever.
  const answered = (): void => {
    if (quick.every((peer, at) => peer.count("ping") >= (pings[at] ?? 0) + 3)) for (const go of waiting.splice(0)) go();
  };
  const tools = { tools: [{ name: "echo", inputSchema: { type: "object" } }] };
  const quick = await Promise.all(
    [1, 2, 3, 4].map(() => servePeer({ tools: {} }, { "tools/list": (exchange) => exchange.reply(tools) })),
  );
  const slow = await servePeer(
    { tools: {} },
    {
      "tools/list": (exchange) => {
        waiting.push(() => exchange.reply(tools));
        answered();
      },
    },
  );
  try {
    const servers = [slow, ...quick].map(({ url }, at) => [`server${at}`, { url }] as const);
    writeFileSync(join(folder.path, "m.json"), JSON.stringify({ backends: Object.fromEntries(servers) }));
    const ask = async (): Promise<number> => {
      pings.splice(0, pings.length, ...quick.map((peer) => peer.count("ping")));
      const asked = leastCost(1, "probe", "m.json", "--timeout", "60s");
      await Promise.all(quick.map((peer, at) => peer.until(() => peer.count("ping") >= (pings[at] ?? 0) + 3)));
      answered();
      return await asked;
    };
    const costs: number[] = [];
    for (let at = 0; at < 5; at += 1) costs.push(await ask());
    console.log(`probe of five servers: ${costs.map((cost) => cost.toFixed(0)).join(", ")} ms of processor time`);
    assert.ok(Math.min(...costs) < Math.max(100, 10 * least), costs.join(" "));
  } finally {
    await Promise.all([slow, ...quick].map((peer) => peer[Symbol.asyncDispose]()));
  }
});
