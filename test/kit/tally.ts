// Reads from a test process what it ran: the counts of its last summary, and a failure where there is none to trust.

export type RuntimeName = "bun" | "deno";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What is left of a test process. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; null where a signal ended the process. */
  readonly code: number | null;
}

export interface Verdict {
  readonly tally: Tally;
  /** Why the counts alone do not tell the story. */
  readonly problem?: string;
}

export const emptyTally: Tally = { passed: 0, failed: 0, skipped: 0 };

export function addTally(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** The counts of one process; one that stopped early, ran nothing, or ended badly counts as failed. */
export function judge(runtime: RuntimeName, { stdout, stderr, code }: Outcome): Verdict {
  // Each runtime's own stream only: what a test prints to the other one cannot pass for a summary.
  const tally = runtime === "bun" ? readBun(stderr) : readDeno(stdout);
  if (!tally) return failure(emptyTally, `ended without a summary (exit code ${code ?? "none"})`);
  if (tally.passed + tally.failed + tally.skipped === 0) return failure(tally, "ran no tests");
  if (code !== 0 && tally.failed === 0) return failure(tally, `ended with exit code ${code ?? "none"} after its tests`);
  return { tally };
}

function failure(tally: Tally, problem: string): Verdict {
  return { tally: addTally(tally, { passed: 0, failed: 1, skipped: 0 }), problem };
}

function readBun(text: string): Tally | undefined {
  const end = text.lastIndexOf("\nRan ");
  if (end < 0) return undefined;
  const summary = text.slice(text.lastIndexOf("\n\n", end - 1) + 1, end);
  const count = (word: string): number => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(summary)?.[1] ?? 0);
  return { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
}

function readDeno(text: string): Tally | undefined {
  const summary = [...text.matchAll(/^(?:ok|FAILED) \| .*$/gm)].at(-1)?.[0];
  if (summary === undefined) return undefined;
  const count = (word: string): number => Number(new RegExp(`\\b(\\d+) ${word}\\b`).exec(summary)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}
