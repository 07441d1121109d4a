// `mcpctl serve`: the gateway over HTTP, or on stdin and stdout, until it is told to stop.

import process from "node:process";
import type { Supervisor } from "../lib/crew.ts";
import {
  defaultPlan,
  type Faults,
  Gateway,
  GatewayError,
  listen,
  type Listener,
  loadDemo,
  loadPlan,
  type Observer,
  type Plan,
} from "../lib/index.ts";
import { type Command, type Flags, hasFlag, listFlag, numberFlag, textFlag } from "./command.ts";
import { configFlag, trustFlag } from "./common.ts";
import { follow } from "./follow.ts";
import { greet } from "./greeting.ts";
import { isLogLevel, Log, type LogFlags, logLevels } from "./log.ts";
import { portFlag, withFlags } from "./overrides.ts";
import { sayProblems } from "./problems.ts";
import { ownCommand } from "./self.ts";
import { listenForSignals, type Signals } from "./signals.ts";
import { version } from "./version.ts";
import { isWorker, meet, planOf } from "./worker.ts";

const command: Command = {
  meta: { name: "serve", description: "Serve many MCP servers behind one endpoint" },
  args: {
    config: configFlag,
    trust: trustFlag,
    demo: { type: "boolean", description: "Serve the built-in demo backends; needs no config" },
    workers: {
      type: "string",
      description: "Processes that share the port, under one supervisor",
      valueHint: "number",
    },
    upgrade: {
      type: "boolean",
      description: "Exchange the workers of a gateway that runs",
    },
    stdio: { type: "boolean", description: "Serve one client on stdin and stdout, not HTTP" },
    host: { type: "string", description: "Address to listen on", valueHint: "address" },
    port: { type: "string", alias: "p", description: "Port to listen on; 0 takes a free one", valueHint: "number" },
    insecure: { type: "boolean", description: "Let other machines in, without authentication" },
    chaos: { type: "string", description: "Put the faults of this file into calls: for tests", valueHint: "file" },
    "log-format": { type: "string", description: "Lines for people or for programs: human, json", valueHint: "format" },
    "log-level": { type: "string", description: `How much to tell: ${logLevels.join(", ")}`, valueHint: "level" },
  },
  examples: [
    "mcpctl serve --demo",
    "mcpctl serve -c mcpctl.yaml",
    "mcpctl serve --stdio",
    "mcpctl serve -c .mcp.json --port 8080",
    "mcpctl serve -c mcpctl.yaml --upgrade",
  ],
  run: serve,
};

/** Backends that take longer to start are not waited for before a worker counts as ready. */
const readyMs = 3_000;
/** For clients to go to another process. */
const leaveMs = 2_000;

export default command;

async function serve(flags: Flags): Promise<number> {
  refuseConflicts(flags);
  portFlag(flags);
  if (hasFlag(flags, "upgrade")) return await (await import("./upgrade.ts")).upgrade(flags);
  const isDemo = hasFlag(flags, "demo");
  const logFlags = readLogFlags(flags, isDemo);
  const count = numberFlag(flags, "workers");
  const loaded = isDemo
    ? { plan: withFlags(defaultPlan((await loadDemo()).demoBackends(ownCommand())), flags), files: [] }
    : await load(flags);
  if (!loaded) return 3;
  const observer = await Log.create(logFlags, loaded.plan.observe.log);
  if (count !== undefined && !isWorker())
    return await (await import("./supervise.ts")).supervise(loaded.plan, count, observer);
  // Before the first child is started: a signal that nobody listens to would leave it behind.
  using signals = listenForSignals(isWorker());
  const faults = await chaos(flags, observer);
  const supervisor = await meet(signals);
  const plan = planOf(loaded.plan, supervisor);
  const gateway = await Gateway.open({ plan, version, observer, faults, stop: signals.stop, supervisor });
  const adjust = (next: Plan): Plan => planOf(withFlags(next, flags), supervisor);
  using _following = follow(loaded.files, listFlag(flags, "config"), { gateway, observer, signals, adjust });
  try {
    if (hasFlag(flags, "stdio")) await serveStdio(gateway, signals);
    else await serveHttp(gateway, isDemo, { signals, observer, supervisor });
  } finally {
    await gateway.close();
  }
  return 0;
}

function readLogFlags(flags: Flags, isDemo: boolean): LogFlags {
  const level = textFlag(flags, "log-level");
  if (level !== undefined && !isLogLevel(level))
    throw new GatewayError("usage", `--log-level must be one of ${logLevels.join(", ")}, not ${JSON.stringify(level)}`);
  const format = textFlag(flags, "log-format");
  if (format !== undefined && format !== "human" && format !== "json")
    throw new GatewayError("usage", `--log-format must be human or json, not ${JSON.stringify(format)}`);
  // The greeting of the demo says what the log would say.
  return { level, format, fallback: isDemo ? "warn" : "info", isStdio: hasFlag(flags, "stdio") };
}

/** Faults on purpose, which nobody should get without knowing. */
async function chaos(flags: Flags, observer: Observer): Promise<Faults | undefined> {
  const file = textFlag(flags, "chaos");
  if (file === undefined) return undefined;
  const { createFaults } = await import("../lib/chaos.ts");
  const faults = await createFaults(file, observer);
  observer.log("warn", "gateway", `CHAOS is on: ${faults.ruleCount} rules of ${file} make calls fail on purpose`);
  return faults;
}

/** A flag that would do nothing is a misunderstanding. */
function refuseConflicts(flags: Flags): void {
  for (const [one, other] of [
    ["demo", "config"],
    ["stdio", "host"],
    ["stdio", "port"],
    ["stdio", "insecure"],
    ["stdio", "workers"],
    ["stdio", "upgrade"],
  ] as const) {
    if (hasFlag(flags, one) && hasFlag(flags, other))
      throw new GatewayError("usage", `--${other} means nothing with --${one}`);
  }
}

async function load(flags: Flags): Promise<{ readonly plan: Plan; readonly files: readonly string[] } | undefined> {
  const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
  if (!isWorker()) sayProblems(loaded);
  if (loaded.kind !== "ok") return undefined;
  const plan = withFlags(loaded.plan, flags);
  if (listFlag(flags, "config").length === 0 && !isWorker()) {
    const { askTrust } = await import("./trust.ts");
    const servers = plan.backends.map((backend) => ({ name: backend.name, plan: backend }));
    await askTrust(loaded.files, servers, listFlag(flags, "trust"));
  }
  return { plan, files: loaded.files };
}

interface Surroundings {
  readonly signals: Signals;
  readonly observer: Log;
  readonly supervisor: Supervisor | undefined;
}

async function serveHttp(
  gateway: Gateway,
  isDemo: boolean,
  { signals, observer, supervisor }: Surroundings,
): Promise<void> {
  const isShared = supervisor !== undefined;
  const { listen: at, tls, limits } = gateway.plan;
  const bounds = { maxConnections: limits.connections, maxHeadBytes: limits.headerBytes };
  const handle = gateway.handle.bind(gateway);
  const listener = await listen({
    ...at,
    isShared,
    tls,
    ...bounds,
    observer,
    traffic: gateway.observing?.traffic,
    handle,
  });
  gateway.listensAt(listener.url);
  supervisor?.say("listening", Number(listener.url.port));
  const url = new URL("/mcp", listener.url).href;
  const greeted =
    (supervisor?.terms.place ?? 0) === 0
      ? greet(url, gateway, isDemo, signals, observer)
      : Promise.race([gateway.settled(readyMs), signals.stopped]);
  const paced = greeted.then(async () => {
    supervisor?.say("ready");
    return await pace();
  });
  try {
    await Promise.all([paced, signals.stopped]);
  } finally {
    await closeAll(gateway, listener);
    (await paced)();
  }
}

/** Not before it is needed: the start does without it. */
async function pace(): Promise<() => void> {
  return (await import("../lib/busy.ts")).keepPace();
}

/** Stops accepting, lets calls end, then cuts what is left. Where other processes go on, clients go there first. */
async function closeAll(gateway: Gateway, listener: Listener): Promise<void> {
  if (gateway.clustering) await Promise.all([listener.leave(leaveMs), gateway.clustering.leave(leaveMs)]);
  // It may wait for connections that are merely kept alive; those are cut below.
  listener.close(false).catch(() => {});
  await gateway.close();
  await listener.close(true).catch(() => {});
}

async function serveStdio(gateway: Gateway, signals: Signals): Promise<void> {
  const paced = pace();
  await Promise.race([gateway.serveStdio(process.stdin, process.stdout), signals.stopped]);
  (await paced)();
  // After a signal an open stdin would keep the process alive: Bun until it is destroyed, Deno until it is paused too.
  process.stdin.pause().destroy();
}
