// Fails on a production dependency that is not pinned, or known to be vulnerable: by what the registry says, else by what is
// written down in advisories.json, and then it says so.
// Usage: bun deploy/audit.ts [--registry url]

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type Dependency,
  type Lock,
  type Manifest,
  productionOf,
  readLock,
  readManifest,
  root,
} from "./dependencies.ts";
import { isWithin } from "./versions.ts";

export interface Advisory {
  readonly name: string;
  readonly id: string;
  readonly severity: string;
  /** Ranges of versions. */
  readonly vulnerable: string;
  readonly title: string;
}

const patienceMs = 20_000;
const exact = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** The registry that npm is told to use. */
function ownRegistry(): string {
  const { status, stdout } = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8", timeout: patienceMs });
  return status === 0 ? stdout.trim() : "";
}

/** What is not pinned: versions that may move, and packages that nobody could tell from others. */
export function findUnpinned({ dependencies }: Manifest, lock: Lock): readonly string[] {
  const ranges = Object.entries(dependencies).flatMap(([name, version]) => {
    if (!exact.test(version)) return [`${name} is wanted as ${version}, which is no single version`];
    const locked = lock.packages[`node_modules/${name}`]?.version;
    return locked === version ? [] : [`${name} is wanted as ${version}, and locked as ${locked ?? "nothing"}`];
  });
  const loose = productionOf(lock).flatMap(({ path, version, resolved, integrity }) => [
    ...(exact.test(version) ? [] : [`${path} has no version`]),
    ...(/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity) ? [] : [`${path} has no SHA-512`]),
    // An address in the lock file would win over the registry that npm is told to use.
    ...(resolved === "" ? [] : [`${path} comes from an address of its own`]),
  ]);
  return [...ranges, ...loose];
}

/** What is known of these versions. */
export function findVulnerable(all: readonly Dependency[], advisories: readonly Advisory[]): readonly string[] {
  return all.flatMap(({ path, name, version }) =>
    advisories
      .filter((each) => each.name === name && isWithin(version, each.vulnerable))
      .map(({ id, severity, title }) => `${path} ${version}: ${title} (${severity}, ${id})`),
  );
}

export function readAdvisories(): { readonly asOf: string; readonly advisories: readonly Advisory[] } {
  return JSON.parse(readFileSync(join(root, "deploy/advisories.json"), "utf8"));
}

/** What a registry knows of these packages; undefined where it does not answer. */
export async function askRegistry(all: readonly Dependency[], base: string): Promise<readonly Advisory[] | undefined> {
  const versions: Record<string, string[]> = {};
  for (const { name, version } of all) (versions[name] ??= []).push(version);
  try {
    const response = await fetch(new URL("/-/npm/v1/security/advisories/bulk", base), {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(versions),
      signal: AbortSignal.timeout(patienceMs),
    });
    if (!response.ok) return undefined;
    const found: unknown = await response.json();
    if (typeof found !== "object" || found === null) return undefined;
    return Object.entries(found).flatMap(([name, list]: [string, unknown]) =>
      Array.isArray(list) ? list.map((each: unknown) => readAdvisory(name, Object(each))) : [],
    );
  } catch {
    return undefined;
  }
}

function readAdvisory(name: string, said: Readonly<Record<string, unknown>>): Advisory {
  const text = (key: string, fallback: string): string => (typeof said[key] === "string" ? said[key] : fallback);
  // One whose range cannot be read counts for every version.
  return {
    name,
    id: text("url", "no address"),
    severity: text("severity", "unknown"),
    vulnerable: text("vulnerable_versions", "*"),
    title: text("title", "no title"),
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { registry: { type: "string" } } });
  const lock = readLock();
  const all = productionOf(lock);
  const known = readAdvisories();
  const base = values.registry ?? ownRegistry();
  const online = await askRegistry(all, base);
  const source = online
    ? "asked the registry"
    : `the registry does not answer; only the ${known.advisories.length} advisories written down on ${known.asOf} were looked at`;
  const problems = [
    ...findUnpinned(readManifest(), lock),
    ...findVulnerable(all, [...known.advisories, ...(online ?? [])]),
  ];
  for (const problem of problems) console.error(problem);
  console.log(`${all.length} production packages, ${problems.length} problems; ${source}`);
  return problems.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
