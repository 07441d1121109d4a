// Compares runs of the conformance suite with one that was made directly: what was lost, what of it is excused, the numbers.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { countChecks } from "./conformance.ts";
import type { Check, Run } from "./conformance.ts";
import { projectRoot } from "./process.ts";
import { readmeRows } from "./readme.ts";

/** A check that may be worse through the gateway. */
interface Exception {
  readonly key: string;
  /** The era of the suite's scenario, which is its client's. */
  readonly client: string;
  /** Era and link of the backends to which it applies, as `legacy http`. */
  readonly backends: readonly string[];
  readonly reason: string;
}

/** What a run through the gateway lost: checks that are a success directly and not through it. */
export function lostChecks(before: Run, after: Run): Check[] {
  return [...before.checks.values()]
    .filter(({ status }) => status === "SUCCESS")
    .map(({ key }) => after.checks.get(key) ?? { key, status: "ABSENT", message: "the check did not run" })
    .filter(({ status }) => status !== "SUCCESS");
}

/**
 * Fails for a check that these runs have lost and nobody excuses, and for an excuse that nothing needs any more. `chance`:
 * checks that may be lost, or not.
 */
export async function assertExcused(
  client: "legacy" | "modern",
  backend: string,
  runs: readonly (readonly [before: Run, after: Run])[],
  chance: ReadonlySet<string> = new Set(),
): Promise<void> {
  const lost = runs.flatMap(([before, after]) => lostChecks(before, after));
  const exceptions = (await readExceptions()).filter((one) => one.client === client && one.backends.includes(backend));
  const excused = new Set(exceptions.map(({ key }) => key));
  assert.deepEqual(
    lost.filter(({ key }) => !excused.has(key) && !chance.has(key)),
    [],
  );
  const unused = [...excused].filter((key) => !lost.some((check) => check.key === key));
  assert.deepEqual(unused, [], "exceptions that are no longer needed");
}

async function readExceptions(): Promise<Exception[]> {
  const file = join(projectRoot, "test/contract/conformance-exceptions.json");
  const list: unknown = JSON.parse(await readFile(file, "utf8"));
  if (!Array.isArray(list) || !list.every(isException))
    throw new Error(`${file}: every exception needs "key", "client", "backends" and a "reason"`);
  return list;
}

function isException(value: unknown): value is Exception {
  if (typeof value !== "object" || value === null) return false;
  const { key, client, backends, reason } = { key: "", client: "", backends: "", reason: "", ...value };
  const isKnown = typeof key === "string" && (client === "legacy" || client === "modern");
  return isKnown && Array.isArray(backends) && typeof reason === "string" && reason.length > 20;
}

/** Prints how many checks passed, directly and behind each backend, and fails where the README says otherwise. */
export function report(name: string, before: Run, after: readonly (Run | undefined)[]): void {
  const passed = [before, ...after].map((run) => (run ? String(countChecks(run, "SUCCESS")) : "–"));
  const row = [name, String(before.scenarios), ...passed];
  console.log(`conformance ${row.join(" | ")}`);
  const written = readmeRows("conformance").find(([first]) => first === name);
  assert.deepEqual(written, row, "the README shows other numbers");
}

/** Fails where a check is no success that has no other status noted here, and where fewer ran than expected. */
export function assertPassed(
  run: Run,
  expected: { readonly scenarios: number; readonly successes: number },
  notSuccess: Readonly<Record<string, string>>,
): void {
  const others = [...run.checks.values()].filter(({ status }) => status !== "SUCCESS");
  const unexpected = others.filter(({ key, status }) => notSuccess[key] !== status);
  assert.deepEqual(unexpected, []);
  // Fewer would mean that scenarios have passed empty.
  assert.deepEqual({ scenarios: run.scenarios, successes: countChecks(run, "SUCCESS") }, expected);
}
