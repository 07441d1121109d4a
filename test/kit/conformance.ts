// Runs the official conformance suite against a server and reads what it found, check by check.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inCrew } from "./crew.ts";
import { bunExecutable, projectRoot, startProcess } from "./process.ts";

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
    await inCrew(selections, 2, async (selection) => {
      const args = [suiteScript, "server", "--url", url, ...selection, "-o", folder];
      // The suite needs Bun or a recent Node, so Bun runs it, whatever runs the test.
      await using proc = startProcess(bunExecutable(), args, { cwd: folder });
      const { code } = await proc.exited;
      // A failed check makes the suite exit with 1 as well; only a run without results has not happened.
      if ((await readdir(folder)).length === 0)
        throw new Error(`the suite exited with ${code}: ${proc.stdout}${proc.stderr}`);
    });
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
