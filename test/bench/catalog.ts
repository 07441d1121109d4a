// A catalog of 100,000 tools of a kilobyte: what a page of it costs, wherever it is, beside merging and stringifying.
import { join } from "node:path";
import process from "node:process";
import { cpuBetween, readCpu, readRss, treeOf } from "./cpu.ts";
import type { Effort, Field } from "./field.ts";
import { sleep } from "./programs.ts";
import { atLeast, atMost, type Finding, mebibytes, round } from "./report.ts";
import { median } from "./rounds.ts";

const servers = 50;
const toolsEach = 2000;
const toolBytes = 1024;
/** Walks before those that count: compilers need some pages. */
const warmWalks = 3;
/** For the memory of what was read to be given back. */
const restMs = 5000;

/** CPU µs of a page, as `catalog-pages.ts` says it. */
interface Made {
  readonly own1000: number;
  readonly own100: number;
  readonly naive1000: number;
  readonly naive100: number;
}

interface Walked {
  readonly names: ReadonlySet<string>;
  readonly listed: number;
  readonly cpuPerPage: number;
  /** Medians of the time of a page in the first and in the last fifth of the walk, ms. */
  readonly first: number;
  readonly last: number;
  readonly rss: number;
}

export async function runCatalog(field: Field, effort: Effort): Promise<Finding> {
  const { stage } = field;
  const script = (name: string): string => join(import.meta.dirname, name);
  const backend = stage.open("catalog", process.execPath, [script("catalog-server.ts"), `${servers}`, `${toolsEach}`]);
  const base = `http://127.0.0.1:${portIn(await backend.line())}`;
  const endpoints = Array.from({ length: servers }, (_, at) => [`b${at}`, { url: `${base}/b${at}` }] as const);
  const mcpctl = await field.startMcpctl("catalog-mcpctl", Object.fromEntries(endpoints));
  await untilListed(mcpctl.url);
  const own = await measure(mcpctl.url, mcpctl.pid, effort);
  await mcpctl.stop();
  const naive = stage.open("catalog-naive", process.execPath, [script("catalog-naive.ts"), base, `${servers}`]);
  const naiveUrl = `http://127.0.0.1:${portIn(await naive.line())}/`;
  const other = await measure(naiveUrl, naive.pid, { ...effort, rounds: 1 });
  await naive.stop();
  const made = JSON.parse(await stage.run(process.execPath, [script("catalog-pages.ts"), base, `${servers}`])) as Made;
  await backend.stop();
  const bytes = servers * toolsEach * toolBytes;
  const row = (via: string, { cpuPerPage, first, last, rss }: Walked): string[] => [
    via,
    round(cpuPerPage),
    round(first),
    round(last),
    mebibytes(rss),
    round(rss / bytes),
  ];
  const complete = own.listed === servers * toolsEach && own.names.size === own.listed;
  return {
    tables: [
      {
        title: `tools/list of ${servers} × ${toolsEach} tools of 1 KiB in pages of 1,000, over HTTP`,
        head: ["gateway", "CPU µs/page", "first pages ms", "last pages ms", "RSS MiB", "RSS / catalog"],
        rows: [row("mcpctl", own), row("merge and stringify", other)],
      },
      {
        title: "the same pages without HTTP",
        head: ["way", "CPU µs/page of 1,000", "CPU µs/page of 100"],
        rows: [
          ["mcpctl", round(made.own1000), round(made.own100)],
          ["merge and stringify", round(made.naive1000), round(made.naive100)],
        ],
      },
    ],
    limits: [
      atLeast("CPU of a page of 1,000 by merge-and-stringify, to mcpctl", made.naive1000 / made.own1000, 20, " ×"),
      atLeast("CPU of a page of 100 by merge-and-stringify, to mcpctl", made.naive100 / made.own100, 20, " ×"),
      atMost("memory with a catalog of 100 MiB, to its bytes", own.rss / bytes, 2.5, " ×"),
      atMost("time of the last pages of a catalog, to the first", own.last / own.first, 1.5, " ×"),
    ],
    failures: new Map(complete ? [] : [["catalog", `${own.names.size} of ${own.listed} names are different`]]),
  };
}

/** The median of several walks; the names are those of a first one, whose pages are parsed. */
async function measure(url: string, pid: number, { rounds }: Pick<Effort, "rounds">): Promise<Walked> {
  const pids = treeOf(pid, "");
  const session = await openSession(url);
  const { names, listed } = await walk(url, session, true);
  for (let count = 0; count < warmWalks; count += 1) await walk(url, session, false);
  await sleep(restMs);
  const samples: { cpu: number; first: number; last: number; rss: number }[] = [];
  for (let count = 0; count < rounds; count += 1) {
    const before = readCpu(pids);
    const { times } = await walk(url, session, false);
    const fifth = Math.ceil(times.length / 5);
    const cpu = cpuBetween(before, readCpu(pids)) / times.length;
    samples.push({ cpu, first: median(times.slice(0, fifth)), last: median(times.slice(-fifth)), rss: readRss(pids) });
  }
  const of = (key: "cpu" | "first" | "last" | "rss"): number => median(samples.map((sample) => sample[key]));
  return { names, listed, cpuPerPage: of("cpu"), first: of("first"), last: of("last"), rss: of("rss") };
}

async function walk(
  url: string,
  session: string | undefined,
  isParsed: boolean,
): Promise<{ readonly names: ReadonlySet<string>; readonly listed: number; readonly times: readonly number[] }> {
  const names = new Set<string>();
  const times: number[] = [];
  let listed = 0;
  let cursor: string | undefined;
  do {
    const startedAt = performance.now();
    const text = await post(url, session, "tools/list", cursor === undefined ? {} : { cursor });
    times.push(performance.now() - startedAt);
    if (isParsed) {
      const { result } = JSON.parse(text) as { result: { tools: { name: string }[] } };
      for (const { name } of result.tools) names.add(name);
      listed += result.tools.length;
    }
    // Behind the items, which are not looked at.
    cursor = /"nextCursor":"([^"]+)"/.exec(text.slice(-4096))?.[1];
  } while (cursor !== undefined);
  return { names, listed, times };
}

async function post(url: string, session: string | undefined, method: string, params: object): Promise<string> {
  return (await send(url, session, method, params)).text();
}

function send(url: string, session: string | undefined, method: string, params: object): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(session === undefined ? {} : { "mcp-session-id": session }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
}

/** Undefined where the server has none. */
async function openSession(url: string): Promise<string | undefined> {
  const clientInfo = { name: "bench", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const response = await send(url, undefined, "initialize", params);
  await response.text();
  return response.headers.get("mcp-session-id") ?? undefined;
}

/** Waits until every backend is read. */
async function untilListed(url: string): Promise<void> {
  for (const until = performance.now() + 60_000; performance.now() < until; await sleep(200)) {
    try {
      const session = await openSession(url);
      const text = await post(url, session, "tools/list", {});
      if (!text.includes("mcpctl/partial")) return;
    } catch {
      // It does not listen yet.
    }
  }
  throw new Error("the catalog was not complete within a minute");
}

function portIn(line: string): number {
  return Number(line.split(" ")[1]);
}
