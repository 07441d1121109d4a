// The gateways of others that take part: pinned npm packages, each started as its README says.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Way } from "./load.ts";
import { findProgram, freePort, runTool, type Stage } from "./programs.ts";

export const peerVersions: Readonly<Record<string, string>> = {
  "mcp-proxy": "6.7.19",
  supergateway: "4.0.0",
  "mcp-hub": "4.2.1",
};

const scripts: Readonly<Record<string, string>> = {
  "mcp-proxy": "dist/bin/mcp-proxy.mjs",
  supergateway: "dist/index.js",
  "mcp-hub": "dist/cli.js",
};

// Kept between runs: the packages are 200, and pinned.
const cache = join(tmpdir(), "mcpctl-bench-peers");

function installedVersion(name: string): string | undefined {
  try {
    return /"version":\s*"([^"]+)"/.exec(readFileSync(join(cache, "node_modules", name, "package.json"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Installs the packages where they are not in the cache. */
export function installPeers(): void {
  const wanted = Object.entries(peerVersions);
  if (wanted.every(([name, version]) => installedVersion(name) === version)) return;
  mkdirSync(cache, { recursive: true });
  const packages = wanted.map(([name, version]) => `${name}@${version}`);
  console.log(`installing ${packages.join(" ")}`);
  runTool("npm", ["install", "--prefix", cache, "--no-save", "--no-audit", "--no-fund", ...packages], cache);
}

/** They are programs for Node; where there is none, this runtime takes its place. */
export function peerRuntime(): string {
  return findProgram("node") ?? process.execPath;
}

interface Launch {
  readonly name: string;
  readonly port: number;
  readonly args: readonly string[];
  readonly oldTransport?: boolean;
}

function launch(stage: Stage, { name, port, args, oldTransport = false }: Launch): Way {
  const script = join(cache, "node_modules", name, scripts[name] ?? "");
  // mcp-hub keeps its state and logs in the home folder.
  const env = { HOME: stage.folder, XDG_STATE_HOME: stage.folder, XDG_CONFIG_HOME: stage.folder };
  const { pid } = stage.start(name, peerRuntime(), [script, "--port", String(port), ...args], { env });
  return { name, url: `http://127.0.0.1:${port}/mcp`, prefix: "", pid, oldTransport };
}

/** Always in front of a child process: it has no other backend. */
export async function startMcpProxy(stage: Stage, child: readonly string[]): Promise<Way> {
  return launch(stage, { name: "mcp-proxy", port: await freePort(), args: ["--", ...child] });
}

/** Stateful, because it starts a child for each request otherwise. */
export async function startSupergateway(stage: Stage, peer: string): Promise<Way> {
  const mode = ["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none"];
  return launch(stage, {
    name: "supergateway",
    port: await freePort(),
    args: ["--stdio", `${peer} stdio`, ...mode],
  });
}

/** In front of HTTP backends; towards clients it speaks the old HTTP+SSE transport. */
export async function startMcpHub(stage: Stage, backends: Readonly<Record<string, string>>): Promise<Way> {
  const port = await freePort();
  const config = join(stage.folder, `mcp-hub-${port}.json`);
  const servers = Object.entries(backends).map(([name, url]) => [name, { url }]);
  writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  const way = launch(stage, { name: "mcp-hub", port, args: ["--config", config], oldTransport: true });
  return { ...way, prefix: `${Object.keys(backends)[0] ?? ""}__` };
}
