// The gateway between the conformance suite and a fixture server of either era, as a backend over either link.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fleet, fleetSize } from "./fleet.ts";
import { runtimeCommand, startHttpServer, startProcess } from "./process.ts";
import type { HttpServerProcess } from "./process.ts";

/** A backend of the gateway in its config. */
export type BackendConfig = Readonly<Record<string, unknown>>;

/** A program of the kit that serves with `http` or `stdio` as its first argument. */
export interface Fixture {
  readonly script: string;
  readonly flags: readonly string[];
}

export const legacyFixture: Fixture = { script: "test/kit/fixture-server.ts", flags: [] };
export const modernFixture: Fixture = { script: "test/kit/modern-server.ts", flags: [] };

export const links = ["http", "stdio"] as const;
export type Link = (typeof links)[number];

/** What the gateway has besides the one backend. */
export interface Surroundings {
  /** More keys of the backend. */
  readonly backend?: BackendConfig;
  /** Other backends; where a name is theirs too, the fixture's counts. */
  readonly others?: Readonly<Record<string, BackendConfig>>;
}

/** Works with a fixture over HTTP. */
export async function direct<T>({ script, flags }: Fixture, work: (url: string) => Promise<T>): Promise<T> {
  await using server = await startHttpServer(script, flags);
  return await work(server.url);
}

/** Works with the gateway that has a fixture behind this link. */
export async function through<T>(
  fixture: Fixture,
  link: Link,
  work: (url: string) => Promise<T>,
  { backend = {}, others = {} }: Surroundings = {},
): Promise<T> {
  const serve = async (entry: BackendConfig): Promise<T> => {
    await using gateway = await startGateway({ ...entry, ...backend }, others);
    return await work(gateway.url);
  };
  return link === "http" ? await direct(fixture, (url) => serve({ url })) : await serve(childOf(fixture));
}

/** A fixture as a backend over stdio. */
export function childOf({ script, flags }: Fixture): BackendConfig {
  const [command, args] = runtimeCommand(script, "stdio", ...flags);
  return { command, args };
}

/** The gateway, without name prefixes; `await using` ends it and removes its config. */
export async function startGateway(
  backend: BackendConfig,
  others: Readonly<Record<string, BackendConfig>> = {},
): Promise<Pick<HttpServerProcess, "url"> & AsyncDisposable> {
  // What a busy machine lists late is not missing.
  const timeouts = { list: "30s" };
  const config = { naming: "none", priority: ["fixture"], timeouts, backends: { fixture: backend, ...others } };
  if (fleetSize > 1) {
    return await Fleet.start(config, fleetSize);
  }
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  const file = join(folder, "mcpctl.json");
  await writeFile(file, JSON.stringify(config));
  const proc = startProcess(...runtimeCommand("cli/main.ts", "serve", "-c", file, "--port", "0"), { cwd: folder });
  const stop = async (): Promise<void> => {
    // A gateway that is killed cannot end its children.
    await proc.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
    return { url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts the work at the first call and gives its promise to every later one. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  const started: { run?: Promise<T> } = {};
  return () => (started.run ??= work());
}
