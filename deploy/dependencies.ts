// The production dependencies as the lock file has them: what the SBOM names, and what the audit looks at.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Dependency {
  /** In the lock file: where it is installed. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** Where it was downloaded from; empty for the registry that npm is told to use. */
  readonly resolved: string;
  /** Subresource integrity: `sha512-…`. */
  readonly integrity: string;
  readonly license: string;
  /** What it asks for, by name. */
  readonly needs: readonly string[];
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export const root: string = join(import.meta.dirname, "..");

export function readManifest(folder: string = root): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

export function readLock(folder: string = root): Lock {
  return JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
}

/** Everything that is installed for production, in the order of the lock file. */
export function productionOf({ packages }: Lock): readonly Dependency[] {
  return Object.entries(packages).flatMap(([path, { dev, version, resolved, integrity, license, dependencies }]) => {
    if (path === "" || dev) return [];
    return [
      {
        path,
        name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
        version: version ?? "",
        resolved: resolved ?? "",
        integrity: integrity ?? "",
        license: license ?? "",
        needs: Object.keys(dependencies ?? {}),
      },
    ];
  });
}

/** Which of the installed packages one finds under a name, as Node looks for it: next to itself, then further out. */
export function resolveFrom(all: readonly Dependency[], path: string, name: string): Dependency | undefined {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const found = all.find((each) => each.path === `${at === "" ? "" : `${at}/`}node_modules/${name}`);
    if (found || at === "") return found;
    if (!at.includes("/node_modules/")) at = "";
  }
}
