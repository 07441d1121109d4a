// Everybody who takes part, started when a case first asks for them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Load, Peer, type Way } from "./load.ts";
import { makeCertificate, startNginx, startTlsBackend } from "./nginx.ts";
import { installPeers, startMcpHub, startMcpProxy, startSupergateway } from "./peers.ts";
import { freePort, projectRoot, runTool, sleep, type Stage } from "./programs.ts";

/** How a contestant is reached; the part behind the dash says what is behind it where that is not HTTP. */
export type Via =
  | "direct"
  | "nginx"
  | "nginx-tls"
  | "mcpctl"
  | "mcpctl-stdio"
  | "mcpctl-tls"
  | "mcp-hub"
  | "mcp-proxy-stdio"
  | "supergateway-stdio";

/** How long and how often to measure. */
export interface Effort {
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}

export interface Endpoint {
  readonly url?: string;
  readonly command?: string;
  readonly args?: readonly string[];
  readonly timeouts?: { readonly connect: string };
}

export interface Mcpctl extends Way {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts something when it is first asked for, once. */
function lazy<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => (started ??= start());
}

export class Field {
  readonly stage: Stage;
  readonly peer: Peer;
  readonly binary: string;
  readonly #effort: Pick<Effort, "warmSeconds">;
  readonly #ways = new Map<Via, Promise<Way>>();

  constructor(stage: Stage, effort: Pick<Effort, "warmSeconds">, binary: string | undefined) {
    this.stage = stage;
    this.#effort = effort;
    this.peer = new Peer(stage);
    this.binary = binary ?? buildBinary(stage);
  }

  /** The way of a contestant, which is ready to be called. */
  way(via: Via): Promise<Way> {
    const known = this.#ways.get(via);
    if (known !== undefined) return known;
    const started = this.#start(via).then(async (way) => {
      await this.awaitReady(way);
      // Compilers need more calls than the warm-up of one case has, those of slow gateways above all.
      await this.peer.load(way, { tool: "small", connections: 32, seconds: this.#effort.warmSeconds * 2 });
      return way;
    });
    this.#ways.set(via, started);
    return started;
  }

  /** The HTTP backend that most cases share. */
  readonly backend: () => Promise<string> = lazy(() => this.peer.serve());

  /** Once, also where it fails: without a network that takes its time. */
  readonly installPeers: () => Promise<void> = lazy(async () => installPeers());

  /** Starts an mcpctl of its own with default settings. `prefix` names the backend that its way leads to. */
  async startMcpctl(
    name: string,
    backends: Readonly<Record<string, Endpoint>>,
    options: { readonly ca?: string; readonly settings?: object; readonly flags?: readonly string[] } = {},
  ): Promise<Mcpctl> {
    const { file, url } = await this.writeConfig(name, backends, options.settings);
    const env = options.ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: options.ca };
    const program = this.stage.start(name, this.binary, ["serve", "-c", file, ...(options.flags ?? [])], { env });
    const prefix = `${Object.keys(backends)[0] ?? ""}__`;
    return { name: "mcpctl", url, prefix, pid: program.pid, stop: () => program.stop() };
  }

  async writeConfig(
    name: string,
    backends: Readonly<Record<string, Endpoint>>,
    settings: object = {},
  ): Promise<{ readonly file: string; readonly url: string }> {
    const port = await freePort();
    const file = join(this.stage.folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ listen: { host: "127.0.0.1", port }, ...settings, backends }));
    return { file, url: `http://127.0.0.1:${port}/mcp` };
  }

  /** Calls until the whole way to the backend answers. */
  async awaitReady(way: Way, load: Load = { tool: "small", connections: 1 }): Promise<void> {
    for (const until = performance.now() + 20_000; ;) {
      try {
        await this.peer.load(way, { ...load, requests: 1 });
        return;
      } catch (error) {
        if (performance.now() > until) throw error;
        await sleep(100);
      }
    }
  }

  readonly #certificate = lazy(async () => makeCertificate(this.stage));

  readonly #tlsBackend = lazy(async () => startTlsBackend(this.stage, await this.backend(), await this.#certificate()));

  readonly #nginx = lazy(async () => {
    const { certificate } = await this.#certificate();
    return startNginx(this.stage, await this.backend(), await this.#tlsBackend(), certificate);
  });

  readonly #mcpctl = lazy(async () => {
    const child = { command: this.peer.path, args: ["stdio"] };
    const backends = { http: { url: await this.backend() }, child, tls: { url: await this.#tlsBackend() } };
    return this.startMcpctl("mcpctl", backends, { ca: (await this.#certificate()).certificate });
  });

  async #start(via: Via): Promise<Way> {
    switch (via) {
      case "direct":
        return { name: "direct", url: await this.backend(), prefix: "", pid: undefined };
      case "nginx":
        return (await this.#nginx()).plain;
      case "nginx-tls":
        return (await this.#nginx()).tls;
      case "mcpctl":
        return { ...(await this.#mcpctl()), prefix: "http__" };
      case "mcpctl-stdio":
        return { ...(await this.#mcpctl()), prefix: "child__" };
      case "mcpctl-tls":
        return { ...(await this.#mcpctl()), prefix: "tls__" };
      case "mcp-hub":
        await this.installPeers();
        return startMcpHub(this.stage, { http: await this.backend() });
      case "mcp-proxy-stdio":
        await this.installPeers();
        return startMcpProxy(this.stage, [this.peer.path, "stdio"]);
      case "supergateway-stdio":
        await this.installPeers();
        return startSupergateway(this.stage, this.peer.path);
    }
  }
}

/** The tree as it is now: an older binary would give its figures to newer code. */
function buildBinary(stage: Stage): string {
  console.log("building mcpctl");
  runTool(process.execPath, [join(projectRoot, "deploy/build.ts"), "--host", "--out", stage.folder]);
  return join(stage.folder, "mcpctl");
}
