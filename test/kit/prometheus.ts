// Debian's Prometheus and promtool, where this machine has them or can get them; the tests that need them are skipped elsewhere.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const cache = resolve(import.meta.dirname, "../../node_modules/.cache/prometheus");

/** The folder with `prometheus` and `promtool`; undefined where they cannot be had. */
export const prometheusFolder: string | undefined = find();

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs promtool to its end. */
export function promtool(args: readonly string[], input: string = ""): Ran {
  const { status, stdout, stderr } = spawnSync(join(prometheusFolder ?? "", "promtool"), args, {
    input,
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: status, output: stdout + stderr };
}

function find(): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(":"))
    if (existsSync(join(folder, "promtool")) && existsSync(join(folder, "prometheus"))) return folder;
  const kept = join(cache, "usr/bin");
  if (existsSync(join(kept, "promtool"))) return kept;
  return fetchPackage() ? kept : undefined;
}

/** Unpacked and not installed: nothing of the system changes, and nobody has to be root. */
function fetchPackage(): boolean {
  const fresh = `${cache}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    const run = (program: string, ...args: string[]): boolean =>
      spawnSync(program, args, { cwd: fresh, timeout: 120_000 }).status === 0;
    if (!run("apt-get", "download", "prometheus")) return false;
    const file = readdirSync(fresh).find((name) => name.endsWith(".deb"));
    if (file === undefined || !run("dpkg", "-x", file, fresh)) return false;
    rmSync(join(fresh, file));
    // Another test may have been faster.
    if (!existsSync(cache)) renameSync(fresh, cache);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
