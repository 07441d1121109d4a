// The long runs of the fuzzers, and what came of them, in RESULTS.md: `npm run fuzz [front|stdio|backend-http|backend-stdio]…`.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { projectRoot } from "../kit/process.ts";
import { fuzzBackend } from "./backend.ts";
import { fuzzFront } from "./front.ts";
import { fuzzStdio } from "./stdio.ts";
import type { Outcome } from "./watch.ts";

const results = join(projectRoot, "test/fuzz/RESULTS.md");
const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);

/** Together a million requests to the fronts, and a million replies of hostile backends. */
const runs: Readonly<Record<string, () => Promise<Outcome>>> = {
  front: () => fuzzFront(100_000, seed),
  stdio: () => fuzzStdio(900_000, seed),
  "backend-http": () => fuzzBackend("http", 400_000, seed),
  "backend-stdio": () => fuzzBackend("stdio", 250_000, seed),
};

const intro = `# A million odd requests, and a million odd replies

\`npm run fuzz\` writes this file. Messages are written by what MCP knows, by a generator of JSON, or are any bytes, and most are
damaged after that; requests come whole, cut, contradictory and in every framing. A run fails where the gateway ends, says
anything of a bug, answers with a 5xx that is no JSON-RPC error, leaves a whole request or a call without an answer, does not
serve others afterwards, or where its memory in the last quarter of the run is more than it was in the second one, in the
median, by 48 MiB. Memory is that of the gateway's process in MiB, at twenty equal distances.
`;

function sectionOf({ title, sent, seconds, counts, memory, growth }: Outcome): string {
  const rows = Object.entries(counts).map(([kind, count]) => `| ${kind} | ${count} |`);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  return [
    `## ${title}`,
    "",
    `${sent} sent in ${seconds} s, seed ${seed}, ${new Date().toISOString().slice(0, 10)}, commit ${commit}. No finding.`,
    "",
    "| what came | how often |",
    "| --- | --- |",
    ...rows,
    "",
    `Memory: ${memory.join(" ")}; from the second quarter to the last one ${growth}.`,
  ].join("\n");
}

/** Puts a section in the place of the one with its title, or at the end. */
function write(section: string): void {
  const before = existsSync(results)
    ? readFileSync(results, "utf8")
        .split(/\n(?=## )/)
        .slice(1)
    : [];
  const titleOf = (text: string): string => text.split("\n", 1)[0] ?? "";
  const at = before.findIndex((each) => titleOf(each) === titleOf(section));
  const sections = at < 0 ? [...before, section] : before.with(at, section);
  writeFileSync(
    results,
    `${[intro, ...sections.map((each) => each.trim())].join("\n")}\n`.replaceAll(/\n(?=## )/g, "\n"),
  );
}

const named = process.argv.slice(2);
const chosen = Object.entries(runs).filter(([name]) => named.length === 0 || named.includes(name));
for (const [name, run] of chosen) {
  const outcome = await run();
  process.stdout.write(`${name}: ${JSON.stringify(outcome)}\n`);
  write(sectionOf(outcome));
}
