// Every fault, on both transports and both eras, for calls that may run twice and for others: what was expected, and what came.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Gateway } from "../e2e/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { callOnce, childReplica, type Era, HttpReplica, type Outcome, quantile, Records, startGateway } from "./kit.ts";

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

const timeouts = { call: "6s", first: "700ms", health: "200ms", ping: "300ms", down: "20ms" };

/** A backend with two replicas, and another one. */
interface Bench extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly records: Records;
}

async function startBench(transport: "http" | "stdio", era: Era): Promise<Bench> {
  const records = new Records();
  const record = records.file("r");
  const stack = new AsyncDisposableStack();
  stack.defer(() => records[Symbol.dispose]());
  const other = stack.use(await HttpReplica.start(records.file("other")));
  const servers: HttpReplica[] = [];
  if (transport === "http")
    for (let at = 0; at < 2; at += 1) servers.push(stack.use(await HttpReplica.start(record, era)));
  const replicas =
    transport === "http" ? servers.map(({ url }) => ({ url })) : [childReplica(record, era), childReplica(record, era)];
  // So many faults one after the other would open it.
  const b = { replicas, timeouts, breaker: { disabled: true } };
  const gateway = stack.use(await startGateway({ b, other: { url: other.url } }));
  return { gateway, records, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Few calls say little. */
const leastSamples = 15;

/** Calls of another backend, one after the other, until the work is done: how long they take. */
async function beside<T>(
  client: RawClient,
  work: Promise<T>,
): Promise<{ readonly value: T; readonly tookMs: number[] }> {
  const tookMs: number[] = [];
  const state = { isDone: false };
  const watched = work.finally(() => {
    state.isDone = true;
  });
  do tookMs.push((await callOnce(client, "other__read")).tookMs);
  while (!state.isDone || tookMs.length < leastSamples);
  return { value: await watched, tookMs };
}

function check(name: string, expected: Expected, outcome: Outcome, runs: number): void {
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
      assert.equal(data["backend"], "b", told);
      assert.equal(runs, expected.runs, told);
  }
}

/** Faults that end a replica, which comes back in its own time: those after it have others. */
const endings: ReadonlySet<string> = new Set(["kill", "stop"]);
const endingsOfChildren: ReadonlySet<string> = new Set([...endings, "resetBefore", "resetAfter", "halfClose"]);

interface Cell {
  readonly fault: string;
  readonly tool: string;
  readonly expected: Expected;
}

/** Runs one cell; gives how long calls of another backend took meanwhile, beside before. */
async function run({ gateway, records }: Bench, { fault, tool, expected }: Cell): Promise<number> {
  const [client, caller] = [await gateway.client(), await gateway.client()];
  const { tookMs: steady } = await beside(client, Promise.resolve());
  assert.notEqual((await callOnce(caller, "b__read")).text, undefined, `before ${fault} ${tool}`);
  const { value, tookMs } = await beside(client, callOnce(caller, `b__${tool}`, { fault }));
  check(`${fault} ${tool}`, expected, value, records.executions("r").get(value.nonce) ?? 0);
  if (fault === "stop") for (const pid of records.pids("r")) wake(pid);
  return quantile(tookMs, 0.5) / quantile(steady, 0.5);
}

for (const transport of ["http", "stdio"] as const) {
  for (const era of ["legacy", "modern"] as const) {
    test(`chaos: every fault of a ${era} server over ${transport} ends as expected, and costs others nothing`, async () => {
      await using bench = await startBench(transport, era);
      const ends = transport === "http" ? endings : endingsOfChildren;
      const ratios: string[] = [];
      for (const [fault, { safe, unsafe, only }] of Object.entries(rows)) {
        if (only !== undefined && only !== transport) continue;
        // Either hint says that a tool may run twice.
        const cells = [
          { fault, tool: era === "legacy" ? "read" : "put", expected: safe },
          { fault, tool: "add", expected: unsafe },
        ];
        const found: number[] = [];
        for (const cell of cells) {
          if (!ends.has(fault)) found.push(await run(bench, cell));
          else {
            await using own = await startBench(transport, era);
            found.push(await run(own, cell));
          }
        }
        ratios.push(`${fault} ${quantile(found, 0.5).toFixed(2)}`);
        assert.ok(Math.min(...found) < 3, `${fault}: calls of another backend take ${found.join(", ")} times as long`);
      }
      console.log(`${transport} ${era}: latency of another backend, beside its steady one: ${ratios.join(", ")}`);
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
