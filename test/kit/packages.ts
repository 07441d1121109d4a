// Programs of other people that some tests drive: Debian's packages are installed where that is allowed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Whether a program is there; in a container, where root runs the tests, its package is installed first. */
export function provide(program: string, debianPackage: string, versionFlag: string = "--version"): boolean {
  const isHere = (): boolean => spawnSync(program, [versionFlag]).status === 0;
  if (isHere()) return true;
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Other tests may be at it, too.
  const lock = ["-o", "DPkg::Lock::Timeout=120"];
  const apt = (...args: readonly string[]): boolean =>
    spawnSync("apt-get", [...lock, ...args], { env, timeout: 180_000 }).status === 0;
  const install = (): boolean => apt("install", "-y", "--no-install-recommends", debianPackage);
  return (install() || (apt("update") && install())) && isHere();
}

/** The path of the first of these programs that is installed. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
