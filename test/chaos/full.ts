// The long runs in full, and what they found, in RESULTS.md: `npm run chaos [uptime|kill|storm|soak]…`.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { projectRoot } from "../kit/process.ts";
import { assertTruthful, quantile } from "./kit.ts";
import { killOne, type Killed } from "./kill.ts";
import { type Held, soak } from "./soak.ts";
import { slowest, storm } from "./storm.ts";
import { type Cell, deadlineMs, meanDownMs, meanUpMs, measureUptime, percent, shareOf } from "./uptime.ts";

const results = join(projectRoot, "test/chaos/RESULTS.md");
const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

const runs: Readonly<Record<string, () => Promise<Section>>> = {
  uptime: runUptime,
  kill: runKill,
  storm: runStorm,
  soak: runSoak,
};

async function runUptime(): Promise<Section> {
  const lines = [
    `Replicas with exponential times up and down, ${meanUpMs} ms and ${meanDownMs} ms in the mean, which is 95 %: real processes, killed by`,
    `SIGKILL and started again, by a fixed seed. Calls come by the clock, whatever becomes of those before; each has ${deadlineMs / 1_000} s. The gateway has its defaults. Three`,
    "quarters of them may run twice; of the others each execution is counted at the server.",
    "",
    "| replicas | with | uptime of each | kills | calls | that may run twice | answered | avoidable failures | others failed, unknown / not sent | ran twice |",
    "| -- | -- | -- | -- | -- | -- | -- | -- | -- | -- |",
  ];
  for (const replicas of [1, 2, 3])
    for (const hasHelp of [false, true]) {
      // What fails without help shows soon.
      const calls = hasHelp ? 134_000 : 6_000;
      const cell = await measureUptime({ replicas, hasHelp, calls, perSecond: 300 });
      lines.push(rowOf(cell));
      print(rowOf(cell));
      for (const { message, atMs, tookMs } of cell.failed.slice(0, hasHelp ? 5 : 0))
        print(JSON.stringify({ message, atMs, tookMs }));
    }
  return { title: "Replicas that are up 95 % of the time", lines };
}

/** Of so many rounds the one in the middle is told, and the worst one. */
const rounds = 9;

async function runKill(): Promise<Section> {
  const lines = [
    `Two replicas, 200 calls a second; one is killed by SIGKILL and started again 400 ms later, in ${rounds} rounds. In each cell: the round`,
    "in the middle, and the worst one. Where it failed a call that may run twice, or ran another one twice, this would not be here.",
    "",
    "| server | p99 before, ms | p99 while it was away, ms | times as long | first answer after it listened, ms | calls | others failed |",
    "| -- | -- | -- | -- | -- | -- | -- |",
  ];
  for (const era of ["legacy", "modern"] as const) {
    const all: Killed[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const killed = await killOne(era, 330);
      assertTruthful(killed.unsafe, killed.executions);
      const lost = killed.safe.filter(({ text }) => text === undefined);
      if (lost.length > 0) throw new Error(`${lost.length} calls failed: ${lost[0]?.message}`);
      all.push(killed);
    }
    const told = (of: (killed: Killed) => number, digits = 1): string => {
      const values = all.map(of);
      return `${quantile(values, 0.5).toFixed(digits)} / ${Math.max(...values).toFixed(digits)}`;
    };
    const sum = (of: (killed: Killed) => number): number => all.reduce((total, killed) => total + of(killed), 0);
    const cells = [
      era,
      told(({ steadyMs }) => steadyMs),
      told(({ awayMs }) => awayMs),
      told(({ steadyMs, awayMs }) => awayMs / steadyMs, 2),
      told(({ firstMs }) => firstMs, 0),
      sum(({ safe, unsafe }) => safe.length + unsafe.length),
      sum(({ unsafe }) => unsafe.filter(({ text }) => text === undefined).length),
    ];
    lines.push(`| ${cells.join(" | ")} |`);
    print(lines.at(-1) ?? "");
  }
  return { title: "One of two replicas is killed under load", lines };
}

function rowOf(cell: Cell): string {
  const { replicas, hasHelp, uptime, kills, safe, failed, avoidable, unsafe } = cell;
  const cells = [
    replicas,
    hasHelp ? "all of the gateway" : "one attempt",
    percent(uptime, 1),
    kills,
    safe.length + unsafe.calls,
    safe.length,
    `${percent(shareOf(cell), 4)} (${failed.length} failed)`,
    avoidable.length,
    `${unsafe.unknown} / ${unsafe.notSent}`,
    // It would have thrown.
    0,
  ];
  return `| ${cells.join(" | ")} |`;
}

async function runStorm(): Promise<Section> {
  const offered = 200;
  const { perSecond, made, failed, down } = await storm(30, offered, 5_000);
  const text = (rates: readonly number[]): string => rates.map((rate) => rate.toFixed(0)).join(", ");
  return {
    title: "All replicas away for 30 s under load",
    lines: [
      `${offered} calls a second were offered to two replicas; in each second after the recovery it was ${text(made)}. They executed`,
      `${text(perSecond)}: at most ${(Math.max(...perSecond) / offered).toFixed(2)} times what was offered. Of the calls made after it ${failed.length} failed.`,
      `While all were away ${down.length} calls were told so, after ${quantile(
        down.map(({ tookMs }) => tookMs),
        0.5,
      ).toFixed(0)} ms in the median and ${slowest(down).toFixed(0)} ms at most.`,
    ],
  };
}

async function runSoak(): Promise<Section> {
  const seconds = 1_800;
  const { rest, seen, end, outcomes, executions, surveys, injected } = await soak(seconds, 30, print);
  assertTruthful(
    outcomes.filter(({ tool }) => tool.endsWith("add")),
    executions,
  );
  const answered = outcomes.filter(({ text }) => text !== undefined).length;
  const third = Math.ceil(seen.length / 3);
  const [warm, last] = [seen.slice(third - 5, third + 5), seen.slice(-10)];
  const medianOf = (all: readonly Held[]): number =>
    quantile(
      all.map(({ rssMiB }) => rssMiB),
      0.5,
    );
  const growth = medianOf(last) / medianOf(warm) - 1;
  if (growth > 0.1) throw new Error(`resident memory grew by ${(100 * growth).toFixed(1)} % after the warm-up`);
  const rows = measures.map(([name, of, digits]) => {
    const median = (all: readonly Held[]): string => quantile(all.map(of), 0.5).toFixed(digits);
    return `| ${[name, median([rest]), median(warm), median(last), median([end])].join(" | ")} |`;
  });
  return {
    title: "Half an hour with faults on",
    lines: [
      `${outcomes.length} calls, of which ${answered} were answered, and ${surveys} that wait for input, half of them for ever; ${injected} faults of all kinds.`,
      "",
      "| | before the first call | minutes 6 to 15, median | the last ten minutes, median | when all was done |",
      "| -- | -- | -- | -- | -- |",
      ...rows,
      "",
      "The sockets are those to servers and children; under load many of them are idle and wait a few seconds for the next call.",
      "The run fails where it ends with more sockets, intervals or children than it had before the first call, and where resident",
      "memory grows by more than a tenth between these parts.",
      "",
      `Resident memory at each of ${seen.length} looks: ${seen.map(({ rssMiB }) => rssMiB.toFixed(0)).join(" ")} MiB; heap: ${seen.map(({ heapMiB }) => heapMiB.toFixed(1)).join(" ")} MiB.`,
    ],
  };
}

const measures: readonly (readonly [name: string, of: (held: Held) => number, digits: number])[] = [
  ["resident memory, MiB", ({ rssMiB }) => rssMiB, 0],
  ["heap without garbage, MiB", ({ heapMiB }) => heapMiB, 1],
  ["children", ({ children }) => children, 0],
  ["sockets", ({ sockets }) => sockets, 0],
  ["timers", ({ timers }) => timers, 0],
  ["intervals", ({ intervals }) => intervals, 0],
  ["deadlines", ({ deadlines }) => deadlines, 0],
  ["calls in flight", ({ calls }) => calls, 0],
  ["calls that wait for input", ({ parked }) => parked, 0],
];

/** Puts a section in the place of the one of the same title, or at the end. */
function write({ title, lines }: Section): void {
  const head = `## ${title}`;
  const others = readFileSync(results, "utf8").split(/^(?=## )/m);
  const at = others.findIndex((each) => each.startsWith(`${head}\n`));
  others[at < 0 ? others.length : at] = `${[head, "", machine(), "", ...lines].join("\n")}\n\n`;
  writeFileSync(results, `${others.join("").trimEnd()}\n`);
  execFileSync(join(projectRoot, "node_modules/.bin/oxfmt"), [results]);
}

function machine(): string {
  const commit = execFileSync("git", ["-C", projectRoot, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const processor = `${cpus()[0]?.model.trim() ?? "a processor"}, ${cpus().length} cores`;
  return `${new Date().toISOString().slice(0, 10)}, ${commit}, Bun ${process.versions["bun"] ?? "?"}, ${processor}; the load comes from the same machine.`;
}

const named = process.argv.slice(2);
for (const name of named.length > 0 ? named : Object.keys(runs)) {
  const run = runs[name];
  if (!run) throw new Error(`there is ${Object.keys(runs).join(", ")}, not ${name}`);
  const section = await run();
  for (const line of section.lines) print(line);
  write(section);
}
