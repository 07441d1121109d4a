// Runs the official conformance suite against a server and compares two runs check by check.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunExecutable, projectRoot, runtimeCommand, startProcess } from "./process.ts";
import type { HttpServerProcess } from "./process.ts";

/** The revisions whose scenarios are run. */
export const specVersions = ["2025-11-25", "2025-06-18", "2025-03-26"] as const;
export type SpecVersion = (typeof specVersions)[number];

/** The revision of the modern era. */
export const modernVersion = "2026-07-28";

/** The scenarios of extensions, which belong to no revision: the suite runs them one by one, in the modern era. */
const extensionScenarios = [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-status-notifications",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
  "sep-2640-skills-directory",
  "sep-2640-skills-enumeration",
  "sep-2640-skills-manifest",
] as const;

/** The outcome of one check: `scenario/check#occurrence`, its status and, if it failed, why. */
export interface Check {
  readonly key: string;
  readonly status: string;
  readonly message: string;
}

/** One run of the suite. */
export interface Run {
  readonly scenarios: number;
  readonly checks: ReadonlyMap<string, Check>;
}

/** A check that may be worse through the gateway, and the reason why. */
export interface Exception {
  readonly key: string;
  readonly links: readonly string[];
  readonly reason: string;
}

/** The program of the suite. */
export const suiteScript: string = join(projectRoot, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

/** Runs every scenario of a revision, pending ones too, against the server at `url`. */
export function runSuite(url: string, version: SpecVersion | typeof modernVersion, scenario?: string): Promise<Run> {
  const selection = scenario === undefined ? ["--suite", "all"] : ["--scenario", scenario];
  return runServer(url, [["--spec-version", version, ...selection]]);
}

/** Runs the scenarios of extensions against the server at `url`. */
export function runExtensions(url: string, scenarios: readonly string[] = extensionScenarios): Promise<Run> {
  // With a revision named, the suite would skip them.
  return runServer(
    url,
    scenarios.map((scenario) => ["--scenario", scenario]),
  );
}

async function runServer(url: string, selections: readonly (readonly string[])[]): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    for (const selection of selections) {
      const args = [suiteScript, "server", "--url", url, ...selection, "-o", folder];
      // The suite needs Bun or a recent Node, so Bun runs it, whatever runs the test.
      await using proc = startProcess(bunExecutable(), args, { cwd: folder });
      const { code } = await proc.exited;
      // A failed check makes the suite exit with 1 as well; only a run without results has not happened.
      if ((await readdir(folder)).length === 0)
        throw new Error(`the suite exited with ${code}: ${proc.stdout}${proc.stderr}`);
    }
    return await readRun(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The checks that a run has left in its folder. */
export async function readRun(folder: string): Promise<Run> {
  const checks = new Map<string, Check>();
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    // The suite names a folder `server-<scenario>-<time of the run>`.
    const scenario = name.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
    const occurrences = new Map<string, number>();
    for (const { id, status, message } of parseChecks(await readFile(join(folder, name, "checks.json"), "utf8"))) {
      const occurrence = (occurrences.get(id) ?? 0) + 1;
      occurrences.set(id, occurrence);
      const key = `${scenario}/${id}#${occurrence}`;
      checks.set(key, { key, status, message });
    }
  }
  return { scenarios: names.length, checks };
}

function parseChecks(text: string): { id: string; status: string; message: string }[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error(`no list of checks: ${text}`);
  return list.map((item: unknown) => {
    const field = (name: string): string => {
      const value: unknown = typeof item === "object" && item !== null ? Reflect.get(item, name) : undefined;
      return typeof value === "string" ? value : "";
    };
    return { id: field("id"), status: field("status"), message: field("errorMessage") };
  });
}

/** How many checks of a run have a status. */
export function countChecks(run: Run, status: string): number {
  return [...run.checks.values()].filter((check) => check.status === status).length;
}

/** What a run through the gateway lost: checks that are a success directly and not through it. */
export function lostChecks(direct: Run, through: Run): Check[] {
  return [...direct.checks.values()]
    .filter(({ status }) => status === "SUCCESS")
    .map(({ key }) => through.checks.get(key) ?? { key, status: "ABSENT", message: "the check did not run" })
    .filter(({ status }) => status !== "SUCCESS");
}

/** The reviewed list of exceptions. */
export async function readExceptions(): Promise<Exception[]> {
  const file = join(projectRoot, "test/contract/conformance-exceptions.json");
  const list: unknown = JSON.parse(await readFile(file, "utf8"));
  if (!Array.isArray(list) || !list.every(isException))
    throw new Error(`${file}: every exception needs "key", "links" and a "reason"`);
  return list;
}

function isException(value: unknown): value is Exception {
  if (typeof value !== "object" || value === null) return false;
  const { key, links, reason } = { key: "", links: "", reason: "", ...value };
  return typeof key === "string" && Array.isArray(links) && typeof reason === "string" && reason.length > 20;
}

/** A backend of the gateway in its config. */
export type BackendConfig = { readonly url: string } | { readonly command: string; readonly args: readonly string[] };

/** The gateway in front of one backend, without name prefixes; `await using` ends it and removes its config. */
export async function startGateway(backend: BackendConfig): Promise<HttpServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  const config = join(folder, "mcpctl.json");
  await writeFile(config, JSON.stringify({ naming: "none", backends: { fixture: backend } }));
  const proc = startProcess(...runtimeCommand("cli/main.ts", "serve", "-c", config, "--port", "0"), { cwd: folder });
  const stop = async (): Promise<void> => {
    // A gateway that is killed cannot end its children.
    await proc.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [url] = await proc.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
    return { proc, url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Numbers of several runs side by side. */
export function formatTable(rows: readonly { version: string; runs: Readonly<Record<string, Run>> }[]): string {
  const cell = (run: Run): string =>
    `${countChecks(run, "SUCCESS")} ok ${countChecks(run, "FAILURE")} failed ${countChecks(run, "WARNING")} warned`;
  const lines = rows.map(({ version, runs }) => [
    version,
    String(Object.values(runs)[0]?.scenarios ?? 0),
    ...Object.values(runs).map(cell),
  ]);
  const head = ["revision", "scenarios", ...Object.keys(rows[0]?.runs ?? {})];
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  return [head, ...lines]
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
