// A long run with faults on: memory, children, sockets and calls in flight come back to where they were.
// SOAK_SECONDS=1800 runs for half an hour.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Gateway, recordOf, until } from "../e2e/kit.ts";
import { assertTruthful, childReplica, HttpReplica, Load, type Outcome, Records, startGateway } from "./kit.ts";

const seconds = Number(process.env["SOAK_SECONDS"] ?? 10);
const slices = 10;

interface Held {
  readonly rssMiB: number;
  readonly children: number;
  readonly sockets: number;
}

/** What a process holds, by /proc. */
function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssMiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(name) === pid).length;
  const sockets = readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(pid, fd)).length;
  return { rssMiB, children, sockets };
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function isSocket(pid: number, fd: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
  } catch {
    return false;
  }
}

/** Calls in flight and parked, as /health says. */
async function openCalls(gateway: Gateway): Promise<number> {
  const health = recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
  return Number(health["inFlight"]) + Number(health["parked"]);
}

const faults = [
  "latency",
  "resetBefore",
  "resetAfter",
  "halfClose",
  "duplicate",
  "late",
  "sessionLoss",
  "unavailable",
  "kill",
];

test(
  "soak: with faults on nothing grows and nothing is left over",
  { skip: process.platform !== "linux" },
  async () => {
    using records = new Records();
    const record = records.file("r");
    await using one = await HttpReplica.start(record);
    await using two = await HttpReplica.start(record, "modern");
    const file = join(records.folder, "chaos.yaml");
    writeFileSync(
      file,
      `seed: 3\nfaults:\n${faults.map((fault) => `  - { fault: ${fault}, share: 1%, delay: 20ms }`).join("\n")}\n`,
    );
    const timeouts = { call: "5s", first: "1s", down: "50ms" };
    await using gateway = await startGateway(
      {
        http: { replicas: [{ url: one.url }, { url: two.url }], timeouts },
        child: { replicas: [childReplica(record), childReplica(record, "modern")], isolation: "shared", timeouts },
      },
      "--chaos",
      file,
    );
    const outcomes: Outcome[] = [];
    const seen: Held[] = [];
    for (let slice = 0; slice < slices; slice += 1) {
      const clients = await Promise.all(Array.from({ length: 6 }, () => gateway.client()));
      const load = new Load(clients, ["http__read", "child__put", "http__add", "child__add"], 100, { delayMs: 3 });
      await pause((seconds * 1_000) / slices);
      if (slice % 3 === 1) await one.kill().then(() => one.start());
      outcomes.push(...(await load.stop()));
      await Promise.all(clients.map((client) => client.delete()));
      seen.push(heldBy(gateway.proc.pid));
    }
    assertTruthful(
      outcomes.filter(({ tool }) => tool.endsWith("add")),
      records.executions("r"),
    );
    await until(async () => (await openCalls(gateway)) === 0, "no call is left in flight");
    await until(() => heldBy(gateway.proc.pid).children === 2, "two children, one for each replica");
    const end = heldBy(gateway.proc.pid);
    // What a run needs to be warm: a third of it.
    const warm = Math.max(...seen.slice(0, Math.ceil(slices / 3)).map(({ rssMiB }) => rssMiB));
    const answered = outcomes.filter(({ text }) => text !== undefined).length;
    console.log(
      `soak: ${seconds} s, ${outcomes.length} calls, ${answered} answered; RSS ${seen.map(({ rssMiB }) => rssMiB.toFixed(0)).join(" ")} MiB; sockets ${seen.map(({ sockets }) => sockets).join(" ")}, then ${end.sockets}`,
    );
    // A short run is mostly warming up.
    if (seconds >= 60) assert.ok(end.rssMiB < 1.1 * warm, `${end.rssMiB} MiB at the end, ${warm} MiB when warm`);
    assert.ok(end.rssMiB < 1.5 * warm, `${end.rssMiB} MiB at the end, ${warm} MiB when warm`);
    const most = Math.max(...seen.slice(0, 3).map(({ sockets }) => sockets)) + 10;
    await until(() => heldBy(gateway.proc.pid).sockets <= most, `no more than ${most} sockets`);
  },
);
