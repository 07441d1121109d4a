// What only shows when a config's servers are asked: those that do not answer, and replicas that differ.

import type { FilePlace, Problem } from "../config/problems.ts";
import { explain } from "./explain.ts";
import { nearestPlace } from "./place.ts";
import type { Patience } from "./peer.ts";
import { type PhaseName, probeServer } from "./probe.ts";
import type { FoundProblem } from "./problem-forms.ts";
import type { Target } from "./target.ts";

const wanted: ReadonlySet<PhaseName> = new Set(["dns", "tcp", "tls", "handshake", "tools"]);
const differs: Problem["code"] = "E3164";
const fallback = "E6001";

/** One problem for each replica that fails, and for each backend whose replicas do not list the same tools. */
export async function checkOnline(
  targets: readonly Target[],
  version: string,
  patience: Patience,
): Promise<readonly FoundProblem[]> {
  const found = await Promise.all(targets.map((target) => checkTarget(target, version, patience)));
  return found.flat();
}

async function checkTarget(target: Target, version: string, patience: Patience): Promise<readonly FoundProblem[]> {
  const place = nearestPlace(target);
  const sets = await Promise.all(
    target.plan.replicas.map(async (_, replica) => {
      const names: string[] = [];
      const item = (_kind: string, { key }: { readonly key: string }): void => void names.push(key);
      const report = await probeServer(target, replica, { version, only: wanted, pings: 0, item }, patience);
      return { report, names: names.toSorted().join("\n") };
    }),
  );
  const problems: FoundProblem[] = [];
  for (const { report } of sets) {
    const { failure, warnings } = report;
    const lead = target.plan.replicas.length > 1 ? `replica ${report.replica} of ${target.name}` : target.name;
    if (failure)
      problems.push({
        ...place,
        code: failure.code,
        severity: "error",
        message: `${lead}: ${failure.message}`,
        suggestion: undefined,
        cause: failure.cause,
        fix: failure.fix,
      });
    for (const { text } of warnings) problems.push({ ...place, ...worded(lead, text) });
  }
  const alive = sets.filter(({ report }) => report.failure === undefined);
  if (new Set(alive.map(({ names }) => names)).size > 1) {
    const message = `the replicas of ${target.name} list different tools`;
    problems.push({ ...place, code: differs, severity: "warning", message, suggestion: undefined });
  }
  return problems;
}

/** What makes a server degraded; a list that failed has a code. */
function worded(lead: string, text: string): Omit<FoundProblem, keyof FilePlace> {
  const [, code = fallback, said = text] = /^(E\d{4}) (.*)$/s.exec(text) ?? [];
  const about = explain(code);
  const reasons = about ? { cause: about.cause, fix: about.fix } : {};
  return { code, severity: "warning", message: `${lead}: ${said}`, suggestion: undefined, ...reasons };
}
