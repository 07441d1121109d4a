// Every fault, on both transports and both eras, for calls that may run twice and for others: what was expected, and what came.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { BackendConfig, Gateway } from "../e2e/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import {
  callOnce,
  childReplica,
  type Era,
  HttpReplica,
  Load,
  type Outcome,
  quantile,
  Records,
  startGateway,
} from "./kit.ts";

type Expected =
  /** Answered, and executed this often at most. */
  | { readonly kind: "answered"; readonly runs: number; readonly leastMs?: number }
  /** The caller is told that it may have run; it ran this often. */
  | { readonly kind: "unknown"; readonly runs: number };

interface Row {
  readonly safe: Expected;
  readonly unsafe: Expected;
  /** Only where the wire can do it. */
  readonly only?: "http";
}

const once: Expected = { kind: "answered", runs: 1 };
const twice: Expected = { kind: "answered", runs: 2 };
const ran: Expected = { kind: "unknown", runs: 1 };

/** What is expected of each fault, whatever the transport and the era. */
const rows: Readonly<Record<string, Row>> = {
  latency: { safe: once, unsafe: once },
  duplicate: { safe: once, unsafe: once },
  // Nobody but the server knows that it did not run.
  resetBefore: { safe: once, unsafe: { kind: "unknown", runs: 0 } },
  resetAfter: { safe: twice, unsafe: ran },
  halfClose: { safe: twice, unsafe: ran },
  garbage: { safe: twice, unsafe: ran },
  wrongId: { safe: twice, unsafe: ran },
  hang: { safe: twice, unsafe: ran },
  throttle: {
    only: "http",
    safe: { kind: "answered", runs: 1, leastMs: 950 },
    unsafe: { kind: "answered", runs: 1, leastMs: 950 },
  },
  sessionLoss: { only: "http", safe: once, unsafe: once },
  kill: { safe: twice, unsafe: ran },
  stop: { safe: twice, unsafe: ran },
};

/** What ends a replica, which comes back in its own time: such a cell has replicas of its own. */
const endings: ReadonlySet<string> = new Set(["kill", "stop"]);
const endingsOfChildren: ReadonlySet<string> = new Set([...endings, "resetBefore", "resetAfter", "halfClose"]);
/** What nothing but time can tell. */
const silent: ReadonlySet<string> = new Set(["garbage", "wrongId", "hang"]);

interface Cell {
  readonly fault: string;
  readonly backend: string;
  readonly tool: string;
  readonly expected: Expected;
}

/** A gateway over the backends of all cells of a transport and an era, and another backend. */
interface Bench extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly records: Records;
  readonly cells: readonly Cell[];
}

function cellsOf(transport: "http" | "stdio", era: Era): readonly Cell[] {
  const ends = transport === "http" ? endings : endingsOfChildren;
  return Object.entries(rows).flatMap(([fault, { safe, unsafe, only }]) => {
    if (only !== undefined && only !== transport) return [];
    const cells = [
      // Either hint says that a tool may run twice.
      { fault, tool: era === "legacy" ? "read" : "put", expected: safe },
      { fault, tool: "add", expected: unsafe },
    ];
    return cells.map((cell) => ({
      ...cell,
      backend: ends.has(fault) ? `${fault}_${cell.tool}` : silent.has(fault) ? "quick" : "b",
    }));
  });
}

/** Short times only where the fault cannot be seen otherwise: the machine may be slow. */
function timeoutsOf(backend: string): object {
  const times = { call: "20s", health: "0s", down: "20ms" };
  if (backend === "quick") return { ...times, first: "400ms" };
  if (!backend.startsWith("stop")) return times;
  // What may not run twice waits for the rest of its time, what may for a ping.
  return { ...times, health: "200ms", ping: "300ms", ...(backend.endsWith("add") ? { call: "1500ms" } : {}) };
}

async function startBench(transport: "http" | "stdio", era: Era): Promise<Bench> {
  const records = new Records();
  const record = records.file("r");
  const stack = new AsyncDisposableStack();
  stack.defer(() => records[Symbol.dispose]());
  const cells = cellsOf(transport, era);
  const names = [...new Set(cells.map(({ backend }) => backend))];
  const server = async (): Promise<BackendConfig> => ({ url: stack.use(await HttpReplica.start(record, era)).url });
  const twoOf = (): Promise<BackendConfig[]> =>
    transport === "http"
      ? Promise.all([server(), server()])
      : Promise.resolve([childReplica(record, era), childReplica(record, era)]);
  const own = await Promise.all(
    names.map(async (name): Promise<[string, BackendConfig]> => {
      // So many faults one after the other would open it.
      return [name, { replicas: await twoOf(), timeouts: timeoutsOf(name), breaker: { disabled: true } }];
    }),
  );
  const other = stack.use(await HttpReplica.start(records.file("other")));
  const gateway = stack.use(await startGateway({ ...Object.fromEntries(own), other: { url: other.url } }));
  return { gateway, records, cells, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Few calls say little. */
const leastSamples = 15;

/** How long calls of another backend take meanwhile. */
interface Beside<T> {
  readonly value: T;
  readonly tookMs: readonly number[];
  /** Those that were answered before the work was done. */
  readonly meanwhile: number;
}

async function beside<T>(client: RawClient, work: Promise<T>): Promise<Beside<T>> {
  const load = new Load([client], ["other__read"], 100);
  const value = await work;
  const meanwhile = load.sent - load.waiting;
  await load.sends(Math.max(0, leastSamples - load.sent));
  const outcomes = await load.stop();
  for (const { text, attempts } of outcomes)
    assert.deepEqual([text === undefined, attempts], [false, 1], "another backend");
  return { value, tookMs: outcomes.map(({ tookMs }) => tookMs), meanwhile };
}

function check(name: string, backend: string, expected: Expected, outcome: Outcome, runs: number): void {
  const { text, data, message, tookMs } = outcome;
  const told = `${name}: ${JSON.stringify({ text, data, message, runs })}`;
  switch (expected.kind) {
    case "answered":
      assert.notEqual(text, undefined, told);
      assert.ok(runs >= 1 && runs <= expected.runs, told);
      assert.ok(tookMs >= (expected.leastMs ?? 0), `${told} ${tookMs} ms`);
      return;
    case "unknown":
      assert.equal(text, undefined, told);
      assert.equal(data["class"], "unknown", told);
      assert.equal(data["backend"], backend, told);
      assert.equal(runs, expected.runs, told);
  }
}

/** Faults that take their time, in which others have theirs. */
const slow: ReadonlySet<string> = new Set(["latency", "hang", "throttle", "stop"]);

/** Runs one cell; gives how long calls of another backend took meanwhile, beside before. */
async function run({ gateway, records }: Bench, { fault, backend, tool, expected }: Cell): Promise<number> {
  const [client, caller] = [await gateway.client(), await gateway.client()];
  const { tookMs: steady } = await beside(client, Promise.resolve());
  assert.notEqual((await callOnce(caller, `${backend}__read`)).text, undefined, `before ${fault} ${tool}`);
  const { value, tookMs, meanwhile } = await beside(client, callOnce(caller, `${backend}__${tool}`, { fault }));
  check(`${fault} ${tool}`, backend, expected, value, records.executions("r").get(value.nonce) ?? 0);
  if (slow.has(fault)) assert.ok(meanwhile > 3, `${fault} ${tool}: ${meanwhile} calls of another backend meanwhile`);
  if (fault === "stop") for (const pid of records.pids("r")) wake(pid);
  await Promise.all([client.delete(), caller.delete()]);
  return quantile(tookMs, 0.5) / quantile(steady, 0.5);
}

for (const transport of ["http", "stdio"] as const) {
  for (const era of ["legacy", "modern"] as const) {
    test(`chaos: every fault of a ${era} server over ${transport} ends as expected, and costs others nothing`, async () => {
      await using bench = await startBench(transport, era);
      const ratios = new Map<string, number[]>();
      for (const cell of bench.cells) {
        const { fault } = cell;
        ratios.set(fault, [...(ratios.get(fault) ?? []), await run(bench, cell)]);
      }
      const told = [...ratios].map(([fault, found]) => `${fault} ${found.map((each) => each.toFixed(2)).join("/")}`);
      console.log(`${transport} ${era}: latency of another backend, beside its steady one: ${told.join(", ")}`);
      // The machine may be busy with something else for one cell, hardly for all.
      const middle = quantile([...ratios.values()].flat(), 0.5);
      assert.ok(middle < 3, told.join(", "));
    });
  }
}

/** Those that were stopped go on; those that are gone do not matter. */
function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has been killed meanwhile.
  }
}
