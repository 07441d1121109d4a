// The flags that the commands under `bench` share, and what they ask for.

import { readFileSync } from "node:fs";
import type { ArgsDef } from "citty";
import { GatewayError, parseDuration } from "../lib/index.ts";
import { type BenchCase, compileCase, isRemote, type Load, parseRate, readCases } from "../lib/bench.ts";
import type { Target } from "../lib/toolbox.ts";
import { durationFlag, type Flags, hasFlag, listFlag, numberFlag, textFlag } from "./command.ts";
import { serverFlags, timeoutOf } from "./common.ts";
import { targetsOf } from "./servers.ts";

/** What is called, and how much of it. */
export const loadFlags: ArgsDef = {
  config: {
    type: "string",
    alias: "c",
    description: "Number: clients in a closed loop; else a config file",
    valueHint: "n-or-file",
  },
  ...(serverFlags["trust"] ? { trust: serverFlags["trust"] } : {}),
  rate: {
    type: "string",
    alias: "r",
    description: "Calls by the clock; 50/s if left out; 10/s..90/s ramps",
    valueHint: "rate",
  },
  duration: { type: "string", alias: "d", description: "How long; 10s if left out", valueHint: "duration" },
  calls: { type: "string", alias: "n", description: "Stop after this many calls", valueHint: "number" },
  warmup: {
    type: "string",
    description: "Before what is counted; 500ms if left out",
    valueHint: "duration",
  },
  sessions: { type: "string", description: "Clients that are connected; 1 if left out", valueHint: "number" },
  method: {
    type: "string",
    description: "Call this, not a tool; ping if nothing is named",
    valueHint: "method",
  },
  args: {
    type: "string",
    description: "JSON, or @file, with {{seq}}, {{uuid}}, {{random 1..9}}",
    valueHint: "json",
  },
  cases: { type: "string", description: "What to call, by weight: JSON, or one object a line", valueHint: "file" },
  "allow-writes": { type: "boolean", description: "Call tools that do not say that they only read" },
  yes: { type: "boolean", description: "Load a server that is not on this machine" },
  "max-rate": {
    type: "string",
    description: "Bound; 10000/s, elsewhere 1000/s, if left out",
    valueHint: "rate",
  },
  "max-in-flight": {
    type: "string",
    description: "Calls without an answer at most; 4096 if left out",
    valueHint: "number",
  },
  "call-timeout": { type: "string", description: "How long a call may take; 10s if left out", valueHint: "duration" },
  protocol: { type: "string", description: "legacy, modern or a revision", valueHint: "era" },
  timeout: {
    type: "string",
    description: "How long the whole command may take; as long as it takes if left out",
    valueHint: "duration",
  },
};

/** What the flags ask for, of one or two targets. */
export interface LoadRequest {
  readonly load: Load;
  readonly durationMs: number;
  readonly count: number;
  readonly warmupMs: number;
  readonly sessions: number;
  readonly cases: readonly BenchCase[];
  /** For people. */
  readonly call: string;
  readonly allowsWrites: boolean;
  readonly maxInFlight: number;
  /** Calls a second. */
  readonly maxRate: number;
  readonly callMs: number;
  readonly protocol: string | undefined;
  /** Of the whole command. */
  readonly timeoutMs: number;
}

/** Without what `-c` says of clients: the files. */
function withoutClients(flags: Flags): Flags {
  const files = listFlag(flags, "config").filter((each) => !isNumber(each));
  return { ...flags, values: new Map([...flags.values, ["config", files]]) };
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

/** The one server of a target; `item` may stand behind an address or before a command. */
export async function oneTarget(flags: Flags, written: string | undefined, item?: string): Promise<Target> {
  const targets = await targetsOf(withoutClients(flags), written, true);
  const [target] = targets;
  if (!target || targets.length > 1) {
    const what = written === undefined ? "the config" : JSON.stringify(written);
    const names = targets.map(({ name }) => name).slice(0, 10);
    throw new GatewayError("usage", `${what} has ${targets.length} servers; name one of ${names.join(", ")}`);
  }
  return target.item === undefined && item !== undefined ? { ...target, item } : target;
}

/** `nonces`: each call says which one it is. */
export function readLoad(flags: Flags, targets: readonly Target[], nonces = false): LoadRequest {
  const remote = targets.find(isRemote);
  if (remote && !hasFlag(flags, "yes"))
    throw new GatewayError("loadRefused", `${remote.name} is not on this machine, and would get all of this load`);
  const maxRate = rateFlag(flags, "max-rate")?.to ?? (remote ? 1000 : 10_000);
  const count = numberFlag(flags, "calls") ?? Infinity;
  const given = durationFlag(flags, "duration");
  const durationMs = given ?? (count === Infinity ? 10_000 : Infinity);
  const warmup = textFlag(flags, "warmup");
  const cases = readCalls(flags, targets, nonces);
  return {
    load: readModel(flags, maxRate),
    durationMs,
    count,
    warmupMs: readWarmup(warmup, durationMs),
    sessions: boundedFlag(flags, "sessions", 1, 10_000),
    cases,
    maxRate,
    call: [...new Set(cases.map(({ label }) => label))].join(", "),
    allowsWrites: hasFlag(flags, "allow-writes"),
    maxInFlight: boundedFlag(flags, "max-in-flight", 4096, 100_000),
    callMs: durationFlag(flags, "call-timeout") ?? 10_000,
    protocol: textFlag(flags, "protocol"),
    timeoutMs: timeoutOf(flags, Infinity),
  };
}

function readWarmup(written: string | undefined, durationMs: number): number {
  if (written === "0") return 0;
  if (written === undefined) return durationMs === Infinity ? 0 : Math.min(500, durationMs / 10);
  const ms = parseDuration(written);
  if (ms === undefined)
    throw new GatewayError("usage", `--warmup must be a duration like 1s, not ${JSON.stringify(written)}`);
  return ms;
}

function boundedFlag(flags: Flags, name: string, fallback: number, most: number): number {
  const value = numberFlag(flags, name) ?? fallback;
  if (value <= most) return value;
  throw new GatewayError("usage", `--${name} may be ${most} at most`);
}

/** A share like 5%, as 0.05. */
export function shareFlag(flags: Flags, name: string): number | undefined {
  const written = textFlag(flags, name);
  if (written === undefined) return undefined;
  const [, percent] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(written) ?? [];
  if (percent !== undefined) return Number(percent) / 100;
  throw new GatewayError("usage", `--${name} must be a share like 5%, not ${JSON.stringify(written)}`);
}

function rateFlag(flags: Flags, name: string): ReturnType<typeof parseRate> | undefined {
  const written = textFlag(flags, name);
  return written === undefined ? undefined : parseRate(written);
}

function readModel(flags: Flags, maxRate: number): Load {
  const numbers = listFlag(flags, "config").filter(isNumber);
  const rate = rateFlag(flags, "rate");
  if (numbers.length > 1) throw new GatewayError("usage", "-c is given two numbers");
  const [clients] = numbers.map(Number);
  if (clients !== undefined) {
    if (rate) throw new GatewayError("usage", "-r starts calls by the clock, and -c when answers come: choose one");
    if (clients < 1 || clients > 10_000) throw new GatewayError("usage", "-c may be 1 to 10000 clients");
    return { kind: "closed", clients, maxRate };
  }
  const wanted = rate ?? { from: 50, to: 50 };
  if (Math.max(wanted.from, wanted.to) > maxRate)
    throw new GatewayError("usage", `a rate beyond ${maxRate}/s needs --max-rate that says so`);
  return { kind: "open", rate: wanted };
}

function readCalls(flags: Flags, targets: readonly Target[], nonces: boolean): readonly BenchCase[] {
  const file = textFlag(flags, "cases");
  const method = textFlag(flags, "method");
  const tool = targets.find(({ item }) => item !== undefined)?.item;
  const given = textFlag(flags, "args");
  if ([file, method, tool].filter((each) => each !== undefined).length > 1)
    throw new GatewayError("usage", "a tool, --method and --cases each say what to call: choose one");
  if (file !== undefined) {
    if (given !== undefined) throw new GatewayError("usage", "--args means nothing with --cases");
    return readCases(readText(file), file).map((spec) => compileCase(spec, nonces));
  }
  const values = given === undefined ? undefined : parseArgs(given);
  if (tool !== undefined)
    return [compileCase({ tool, ...(values === undefined ? {} : { arguments: values }) }, nonces)];
  return [compileCase({ method: method ?? "ping", params: values }, nonces)];
}

function parseArgs(written: string): unknown {
  const text = written.startsWith("@") ? readText(written.slice(1)) : written;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new GatewayError("usage", `--args is no JSON: ${text.slice(0, 60)}`, { cause: error });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new GatewayError("usage", `${file} cannot be read`, { cause: error });
  }
}
