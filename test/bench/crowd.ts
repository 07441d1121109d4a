// Thousands of silent streams of both eras on one process: their memory, what they cost while nothing happens, and whether
// each of them is kept alive. And the calls of two workers, next to those of one process.
import { cpuBetween, readCpu, readRss, treeOf } from "./cpu.ts";
import type { Effort, Field, Mcpctl } from "./field.ts";
import { sleep } from "./programs.ts";
import { type Finding, mebibytes, round, type Table } from "./report.ts";
import { type Contestant, median, medianOf, takeTurns } from "./rounds.ts";
import { type Era, Streams } from "./streams.ts";

const count = 2000;
const keepAliveMs = 2000;
const eras = ["legacy", "modern"] as const;
const load = { tool: "small", connections: 64 } as const;
const [one, two] = ["one process", "--workers 2"];

export async function runCrowd(field: Field, effort: Effort): Promise<Finding> {
  const streams = await measureStreams(field, effort);
  const workers = await measureWorkers(field, effort);
  return {
    tables: [streams.table, workers.table],
    limits: [],
    failures: new Map([...streams.failures, ...workers.failures]),
  };
}

type Part = { readonly table: Table; readonly failures: ReadonlyMap<string, string> };

async function measureStreams(field: Field, effort: Effort): Promise<Part> {
  const settings = { timeouts: { keepAlive: `${keepAliveMs}ms` } };
  const mcpctl = await field.startMcpctl("crowd", { http: { url: await field.backend() } }, { settings });
  const rss = (): number => readRss(treeOf(mcpctl.pid, field.peer.path));
  await field.awaitReady(mcpctl);
  // What a first call or stream loads is not one of the streams' own.
  await field.peer.load(mcpctl, { tool: "small", connections: 32, requests: 100 });
  await using first = await Streams.open(mcpctl.url, "legacy", 1);
  await using second = await Streams.open(mcpctl.url, "modern", 1);
  await Promise.all([first.commented(2), second.commented(2)]);
  const perStream = new Map<Era, number>();
  const atFirst = rss();
  await using legacy = await Streams.open(mcpctl.url, "legacy", count);
  // Memory that only the opening needed is given back a while later.
  await legacy.commented(4);
  perStream.set("legacy", (rss() - atFirst) / count);
  const between = rss();
  await using modern = await Streams.open(mcpctl.url, "modern", count);
  await modern.commented(4);
  perStream.set("modern", (rss() - between) / count);
  const found = await listen(mcpctl, [legacy, modern], effort.quick ? 8000 : 20_000);
  const rows = [legacy, modern].map((each, at) => {
    const era = eras[at] ?? "legacy";
    const { comments = 0, missed = 0, longestMs = 0 } = found.heard[at] ?? {};
    return [
      era === "legacy" ? "GET of a session" : "subscriptions/listen",
      String(each.openCount),
      round((perStream.get(era) ?? Number.NaN) / 1024),
      String(comments),
      round(longestMs),
      String(missed),
    ];
  });
  const failures = new Map<string, string>();
  for (const [at, each] of [legacy, modern].entries()) {
    const missed = found.heard[at]?.missed ?? count;
    if (each.openCount < count) failures.set(`${eras[at]} streams`, `${count - each.openCount} of ${count} have ended`);
    else if (missed > 0) failures.set(`${eras[at]} keep-alive`, `${missed} of ${count} streams missed a comment`);
  }
  const comments = found.heard.reduce((sum, each) => sum + each.comments, 0);
  const cost = `${round(found.cpuShare * 100)} % of a core while all of them are silent, ${round(found.cpuUs / comments)} µs a comment`;
  await mcpctl.stop();
  return {
    table: {
      title: `${count} legacy sessions with open streams and ${count} modern subscriptions on one process`,
      note: `\`timeouts.keepAlive\` is ${keepAliveMs / 1000} s here, and 15 s by default. ${cost}. RSS: ${mebibytes(atFirst)} MiB before, ${mebibytes(found.rssBytes)} MiB with all of them.`,
      head: ["stream", "open", "KiB a stream", "comments", "longest silence ms", "streams that missed one"],
      rows,
    },
    failures,
  };
}

interface Found {
  readonly heard: readonly ReturnType<Streams["heard"]>[];
  readonly cpuUs: number;
  /** Of one core. */
  readonly cpuShare: number;
  readonly rssBytes: number;
}

async function listen(mcpctl: Mcpctl, all: readonly Streams[], forMs: number): Promise<Found> {
  const tree = treeOf(mcpctl.pid, "");
  for (const each of all) each.reset();
  const [startedAt, before] = [performance.now(), readCpu(tree)];
  await sleep(forMs);
  const cpuUs = cpuBetween(before, readCpu(tree));
  const tookMs = performance.now() - startedAt;
  const heard = all.map((each) => each.heard(keepAliveMs));
  return { heard, cpuUs, cpuShare: cpuUs / 1000 / tookMs, rssBytes: readRss(tree) };
}

/** Only printed: how much more there is to gain depends on the cores that the load and the backend leave. */
async function measureWorkers(field: Field, effort: Effort): Promise<Part> {
  const backends = { b: { url: await field.backend() } };
  const contestants: Contestant[] = [];
  for (const [via, flags] of [
    [one, []],
    [two, ["--workers", "2"]],
  ] as const) {
    const way = await field.startMcpctl(`crowd-${contestants.length}`, backends, { flags });
    await field.awaitReady(way);
    // Each worker compiles for itself: with half of the calls it takes twice as long to be warm.
    await field.peer.load(way, { ...load, seconds: effort.warmSeconds * 4 });
    contestants.push({ via, way });
  }
  const rounds = await takeTurns(field, contestants, load, effort);
  const ratio = medianOf(rounds, two, one, (own, other) => own.rate / other.rate);
  const rows = contestants.map(({ via }) => {
    const of = (key: "cpuPerRequest" | "rate" | "p50" | "p99"): number =>
      median((rounds.samples.get(via) ?? []).map((sample) => sample[key]));
    const cells = [of("rate"), via === two ? ratio : 1, of("cpuPerRequest"), of("p50"), of("p99")];
    return [via, ...cells.map(round)];
  });
  return {
    table: {
      title: `one process and two workers: tools/call, HTTP, ${load.connections} connections`,
      note: "The load generator and the backend run on the same cores: two workers serve more where cores are left for them.",
      head: ["serve", "calls/s", "ratio", "CPU µs/call", "p50 µs", "p99 µs"],
      rows,
    },
    failures: rounds.failures,
  };
}
