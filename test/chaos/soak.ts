// A long run with faults on: what a gateway holds of memory, children, sockets, timers and calls, time after time.
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fixtureStdio, Gateway, recordOf, until } from "../e2e/kit.ts";
import { answersTo, ModernPeer } from "../kit/modern-peer.ts";
import { childReplica, HttpReplica, Load, type Outcome, Records, whenUp } from "./kit.ts";

export interface Held {
  readonly rssMiB: number;
  /** Without garbage. */
  readonly heapMiB: number;
  readonly children: number;
  /** Its own, and not those of the clients, who keep them as they like. */
  readonly sockets: number;
  readonly timers: number;
  readonly intervals: number;
  readonly deadlines: number;
  /** Calls in flight, and calls that wait for input. */
  readonly calls: number;
  readonly parked: number;
}

export interface SoakResult {
  /** Before the first call. */
  readonly rest: Held;
  readonly seen: readonly Held[];
  readonly end: Held;
  readonly outcomes: readonly Outcome[];
  readonly executions: ReadonlyMap<string, number>;
  readonly surveys: number;
  readonly injected: number;
}

const faults = [
  "latency",
  "resetBefore",
  "resetAfter",
  "halfClose",
  "garbage",
  "wrongId",
  "duplicate",
  "late",
  "hang",
  "throttle",
  "unavailable",
  "sessionLoss",
  "kill",
  "stop",
];
const timeouts = { call: "5s", first: "1s", down: "50ms" };
/** Of calls whose client never comes back with its input. */
const inputMs = 3_000;
const perSecond = 100;
/** Longer than a connection to a backend stays open without a call, with the pause between two looks at that. */
const idleMs = 10_000;

/**
 * Runs for `seconds`, and looks `slices` times; `told` hears of each look. Throws where it does not come to rest in the end as
 * it was before the first call: no call, every child there once, and not one socket more.
 */
export async function soak(
  seconds: number,
  slices: number,
  told: (line: string) => void = () => {},
): Promise<SoakResult> {
  using records = new Records();
  const record = records.file("r");
  await using one = await HttpReplica.start(record);
  await using two = await HttpReplica.start(record, "modern");
  const backends = {
    busyHttp: { replicas: [{ url: one.url }, { url: two.url }], timeouts },
    busyChild: { replicas: [childReplica(record), childReplica(record, "modern")], isolation: "shared", timeouts },
    asks: { ...fixtureStdio(), isolation: "shared" },
  };
  await using gateway = await Gateway.startScript(
    "test/chaos/counted-server.ts",
    { backends, timeouts: { input: `${inputMs}ms` } },
    "--chaos",
    chaosFile(records.folder),
  );
  await whenUp(gateway, backends);
  // It looks at its own work from here on, and holds a timer for that.
  await gateway.proc.line(/^ {2}\S+ +asks /, "stderr");
  // A short run has no time for that: what connected is still there, which are few.
  if (seconds > 60) await pause(idleMs);
  const rest = await heldBy(gateway);
  const outcomes: Outcome[] = [];
  const seen: Held[] = [];
  let surveys = 0;
  for (let slice = 0; slice < slices; slice += 1) {
    const clients = await Promise.all(Array.from({ length: 6 }, () => gateway.client()));
    const load = new Load(clients, ["busyHttp__read", "busyChild__put", "busyHttp__add", "busyChild__add"], perSecond, {
      delayMs: 3,
    });
    const asking = new AbortController();
    const asked = ask(gateway, asking.signal);
    await pause((seconds * 1_000) / slices);
    if (slice % 3 === 1) await one.kill().then(() => one.start());
    asking.abort();
    surveys += await asked;
    outcomes.push(...(await load.stop()));
    await Promise.all(clients.map((client) => client.delete()));
    const held = await heldBy(gateway);
    seen.push(held);
    told(
      `${slice + 1} of ${slices}: ${JSON.stringify({ ...held, rssMiB: Math.round(held.rssMiB), heapMiB: held.heapMiB.toFixed(2) })}`,
    );
  }
  const end = await restOf(gateway, rest);
  const injected = Number(recordOf((await healthOf(gateway))["chaos"])["injected"]);
  return { rest, seen, end, outcomes, executions: records.executions("r"), surveys, injected };
}

/** What is held when all is done; it has the time that calls without input have, and idle connections. */
async function restOf(gateway: Gateway, { children, sockets, intervals }: Held): Promise<Held> {
  let held = await heldBy(gateway);
  const isAtRest = async (): Promise<boolean> => {
    await pause(200);
    held = await heldBy(gateway);
    const isCalm = held.calls === 0 && held.parked === 0 && held.children === children;
    return isCalm && held.sockets <= sockets && held.intervals <= intervals;
  };
  await until(isAtRest, "it is at rest", inputMs + idleMs + 20_000).catch((error: unknown) => {
    const told = JSON.stringify({ ...held, peers: Object.fromEntries(socketsOf(gateway)) });
    throw new Error(`there were ${children} children, ${sockets} sockets, ${intervals} intervals; left are ${told}`, {
      cause: error,
    });
  });
  return held;
}

function chaosFile(folder: string): string {
  const file = join(folder, "chaos.yaml");
  const rules = faults.map((fault) => `  - { fault: ${fault}, backend: "busy*", share: 0.7%, delay: 20ms }`);
  writeFileSync(file, `seed: 3\nfaults:\n${rules.join("\n")}\n`);
  return file;
}

/** Calls that ask for input, of which every second one gets none; gives how many there were. */
async function ask(gateway: Gateway, signal: AbortSignal): Promise<number> {
  const peer = new ModernPeer(gateway.url());
  let count = 0;
  for (; !signal.aborted; count += 1) {
    const { asked, state } = await peer.call("asks__survey", { nonce: `s${count}` });
    const more = { inputResponses: answersTo(asked), requestState: state };
    if (count % 2 === 0) await peer.call("asks__survey", { nonce: `s${count}` }, more);
    await pause(200);
  }
  return count;
}

async function healthOf(gateway: Gateway): Promise<Readonly<Record<string, unknown>>> {
  return recordOf(await (await fetch(new URL("/health", gateway.url()))).json());
}

let asked = 0;

/** What a gateway holds, by /proc, by /health, and by its own count. */
async function heldBy(gateway: Gateway): Promise<Held> {
  const { pid } = gateway.proc;
  const { inFlight, parked } = await healthOf(gateway);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  asked += 1;
  gateway.proc.kill("SIGUSR2");
  const [, text = ""] = await gateway.proc.line(new RegExp(`^held (\\{"asked":${asked},.*\\})$`), "stderr");
  const { timers, intervals, deadlines, heapBytes } = recordOf(JSON.parse(text));
  return {
    rssMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024,
    heapMiB: Number(heapBytes) / 2 ** 20,
    children: readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(name) === pid).length,
    sockets: [...socketsOf(gateway).values()].reduce((sum, count) => sum + count, 0),
    timers: Number(timers),
    intervals: Number(intervals),
    deadlines: Number(deadlines),
    calls: Number(inFlight),
    parked: Number(parked),
  };
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Its sockets but for those of its clients, by what they lead to. */
function socketsOf(gateway: Gateway): ReadonlyMap<string, number> {
  const { pid } = gateway.proc;
  const listening = Number(new URL(gateway.url()).port);
  const rows = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n");
  // Local address, remote address, state, queues, timers, retransmits, user, timeout, inode.
  const byInode = new Map(
    rows.map((row) => row.trim().split(/\s+/)).map((fields) => [`socket:[${fields[9]}]`, fields]),
  );
  const counts = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = targetOf(pid, fd);
    if (!target.startsWith("socket:")) continue;
    const [, local, remote, state] = byInode.get(target) ?? [];
    if (local !== undefined && portOf(local) === listening) continue;
    const peer = remote === undefined ? "a child, or nobody" : `port ${portOf(remote)}, state ${state}`;
    counts.set(peer, (counts.get(peer) ?? 0) + 1);
  }
  return counts;
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "", 16);
}

function targetOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return "";
  }
}
