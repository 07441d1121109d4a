// Compiles cli/main.ts to single-file binaries in dist/: one for this machine, and one for each platform.
// Usage: bun deploy/build.ts [--host] [--entry file] [--out folder]

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { rehearse } from "./rehearsal.ts";
import { sbomName, writeSbom } from "./sbom.ts";

interface Target {
  /** Name of the file in dist/, without a suffix. */
  readonly name: string;
  /** Bun's name of the runtime; absent for this machine's own. */
  readonly runtime?: string;
}

const root = resolve(import.meta.dirname, "..");
const host: Target = { name: "mcpctl" };
const platforms = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-arm64",
  "darwin-x64",
  "windows-x64",
];

const options = [
  "--compile",
  "--minify",
  "--bytecode",
  // --bytecode alone means cjs, which crashes at start where a dependency uses import.meta.
  "--format=esm",
  // Commands are imported lazily: each stays a chunk that costs nothing until it is used.
  "--splitting",
  // Until lib/tiers.ts says otherwise.
  "--compile-jit-policy=10",
  // What lies in the caller's working directory must not change or run anything.
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
];

/** Bun fetches the runtime of another platform from the package registry, at its own version, and keeps it in its cache. */
function compile({ name, runtime }: Target, entry: string, folder: string, more: readonly string[]): boolean {
  const outfile = join(folder, runtime?.includes("windows") ? `${name}.exe` : name);
  // A build that fails leaves no older binary behind that could pass for its result.
  rmSync(outfile, { force: true });
  const target = runtime === undefined ? [] : [`--target=${runtime}`];
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/bun"),
    ["build", entry, `--outfile=${outfile}`, ...options, ...more, ...target],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) {
    console.error(`${stdout}${stderr}\nfailed: ${name}`);
    return false;
  }
  const mebibytes = (statSync(outfile).size / 2 ** 20).toFixed(1);
  console.log(`${outfile} ${mebibytes} MiB in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return true;
}

/** The option that lays the code out as a run of the program needs it: an idle gateway holds 2 MiB less of its file. */
async function findOrder(entry: string, folder: string): Promise<readonly string[]> {
  if (!compile(host, entry, folder, [])) throw new Error("the binary for the rehearsal was not built");
  return [`--bytecode-order=${await rehearse(join(folder, host.name), folder)}`];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      host: { type: "boolean", default: false },
      entry: { type: "string" },
      out: { type: "string", default: join(root, "dist") },
    },
  });
  const folder = resolve(values.out);
  mkdirSync(folder, { recursive: true });
  const others = platforms.map((platform): Target => ({ name: `mcpctl-${platform}`, runtime: `bun-${platform}` }));
  const targets = values.host ? [host] : [host, ...others];
  const workFolder = mkdtempSync(join(tmpdir(), "mcpctl-build-"));
  try {
    // Another program would have to be rehearsed in another way.
    const entry = resolve(values.entry ?? join(root, "cli/main.ts"));
    const order = values.entry === undefined ? await findOrder(entry, workFolder) : [];
    const failed = targets.filter((target) => !compile(target, entry, folder, order));
    // What the binaries are made of.
    writeSbom(join(folder, sbomName));
    return failed.length > 0 ? 1 : 0;
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
