// Memory of mcpctl: idle, under a long load, and for each stream that is open and silent. And the time of its start.
import { readRss, treeOf } from "./cpu.ts";
import type { Effort, Field, Mcpctl } from "./field.ts";
import { sleep } from "./programs.ts";
import { atMost, type Finding, type Limit, mebibytes, round } from "./report.ts";
import { median } from "./rounds.ts";

const MIB = 2 ** 20;

/** How much the second half of a long load may add to be called flat. */
const FLAT = 1.05;
/** Memory under load goes up and down with the collector, by 15 MiB and more: one look at it says little but when it was. */
const LOOK_MS = 50;

/** After it a process without work has collected, and given back, what it can. */
const REST_MS = 3_000;

/** What a fifth of the load took, in bytes; what grows for good stays when it rests. */
interface Step {
  readonly atRest: number;
  readonly median: number;
  readonly highest: number;
}

function rssOf(field: Field, { pid }: Mcpctl): number {
  return readRss(treeOf(pid, field.peer.path));
}

export async function runMemory(field: Field, effort: Effort): Promise<Finding> {
  const calls = effort.quick ? 100_000 : 500_000;
  const streams = effort.quick ? 1000 : 5000;
  const load = await measureLoad(field, calls);
  const stream = await measureStreams(field, streams);
  const limits: Limit[] = [
    atMost("memory when idle", load.idle / MIB, 50, " MiB"),
    atMost(
      `highest memory over ${calls} calls`,
      Math.max(...load.steps.map(({ highest }) => highest)) / MIB,
      90,
      " MiB",
    ),
    atMost(
      "memory at rest after the calls, to that after 40 % of them",
      (load.steps[4]?.atRest ?? 0) / (load.steps[1]?.atRest ?? 0),
      FLAT,
      " ×",
    ),
    atMost(`memory of a silent stream, of ${streams}`, stream.bytes / 1024, 15, " KiB"),
  ];
  const rows = [
    ["idle", "", "", mebibytes(load.idle)],
    ...load.steps.map(({ atRest, median: usual, highest }, step) => [
      `up to ${((step + 1) * calls) / 5} calls`,
      ...[usual, highest, atRest].map(mebibytes),
    ]),
    [`with ${streams} silent streams`, "", "", mebibytes(stream.rss)],
  ];
  const note = `Looked at every ${LOOK_MS} ms while calls are made, when the collector lets it rise and fall, and after ${REST_MS / 1000} s of rest.`;
  const short = `${streams - stream.open} of ${streams} streams were not open`;
  return {
    tables: [{ title: "memory of mcpctl", note, head: ["when", "median RSS MiB", "highest", "at rest"], rows }],
    limits,
    failures: new Map(stream.open < streams ? [["streams", short]] : []),
  };
}

async function measureLoad(field: Field, calls: number): Promise<{ readonly idle: number; readonly steps: Step[] }> {
  const mcpctl = await field.startMcpctl("memory", { http: { url: await field.backend() } });
  await field.awaitReady(mcpctl);
  await sleep(2000);
  const idle = rssOf(field, mcpctl);
  const tree = treeOf(mcpctl.pid, field.peer.path);
  const steps: Step[] = [];
  for (let step = 0; step < 5; step++) {
    const looks: number[] = [];
    const timer = setInterval(() => looks.push(readRss(tree)), LOOK_MS);
    await field.peer
      .load(mcpctl, { tool: "small", connections: 32, requests: calls / 5 })
      .finally(() => clearInterval(timer));
    looks.push(readRss(tree));
    await sleep(REST_MS);
    steps.push({ atRest: readRss(tree), median: median(looks), highest: Math.max(...looks) });
  }
  await mcpctl.stop();
  return { idle, steps };
}

/** In a process that has had a little traffic, so that what a first call loads is not counted as the streams'. */
async function measureStreams(
  field: Field,
  count: number,
): Promise<{ readonly rss: number; readonly bytes: number; readonly open: number }> {
  const mcpctl = await field.startMcpctl("streams", { http: { url: await field.backend() } });
  await field.awaitReady(mcpctl);
  await field.peer.load(mcpctl, { tool: "small", connections: 32, requests: 5000 });
  await sleep(1000);
  const before = rssOf(field, mcpctl);
  const held = await field.peer.hold(mcpctl, count);
  await sleep(2000);
  const rss = rssOf(field, mcpctl);
  const open = held.held.heads;
  await held.finish();
  await mcpctl.stop();
  return { rss, bytes: (rss - before) / count, open };
}

export async function runStart(field: Field): Promise<Finding> {
  const { file, url } = await field.writeConfig("start", { http: { url: await field.backend() } });
  const times: number[] = [];
  // The first one reads the binary from the disk.
  for (let count = -1; count < 20; count++) {
    const time = await field.peer.timeStart(url, field.binary, ["serve", "-c", file]);
    if (count >= 0) times.push(time);
  }
  const [fastest, slowest] = [Math.min(...times), Math.max(...times)];
  const rows = [[...[median(times), fastest, slowest].map(round)]];
  return {
    tables: [
      {
        title: "start of the binary to its first answered initialize",
        head: ["median ms", "fastest", "slowest"],
        rows,
      },
    ],
    limits: [atMost("start to the first answered initialize", median(times), 25, " ms")],
    failures: new Map(),
  };
}
