// Compares mcpctl with nginx and with other gateways, in one interleaved run, and writes RESULTS.md.
// Usage: bun test/bench/bench.ts [--quick] [--only case,…] [--binary FILE] [--out FILE]

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { runAgreement } from "./agreement.ts";
import { runCatalog } from "./catalog.ts";
import { runCompare } from "./comparing.ts";
import { runCrowd } from "./crowd.ts";
import { runFailover } from "./failing.ts";
import { type Effort, Field } from "./field.ts";
import { runIsolation } from "./isolation.ts";
import { runListing } from "./listing.ts";
import { describeMachine } from "./machine.ts";
import { runMemory, runStart } from "./memory.ts";
import { runObserving } from "./observing.ts";
import { Stage } from "./programs.ts";
import { proxyCaseNames, runProxyCase } from "./proxying.ts";
import { type Finding, formatFinding, formatLimits, formatReport, type Limit } from "./report.ts";
import { messageOf } from "./rounds.ts";
import { runSecurity } from "./security.ts";

type RunCase = (field: Field, effort: Effort) => Promise<Finding>;

const cases: ReadonlyMap<string, RunCase> = new Map<string, RunCase>([
  ...proxyCaseNames.map((name): [string, RunCase] => [name, (field, effort) => runProxyCase(name, field, effort)]),
  ["list", runListing],
  ["catalog", runCatalog],
  ["memory", runMemory],
  ["crowd", runCrowd],
  ["start", runStart],
  ["isolation", runIsolation],
  ["security", runSecurity],
  ["observe", runObserving],
  ["failover", runFailover],
  ["agreement", runAgreement],
  ["compare", runCompare],
]);

const full: Effort = { quick: false, rounds: 7, seconds: 2, warmSeconds: 3 };
const quick: Effort = { quick: true, rounds: 3, seconds: 0.8, warmSeconds: 1 };
const limitMinutes = { full: 30, quick: 7 };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", default: [...cases.keys()].join(",") },
      binary: { type: "string" },
      out: { type: "string" },
    },
  });
  const names = values.only.split(",");
  const unknown = names.find((name) => !cases.has(name));
  if (unknown !== undefined) {
    console.error(`there is no case "${unknown}"; the cases are ${[...cases.keys()].join(", ")}`);
    return 2;
  }
  const effort = values.quick ? quick : full;
  await using stage = new Stage();
  boundRun(stage, values.quick ? limitMinutes.quick : limitMinutes.full);
  const field = new Field(stage, effort, values.binary);
  const machine = describeMachine(field.binary);
  const findings = await runCases(names, field, effort);
  const limits = findings.flatMap((finding) => finding.limits);
  console.log(`\n${formatLimits(limits)}`);

  // A part of a run, or a short one, does not take the place of a whole one.
  const whole = names.length === cases.size && !values.quick;
  const file = values.out ?? (whole ? join(import.meta.dirname, "RESULTS.md") : undefined);
  if (file !== undefined) {
    const date = new Date().toISOString().slice(0, 10);
    const described = `${effort.rounds} rounds of ${effort.seconds} s for each contestant${values.quick ? " (a quick run)" : ""}`;
    writeFileSync(file, formatReport({ date, effort: described, machine, findings }));
    console.log(`\nwritten: ${file}`);
  }
  return verdict(limits, findings);
}

async function runCases(names: readonly string[], field: Field, effort: Effort): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of names) {
    const startedAt = performance.now();
    const finding = await (cases.get(name)?.(field, effort) ?? Promise.reject(new Error(name))).catch(
      (error: unknown): Finding => ({ tables: [], limits: [], failures: new Map([[name, messageOf(error)]]) }),
    );
    findings.push(finding);
    console.log(`\n${formatFinding(finding)}\n(${name}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s)`);
  }
  return findings;
}

/** Ends everything that was started when the run is interrupted, or takes longer than it ever should. */
function boundRun(stage: Stage, minutes: number): void {
  const give = (why: string, code: number) => (): void => {
    console.error(why);
    stage.killAll();
    process.exit(code);
  };
  process.on("SIGINT", give("interrupted", 130)).on("SIGTERM", give("ended", 143));
  setTimeout(give(`the run took longer than ${minutes} minutes`, 1), minutes * 60_000).unref();
}

/** A limit that is missed is for people to judge; a gateway that answered wrongly is not. */
function verdict(limits: readonly Limit[], findings: readonly Finding[]): number {
  const missed = limits.filter(({ reached }) => !reached).length;
  const failures = findings.flatMap(({ failures }) => [...failures.keys()]);
  console.log(
    `${limits.length - missed} of ${limits.length} limits reached; failures: ${failures.join(", ") || "none"}`,
  );
  return failures.length > 0 ? 1 : 0;
}

process.exitCode = await main();
