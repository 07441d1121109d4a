// What commands are about: the servers of a config, one of them, an address, or a command line; one syntax for all.

import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { formatProblem, loadPlan, type Loaded, type Problem } from "../config/load.ts";
import { backendDefaults, type BackendPlan, freeze, type ReplicaPlan } from "../config/plan.ts";
import { type FilePlace, nearest } from "../config/problems.ts";
import { GatewayError } from "../core/errors.ts";
import { matcherOf } from "../core/glob.ts";
import type { BackendName } from "../core/nouns.ts";

/** What somebody wrote, before any config is read. */
export type TargetSpec =
  | { readonly kind: "all" }
  | { readonly kind: "url"; readonly url: string; readonly item: string | undefined }
  | { readonly kind: "command"; readonly command: readonly string[] }
  /** Names may be globs; `file` is read instead of the config that is found. */
  | {
      readonly kind: "name";
      readonly file: string | undefined;
      readonly server: string;
      readonly item: string | undefined;
    };

/** One server that a command is about. */
export interface Target {
  readonly name: string;
  readonly plan: BackendPlan;
  /** Where it is written; undefined for addresses and command lines. */
  readonly place: FilePlace | undefined;
  /** The tool, prompt or resource that was named; may be a glob. */
  readonly item: string | undefined;
}

export interface TargetOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Files named with -c. */
  readonly files: readonly string[];
}

export type Targets =
  | {
      readonly kind: "ok";
      readonly targets: readonly Target[];
      readonly warnings: readonly Problem[];
      /** Files that were found in the working directory, not named: they need trust before anything of theirs runs. */
      readonly discovered: readonly string[];
    }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[] };

const extensions: ReadonlySet<string> = new Set(".yaml .yml .toml .json .jsonc .json5 .ts .mts .js .mjs".split(" "));

/** Reads a target as people write it; `command` is what stood behind `--`. */
export function parseTarget(written: string | undefined, command?: readonly string[]): TargetSpec {
  if (command !== undefined) {
    if (command.length === 0) throw new GatewayError("usage", "there is no command behind --");
    return { kind: "command", command };
  }
  if (written === undefined) return { kind: "all" };
  if (/^(?:https?:\/\/|unix:)/i.test(written)) return readUrl(written);
  if (/^(?:localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+(?:[/?#]|$)/i.test(written)) {
    const url = new URL(`http://${written}`);
    if (url.pathname === "/") url.pathname = "/mcp";
    return readUrl(url.href);
  }
  const [file, name] = splitFile(written);
  const [server = "", ...items] = name.split("/");
  return { kind: "name", file, server: server || "*", item: items.length > 0 ? items.join("/") : undefined };
}

function readUrl(written: string): TargetSpec {
  const url = URL.parse(written);
  if (!url)
    throw new GatewayError("usage", `${JSON.stringify(written)} is no address; write it like https://example.com/mcp`);
  const item = url.hash === "" ? undefined : decodeURIComponent(url.hash.slice(1));
  url.hash = "";
  return { kind: "url", url: url.href, item };
}

/** `mcp.json:fs/read` is a file and a name; a file alone is all of it. */
function splitFile(written: string): [file: string | undefined, name: string] {
  const [, file, name = ""] = /^(.+?\.(?:ya?ml|toml|json[c5]?|m?[tj]s)):(.*)$/is.exec(written) ?? [];
  if (file !== undefined) return [file, name];
  if (extensions.has(extname(written).toLowerCase()) && existsSync(written)) return [written, ""];
  return [undefined, written];
}

/** The servers that a target means; a `GatewayError` "unknownTarget" where there is none of that name. */
export async function resolveTargets(spec: TargetSpec, options: TargetOptions): Promise<Targets> {
  switch (spec.kind) {
    case "url":
      return single(urlTarget(spec.url, spec.item));
    case "command":
      return single(commandTarget(spec.command));
    case "all":
    case "name":
      break;
  }
  const { cwd, env } = options;
  const file = spec.kind === "name" ? spec.file : undefined;
  const files = file === undefined ? options.files : [file];
  const loaded = await loadPlan({ cwd, env, files });
  if (loaded.kind === "invalid") return { kind: "invalid", problems: loaded.problems };
  const targets = choose(loaded, spec.kind === "name" ? spec : undefined);
  return { kind: "ok", targets, warnings: loaded.warnings, discovered: files.length > 0 ? [] : loaded.files };
}

function single(target: Target): Targets {
  return { kind: "ok", targets: [target], warnings: [], discovered: [] };
}

function choose(
  loaded: Loaded & { readonly kind: "ok" },
  wanted: (TargetSpec & { readonly kind: "name" }) | undefined,
): readonly Target[] {
  const { backends } = loaded.plan;
  const chosen = wanted ? backends.filter(({ name }) => matcherOf([wanted.server])(name)) : backends;
  if (wanted && chosen.length === 0) {
    const names = backends.map(({ name }) => name);
    const near = nearest(wanted.server, names);
    const there = names.length === 0 ? "the config has none" : `there are ${names.slice(0, 20).join(", ")}`;
    const meant = near === undefined ? there : `did you mean ${near}?`;
    throw new GatewayError("unknownTarget", `no server is called ${JSON.stringify(wanted.server)}; ${meant}`);
  }
  return chosen.map((plan) => ({ name: plan.name, plan, place: loaded.places.get(plan.name), item: wanted?.item }));
}

/** A target for an address alone. */
export function urlTarget(written: string, item?: string): Target {
  const url = new URL(written);
  const headers: Record<string, string> = {};
  if (url.username !== "" || url.password !== "") {
    const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers["authorization"] = `Basic ${Buffer.from(secret).toString("base64")}`;
    url.username = "";
    url.password = "";
  }
  const name = url.protocol === "unix:" ? basename(url.pathname.split(":")[0] ?? "") : url.host;
  return bare(name, { kind: "http", url: url.href, headers }, item);
}

function commandTarget([command = "", ...args]: readonly string[]): Target {
  // Who types a command means the environment of the terminal, as a shell would.
  const replica: ReplicaPlan = { kind: "stdio", command, args, env: {}, cwd: undefined, inheritEnv: true };
  return bare(commandName(command, args), replica, undefined);
}

const runners = /^(?:bun|bunx|deno|node|npx|npm|pnpm|yarn|python[\d.]*|uv|uvx|docker|env|tsx|ruby|php|java)(?:\.exe)?$/;
const runnerWords: ReadonlySet<string> = new Set(["run", "exec", "x", "dlx", "tool"]);

/** A short name for a command line: of the script or package, where an interpreter or a runner starts it. */
function commandName(command: string, args: readonly string[]): string {
  const program = basename(command) || command;
  if (!runners.test(program)) return program;
  const script = args.find((arg) => !arg.startsWith("-") && !runnerWords.has(arg));
  return script === undefined ? program : basename(script).replace(/(?<=.)(?:@[\w.^~-]+|\.\w{1,3})$/, "") || program;
}

function bare(name: string, replica: ReplicaPlan, item: string | undefined): Target {
  const plan: BackendPlan = freeze({ ...backendDefaults, name: name as BackendName, replicas: [replica] });
  return { name, plan, place: undefined, item };
}

/** Why a config cannot be used, as one error: its first mistake, and how many more there are. */
export function invalidConfig(problems: readonly Problem[]): GatewayError {
  const errors = problems.filter(({ severity }) => severity === "error");
  const [first] = errors;
  if (!first) return new GatewayError("configInvalid", "the config cannot be read");
  const rest = errors.length > 1 ? `, and ${errors.length - 1} more` : "";
  const plain = formatProblem(first).replace(/(?:error|warning)\[\w+\] /, "");
  return new GatewayError(
    first.code === "E3114" ? "configNotFound" : "configInvalid",
    `${plain} (${first.code}${rest})`,
    { data: { problems: errors.map(({ path: _path, ...problem }) => problem) } },
  );
}
