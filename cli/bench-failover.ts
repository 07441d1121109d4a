// `mcpctl bench failover`: what a system does with calls while parts of it break.

import process from "node:process";
import { GatewayError } from "../lib/index.ts";
import {
  type Fault,
  FaultProxy,
  listenersAt,
  parseFault,
  type Part,
  processPart,
  proxyPart,
  startStage,
} from "../lib/bench.ts";
import { type Target, urlTarget } from "../lib/toolbox.ts";
import { type Command, type Flags, listFlag, textFlag, wordFlag } from "./command.ts";
import { loadFlags, oneTarget, readLoad } from "./bench-flags.ts";
import { type FailoverRequest, runFailoverBench } from "./bench-failing.ts";
import { failoverFormats } from "./bench-failover-text.ts";
import { outputFlag } from "./common.ts";
import { ownCommand } from "./self.ts";

const command: Command = {
  meta: { name: "bench failover", description: "Break parts of a system under load, and count what is lost" },
  args: {
    target: {
      type: "positional",
      description: "name/tool or URL; if left out, a gateway over two servers, a and b",
      required: false,
    },
    tool: { type: "positional", description: "The tool, behind a URL", required: false },
    fault: {
      type: "string",
      description: "kill:b@2s..5s; or freeze blackhole slow 5xx reset session-loss garbage",
      valueHint: "what",
    },
    part: {
      type: "string",
      description: "b=pid:123, b=port:9002, or b=9102:URL, a proxy there",
      valueHint: "name=where",
    },
    journal: { type: "string", description: "What bench fixture --journal writes", valueHint: "file" },
    ...loadFlags,
    threshold: {
      type: "string",
      alias: "T",
      description: "Must hold: lost==0, duplicated==0, availability>99% …",
      valueHint: "rule",
    },
    output: outputFlag(failoverFormats),
    report: { type: "string", description: "Write .json or .html, too", valueHint: "file" },
  },
  examples: [
    "mcpctl bench failover --fault kill:b@2s..5s --fault freeze:a@7s..9s -d 12s",
    "mcpctl bench failover http://127.0.0.1:7337/mcp ab__work --part b=port:9002 --fault kill:b@5s",
    "mcpctl bench failover http://127.0.0.1:9001/mcp work --fault reset@2s..3s -T 'error_rate<1%'",
  ],
  run: failover,
};

export default command;

/** What a run of seconds can show. */
const defaultFault = "kill:b@3s..6s";
const defaults = [
  ["rate", "100/s"],
  ["sessions", "8"],
] as const;

async function failover(given: Flags): Promise<number> {
  const format = wordFlag(given, "output", failoverFormats) ?? "table";
  const flags = withDefaults(given);
  const [first, second] = flags.positionals;
  const written = listFlag(flags, "fault");
  if (written.length === 0 && first !== undefined)
    throw new GatewayError("usage", "which fault? write it like --fault kill:b@2s..5s");
  const faults = (written.length === 0 ? [defaultFault] : written).map(parseFault);
  const output = { format, thresholds: listFlag(flags, "threshold"), files: listFlag(flags, "report") };
  const shared = { faults, output };
  if (first === undefined) {
    for (const name of ["part", "journal", "method", "cases", "args"])
      if (flags.values.has(name)) throw new GatewayError("usage", `--${name} needs a target`);
    const stageTarget = urlTarget("http://127.0.0.1:1/mcp", "ab__work");
    const request = checked({ ...shared, load: readLoad(flags, [stageTarget], true) });
    await using stage = await startStage(ownCommand(), "5ms");
    const { parts, journal, url } = stage;
    return await runFailoverBench({ ...request, target: urlTarget(url, "ab__work"), parts, journal });
  }
  const target = await oneTarget(flags, first, second);
  const request = checked({ ...shared, load: readLoad(flags, [target], true) });
  await using system = await openParts(flags, target);
  return await runFailoverBench({ ...request, ...system, journal: textFlag(flags, "journal") });
}

function withDefaults(flags: Flags): Flags {
  const isClosed = listFlag(flags, "config").some((each) => /^\d+$/.test(each));
  const missing = defaults.filter(([name]) => !flags.values.has(name) && !(name === "rate" && isClosed));
  return { ...flags, values: new Map([...flags.values, ...missing.map(([name, value]) => [name, [value]] as const)]) };
}

type Asked = Pick<FailoverRequest, "faults" | "output" | "load">;

function checked(asked: Asked): Asked {
  const { durationMs, count } = asked.load;
  if (count !== Infinity) throw new GatewayError("usage", "a failover takes a time: -n means nothing here");
  const late = asked.faults.find(({ toMs }: Fault) => toMs >= durationMs);
  if (late) throw new GatewayError("usage", `${late.text}: the run ends after ${durationMs} ms; give it more with -d`);
  return asked;
}

interface System extends AsyncDisposable {
  readonly target: Target;
  readonly parts: readonly Part[];
}

/** The parts that were named; without any, what stands before the target itself is `a`. */
async function openParts(flags: Flags, target: Target): Promise<System> {
  const proxies: FaultProxy[] = [];
  const open = async (name: string, url: string, port: number): Promise<Part> => {
    const proxy = await FaultProxy.start(new URL(url), port);
    proxies.push(proxy);
    return proxyPart(name, proxy);
  };
  const close = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  };
  try {
    const named = listFlag(flags, "part");
    if (named.length > 0) {
      const parts = [];
      for (const each of named) parts.push(await openPart(each, open));
      return { target, parts, [Symbol.asyncDispose]: close };
    }
    const [replica] = target.plan.replicas;
    if (replica?.kind !== "http")
      throw new GatewayError("usage", `${target.name} is a process of this run: name what is to break with --part`);
    const part = await open("a", replica.url, 0);
    const url = proxies[0]?.url ?? replica.url;
    const plan = { ...target.plan, replicas: [{ ...replica, url }] };
    return { target: { ...target, plan }, parts: [part], [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPart(
  written: string,
  open: (name: string, url: string, port: number) => Promise<Part>,
): Promise<Part> {
  const [, name = "", where = ""] = /^([\w.-]+)=(.+)$/s.exec(written) ?? [];
  const [, kind, number] = /^(pid|port):(\d+)$/.exec(where) ?? [];
  if (kind === "pid") return processPart(name, () => [Number(number)].filter((pid) => pid > 1 && pid !== process.pid));
  if (kind === "port") {
    const found = listenersAt(Number(number));
    if (found.length === 0) throw new GatewayError("usage", `--part ${written}: no process of yours listens there`);
    return processPart(name, () => found);
  }
  const [, port, url] = /^(\d{1,5}):(https?:\/\/.+)$/.exec(where) ?? [];
  if (url !== undefined && URL.canParse(url)) return open(name, url, Number(port));
  throw new GatewayError(
    "usage",
    `--part ${written}: write b=pid:123, b=port:9002 or b=9102:http://127.0.0.1:9002/mcp`,
  );
}
