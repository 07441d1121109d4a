// Checks format, lint, types and dead code with the pinned tools, and names what failed.
// Usage: bun test/check.ts [format lint types unused …]

import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

const steps: ReadonlyMap<string, readonly [tool: string, ...options: string[]]> = new Map([
  ["format", ["oxfmt", "--check"]],
  ["lint", ["oxlint", "--type-aware", "--deny-warnings"]],
  ["types", ["tsc", "--noEmit", "--project", "tsconfig.json"]],
  ["unused", ["knip", "--no-progress"]],
]);

/** True where the tool found nothing; it prints what it found itself. */
function runStep(tool: string, options: readonly string[]): boolean {
  // The tools are scripts for Node; this runtime starts them too, so a machine with Bun alone can check.
  const { status } = spawnSync(process.execPath, [join(root, "node_modules/.bin", tool), ...options], {
    cwd: root,
    stdio: "inherit",
  });
  return status === 0;
}

function main(named: readonly string[]): number {
  const unknown = named.find((name) => !steps.has(name));
  if (unknown !== undefined) {
    console.error(`there is no step "${unknown}"; the steps are ${[...steps.keys()].join(", ")}`);
    return 2;
  }
  const chosen = [...steps].filter(([name]) => named.length === 0 || named.includes(name));
  const failed: string[] = [];
  for (const [name, [tool, ...options]] of chosen) {
    console.log(`── ${name}: ${tool} ${options.join(" ")}`);
    if (!runStep(tool, options)) failed.push(name);
  }
  for (const name of failed) console.log(`failed: ${name}`);
  console.log(`${chosen.length - failed.length} passed, ${failed.length} failed`);
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
