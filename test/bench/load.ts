// Drives the C program of this folder: builds it, starts backends, runs loads, holds streams, times starts.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { cpuBetween, readCpu, readRss, treeOf } from "./cpu.ts";
import { findProgram, type Program, runTool, type Stage } from "./programs.ts";

/** One way to the backend: straight, or through a gateway. */
export interface Way {
  readonly name: string;
  readonly url: string;
  /** What the gateway puts in front of a tool's name. */
  readonly prefix: string;
  /** Of the gateway; `undefined` on the straight way. */
  readonly pid: number | undefined;
  /** The gateway speaks HTTP+SSE alone, the transport before Streamable HTTP. */
  readonly oldTransport?: boolean;
  /** What clients show with each request. */
  readonly token?: string;
}

export interface Load {
  readonly tool: "small" | "large" | "sink" | "stream" | "list";
  readonly connections: number;
  readonly seconds?: number;
  readonly requests?: number;
  /** Calls a second by the clock, whose times count from when they were due; with `seconds`. */
  readonly rate?: number;
  /** Of the argument, in bytes. */
  readonly size?: number;
  /** Events of a stream, or tools of a listing. */
  readonly count?: number;
  /** Between two events of a stream, in ms; 0 sends all at once. */
  readonly interval?: number;
}

/** Times in µs. */
export interface Sample {
  readonly requests: number;
  readonly events: number;
  readonly rate: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  /** The gateway's processor time; NaN on the straight way. */
  readonly cpuPerRequest: number;
  readonly cpuPerEvent: number;
  readonly rssBytes: number;
}

export interface Held {
  readonly connections: number;
  readonly heads: number;
  readonly closed: number;
}

export class Peer {
  readonly path: string;
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.path = join(stage.folder, "peer");
    if (findProgram("cc") === undefined) throw new Error("the bench needs a C compiler: apt-get install gcc libc6-dev");
    const sources = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".c"));
    runTool("cc", ["-O2", "-o", this.path, ...sources.map((file) => join(import.meta.dirname, file))]);
  }

  /** Starts a backend over HTTP and gives its address. */
  async serve(...flags: readonly string[]): Promise<string> {
    const program = this.#stage.open("backend", this.path, ["serve", "0", ...flags]);
    return `http://127.0.0.1:${(await program.line()).replace("listening ", "")}/mcp`;
  }

  /** Puts a load on a way; throws if one answer was wrong. */
  async load(way: Way, load: Load): Promise<Sample> {
    const flags: (string | number)[] = ["--tool", load.tool, "--name", `${way.prefix}${load.tool}`];
    for (const key of ["connections", "seconds", "requests", "rate", "size", "count", "interval"] as const) {
      const value = load[key];
      if (value !== undefined) flags.push(`--${key}`, value);
    }
    flags.push("--timeout", Math.ceil((load.seconds ?? 100) + 20));
    if (way.oldTransport) flags.push("--old-transport");
    if (way.token !== undefined) flags.push("--token", way.token);
    const tree = way.pid === undefined ? [] : treeOf(way.pid, this.path);
    const before = readCpu(tree);
    const line = await this.#stage.run(this.path, ["load", way.url, ...flags.map(String)]);
    const cpu = way.pid === undefined ? Number.NaN : cpuBetween(before, readCpu(tree));
    const result = parseLine(line);
    if (result.number("errors") > 0) {
      throw new Error(`${way.name}: ${result.number("errors")} wrong answers, the first: ${result.text("firstError")}`);
    }
    const [requests, events] = [result.number("requests"), result.number("events")];
    return {
      requests,
      events,
      rate: result.number("rate"),
      p50: result.number("p50"),
      p90: result.number("p90"),
      p99: result.number("p99"),
      cpuPerRequest: cpu / requests,
      cpuPerEvent: cpu / events,
      rssBytes: readRss(tree),
    };
  }

  /** Opens calls that are never answered and keeps them open until `finish`. */
  async hold(way: Way, connections: number, ...flags: readonly string[]): Promise<Program & { readonly held: Held }> {
    const counts = ["--connections", String(connections), "--name", `${way.prefix}hang`, "--timeout", "20"];
    const program = this.#stage.open("hold", this.path, ["hold", way.url, ...counts, ...flags]);
    const said = parseLine(await program.line());
    const held = { connections, heads: said.number("heads"), closed: said.number("closed") };
    return { ...program, held };
  }

  /** Milliseconds from the start of a program to its first answered `initialize`. */
  async timeStart(url: string, command: string, args: readonly string[]): Promise<number> {
    return parseLine(await this.#stage.run(this.path, ["start", url, command, ...args])).number("answeredMs");
  }
}

function parseLine(line: string): { number(key: string): number; text(key: string): string } {
  const parsed: unknown = JSON.parse(line);
  const values = new Map(Object.entries(typeof parsed === "object" && parsed !== null ? parsed : {}));
  return { number: (key) => Number(values.get(key) ?? Number.NaN), text: (key) => String(values.get(key) ?? "") };
}
