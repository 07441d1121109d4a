// `mcpctl serve`: the gateway over HTTP, or on stdin and stdout, until it is told to stop.

import process from "node:process";
import {
  type BackendName,
  defaultPlan,
  demoBackends,
  formatProblem,
  freeze,
  Gateway,
  GatewayError,
  isLoopback,
  listen,
  type Listener,
  loadPlan,
  type LogLevel,
  type Observer,
  type Plan,
  watchFiles,
} from "../lib/index.ts";
import { type Flags, listFlag, textFlag } from "./command.ts";
import { createLog, isLogLevel, logLevels, say } from "./output.ts";
import { type Command, version } from "./run.ts";

const command: Command = {
  meta: { name: "serve", description: "Serve many MCP servers behind one endpoint" },
  args: {
    config: { type: "string", alias: "c", description: "Config file; may be repeated, later ones win", valueHint: "file" },
    demo: { type: "boolean", description: "Serve the built-in demo backends; needs no config" },
    stdio: { type: "boolean", description: "Serve one client on stdin and stdout instead of HTTP" },
    host: { type: "string", description: "Address to listen on", valueHint: "address" },
    port: { type: "string", alias: "p", description: "Port to listen on; 0 = any free one", valueHint: "number" },
    insecure: { type: "boolean", description: "Allow an address that other machines reach, without authentication" },
    "log-level": { type: "string", description: `How much to tell: ${logLevels.join(", ")}`, valueHint: "level" },
  },
  examples: ["mcpctl serve --demo", "mcpctl serve -c mcpctl.yaml", "mcpctl serve --stdio", "mcpctl serve -c .mcp.json --port 8080"],
  run: serve,
};

export default command;

async function serve(flags: Flags): Promise<number> {
  const level = textFlag(flags, "log-level") ?? "info";
  if (!isLogLevel(level)) throw new GatewayError("usage", `--log-level must be one of ${logLevels.join(", ")}`);
  const loaded = await load(flags, level);
  if (!loaded) return 3;
  const { plan, files, log } = loaded;
  const gateway = new Gateway({ plan, version, observer: log });
  const watching = follow(files, flags, gateway, log);
  const stop = stopSignal();
  try {
    if (flags.values["stdio"] === true) return await serveStdio(gateway, stop);
    return await serveHttp(gateway, flags.values["demo"] === true, stop);
  } finally {
    watching();
    await gateway.close();
  }
}

interface Started {
  readonly plan: Plan;
  readonly files: readonly string[];
  readonly log: Observer;
}

async function load(flags: Flags, level: LogLevel): Promise<Started | undefined> {
  const log = createLog(level);
  if (flags.values["demo"] === true) return { plan: withFlags(defaultPlan(demoBackends(ownCommand())), flags), files: [], log };
  const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
  const problems = loaded.kind === "ok" ? loaded.warnings : loaded.problems;
  for (const problem of problems) say(formatProblem(problem));
  return loaded.kind === "ok" ? { plan: withFlags(loaded.plan, flags), files: loaded.files, log } : undefined;
}

/** Flags win over the file. */
function withFlags(plan: Plan, flags: Flags): Plan {
  const port = textFlag(flags, "port");
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) < 65_536)) {
    throw new GatewayError("usage", `--port must be a number from 0 to 65535, not ${JSON.stringify(port)}`);
  }
  const host = textFlag(flags, "host") ?? plan.listen.host;
  if (!isLoopback(host) && flags.values["insecure"] !== true && flags.values["stdio"] !== true) {
    throw new GatewayError("insecureBind", `${host} can be reached from other machines, and this gateway has no authentication`);
  }
  return freeze({ ...plan, listen: { host, port: port === undefined ? plan.listen.port : Number(port) } });
}

async function serveHttp(gateway: Gateway, isDemo: boolean, stop: Promise<number>): Promise<number> {
  const { host, port } = gateway.plan.listen;
  const listener = await listen({ host, port, handle: (request) => gateway.handle(request) });
  const { greet } = await import("./greeting.ts");
  greet(new URL("/mcp", listener.url).href, gateway.plan, isDemo);
  const code = await stop;
  await closeAll(gateway, listener);
  return code;
}

/** Stops accepting, lets calls end, then cuts what is left. */
async function closeAll(gateway: Gateway, listener: Listener): Promise<void> {
  const quiet = listener.close(false).catch(() => {});
  await gateway.close();
  await listener.close(true).catch(() => {});
  await Promise.race([quiet, Promise.resolve()]);
}

async function serveStdio(gateway: Gateway, stop: Promise<number>): Promise<number> {
  const ended = gateway.serveStdio(process.stdin, process.stdout).then(() => 0);
  return Promise.race([ended, stop]);
}

/** Applies changes of the config files, also on SIGHUP; a config with mistakes changes nothing. Returns what ends it. */
function follow(files: readonly string[], flags: Flags, gateway: Gateway, log: Observer): () => void {
  if (files.length === 0) return () => {};
  const reload = async (): Promise<void> => {
    const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
    if (loaded.kind === "invalid") {
      log.log("error", "gateway", "the changed config has mistakes; the running one stays in place");
      for (const problem of loaded.problems) say(formatProblem(problem));
      return;
    }
    gateway.apply(withFlags(loaded.plan, flags));
    const names = loaded.plan.backends.map(({ name }: { readonly name: BackendName }) => name).join(", ");
    log.log("info", "gateway", `config applied: ${names || "no backends"}`);
  };
  const attempt = (): Promise<void> => reload().catch((error: unknown) => log.log("error", "gateway", String(error)));
  const watch = watchFiles(files, attempt);
  const onHangup = (): void => void attempt();
  process.on("SIGHUP", onHangup);
  return () => {
    process.off("SIGHUP", onHangup);
    watch[Symbol.dispose]();
  };
}

/** Resolves to the exit code once the process is told to stop; a second signal ends it at once. */
function stopSignal(): Promise<number> {
  return new Promise((resolve) => {
    const on = (signal: NodeJS.Signals, code: number): void => {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve(code);
      });
    };
    on("SIGTERM", 0);
    on("SIGINT", 0);
  });
}

/** The command that starts this program again. */
function ownCommand(): readonly string[] {
  const script = process.argv[1] ?? "";
  const isCompiled = script.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN[\\/]/i.test(script);
  if (isCompiled) return [process.execPath];
  return process.versions["deno"] ? [process.execPath, "run", "-A", "--no-check", script] : [process.execPath, script];
}
