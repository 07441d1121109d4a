// What security costs: the same calls with policy, audit, limits and signed tokens, and with nothing of that, in turns.
import { join } from "node:path";
import { TestAuthority } from "../kit/authority.ts";
import type { Effort, Field } from "./field.ts";
import { atMost, type Finding, mebibytes, round } from "./report.ts";
import type { Sample, Way } from "./load.ts";
import { estimate, median } from "./rounds.ts";

const load = { tool: "small", connections: 32 } as const;
const off = "all off";
const on = "all on";
const audience = "https://gateway.example/mcp";
/** Far more than anybody calls: each is counted, and none is refused. */
const plenty = 1_000_000_000;

/** A policy as people have them: some rules that do not fit, and the one that does. */
const policy = {
  default: "deny",
  roles: { ops: { groups: ["ops"] }, readers: { scopes: ["read"] } },
  rules: [
    { effect: "deny", tools: ["delete_*", "drop_*"] },
    { effect: "allow", roles: ["ops"] },
    { effect: "confirm", annotations: { destructiveHint: true }, tools: ["write_*"] },
    { effect: "allow", roles: ["readers"], backends: ["b"], tools: ["small", "large"] },
  ],
};

/** Two processes of one config differ by more than a run may be wrong: each is started several times. */
const startsFor = { quick: 1, full: 3 };
/** Many short loads tell more than few long ones: the machine is never the same for long. */
const roundsFor = { quick: 4, full: 8 };
const secondsFor = { quick: 0.4, full: 0.7 };

type Samples = ReadonlyMap<string, Sample[]>;

export async function runSecurity(field: Field, effort: Effort): Promise<Finding> {
  await using authority = await TestAuthority.start();
  const backends = { b: { url: await field.peer.serve() } };
  const auth = { issuers: [{ issuer: authority.issuer, audiences: [audience] }] };
  const limits = { rate: "9999999/s", concurrency: 10_000, quota: plenty };
  const claims = { scope: "read", groups: ["readers"], exp: Math.floor(Date.now() / 1000) + 3600 };
  const token = await authority.token(audience, { claims });
  const samples: Samples = new Map([off, on].map((via) => [via, []]));
  const ratios: number[] = [];
  for (let start = 0; start < startsFor[effort.quick ? "quick" : "full"]; start += 1) {
    const settings = { auth, policy, limits, audit: { file: join(field.stage.folder, `audit-${start}.ndjson`) } };
    const plain = await field.startMcpctl(`security-off-${start}`, backends);
    const secured = { ...(await field.startMcpctl(`security-on-${start}`, backends, { settings })), token };
    const ways = new Map<string, Way>([
      [off, plain],
      [on, secured],
    ]);
    ratios.push(...(await takeBoth(field, ways, effort, samples)));
    await Promise.all([plain.stop(), secured.stop()]);
  }
  const ratio = estimate(ratios);
  return {
    tables: [
      {
        title: "tools/call, HTTP, 32 connections, with and without security",
        note: `On: signed tokens (JWT), a policy of four rules, audit, and a rate, concurrency and quota of each principal. 95 % interval of the ratio: ${ratio.low.toFixed(2)} … ${ratio.high.toFixed(2)}.`,
        head: ["security", "CPU µs/call", "ratio", "calls/s", "p50 µs", "p99 µs", "RSS MiB"],
        rows: [off, on].map((via) => rowOf(via, samples.get(via) ?? [], via === on ? ratio.median : 1)),
      },
    ],
    limits: [atMost("CPU of a call with policy, audit, limits and JWT, to none of them", ratio.median, 1.25, " ×")],
    failures: new Map(),
  };
}

/** The ratios of rounds in which each has its turn there and back: what drifts meanwhile counts for both. */
async function takeBoth(
  field: Field,
  ways: ReadonlyMap<string, Way>,
  { quick, warmSeconds }: Effort,
  samples: Samples,
): Promise<readonly number[]> {
  const effort = quick ? "quick" : "full";
  for (const way of ways.values()) {
    await field.awaitReady(way);
    await field.peer.load(way, { ...load, seconds: warmSeconds });
  }
  const ratios: number[] = [];
  for (let round = 0; round < roundsFor[effort]; round += 1) {
    const sums = new Map<string, number>();
    for (const [via, way] of [...ways, ...[...ways].toReversed()]) {
      const sample = await field.peer.load(way, { ...load, seconds: secondsFor[effort] });
      samples.get(via)?.push(sample);
      sums.set(via, (sums.get(via) ?? 0) + sample.cpuPerRequest);
    }
    ratios.push((sums.get(on) ?? Number.NaN) / (sums.get(off) ?? Number.NaN));
  }
  return ratios;
}

function rowOf(via: string, samples: readonly Sample[], ratio: number): readonly string[] {
  const of = (key: "cpuPerRequest" | "rate" | "p50" | "p99" | "rssBytes"): number =>
    median(samples.map((sample) => sample[key]));
  return [via, ...[of("cpuPerRequest"), ratio, of("rate"), of("p50"), of("p99")].map(round), mebibytes(of("rssBytes"))];
}
