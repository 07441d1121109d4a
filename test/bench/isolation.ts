// Whether one backend's trouble is felt at another one: its latency alone, beside hanging calls, beside a dead backend.
import type { Effort, Field } from "./field.ts";
import type { Sample } from "./load.ts";
import { atMost, type Finding, round } from "./report.ts";
import { type Contestant, median, medianOf, type Rounds, takeTurns } from "./rounds.ts";

const load = { tool: "small", connections: 4 } as const;

interface Trouble {
  readonly name: string;
  readonly what: string;
  /** How many calls hang, and where. */
  readonly calls: number;
  readonly at: "a" | "dead";
  readonly flags: readonly string[];
}

const troubles: readonly Trouble[] = [
  { name: "streams", what: "300 silent streams of A", calls: 300, at: "a", flags: [] },
  { name: "calls", what: "300 calls that A never answers", calls: 300, at: "a", flags: ["--no-head"] },
  { name: "dead", what: "a backend that answers nothing, 32 calls to it", calls: 32, at: "dead", flags: ["--no-head"] },
];

const aloneBefore = (name: string): string => `alone before ${name}`;

/** All in turns: B beside each trouble, and beside none right before. */
export async function runIsolation(field: Field, effort: Effort): Promise<Finding> {
  const [a, b, dead] = [await field.peer.serve(), await field.peer.serve(), await field.peer.serve("--mute")];
  const healthy = await field.startMcpctl("isolation", { b: { url: b }, a: { url: a } });
  // By default a call to a backend that does not come up is refused after half a minute, as it should be: here it hangs.
  const patient = { url: dead, timeouts: { connect: "1h" } };
  const beside = await field.startMcpctl("isolation-dead", { b: { url: b }, dead: patient });
  for (const way of [healthy, beside]) await field.awaitReady(way);
  for (const way of [healthy, beside]) await field.peer.load(way, { ...load, seconds: effort.warmSeconds });

  const samples = new Map<string, Sample[]>();
  const measure = async (contestant: Contestant): Promise<void> => {
    const turn = await takeTurns(field, [contestant], load, { ...effort, rounds: 1, warmSeconds: 0.1 });
    const [why] = turn.failures.values();
    if (why !== undefined) throw new Error(why);
    samples.set(contestant.via, [...(samples.get(contestant.via) ?? []), ...(turn.samples.get(contestant.via) ?? [])]);
  };
  const failures = new Map<string, string>();
  for (let count = 0; count < effort.rounds; count++) {
    for (const { name, calls, at, flags } of troubles) {
      // Right before it, so that what else the machine does is felt by both.
      await measure({ via: aloneBefore(name), way: healthy });
      const way = at === "a" ? healthy : beside;
      const held = await field.peer.hold({ ...way, prefix: `${at}__` }, calls, ...flags);
      if (held.held.closed > 0) failures.set(name, `${held.held.closed} of ${calls} hanging calls were ended`);
      await measure({ via: name, way });
      await held.finish();
    }
  }
  await Promise.all([healthy.stop(), beside.stop()]);
  return report({ samples, failures });
}

function report(rounds: Rounds): Finding {
  const ratio = (name: string, key: "p50" | "p99"): number =>
    medianOf(rounds, name, aloneBefore(name), (own, other) => own[key] / other[key]);
  const rows = troubles.map(({ name, what }) => {
    const of = (key: "p50" | "p99", via: string): number =>
      median((rounds.samples.get(via) ?? []).map((sample) => sample[key]));
    const cells = (["p50", "p99"] as const).flatMap((key) => [
      of(key, aloneBefore(name)),
      of(key, name),
      ratio(name, key),
    ]);
    return [what, ...cells.map(round)];
  });
  return {
    tables: [
      {
        title: "latency of backend B beside the trouble of others, 4 connections",
        head: ["beside", "p50 µs alone", "beside it", "ratio", "p99 µs alone", "beside it", "ratio"],
        rows,
      },
    ],
    // A latency has noise of its own: a tenth is what two runs without any trouble differ by.
    limits: troubles.map(({ name, what }) => atMost(`p50 of B beside ${what}`, ratio(name, "p50"), 1.1, " ×")),
    failures: rounds.failures,
  };
}
