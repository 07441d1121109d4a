// A folder for one test, and what a config in it comes to.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Loaded, type Problem, loadPlan } from "../../lib/config/load.ts";
import type { Plan } from "../../lib/config/plan.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface Folder extends Disposable {
  readonly path: string;
  load(named?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Loaded>;
}

/** A new folder with these files; dispose removes it. */
export function createFolder(files: Files): Folder {
  const path = mkdtempSync(join(tmpdir(), "mcpctl-config-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return {
    path,
    load: (named = [], env = {}) => loadPlan({ cwd: path, files: named, env }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** The problems of one file, errors and warnings. */
export async function problemsOf(name: string, content: string | Uint8Array, env = {}): Promise<readonly Problem[]> {
  using folder = createFolder({ [name]: content });
  const loaded = await folder.load([name], env);
  return loaded.kind === "ok" ? loaded.warnings : loaded.problems;
}

/** The plan of one file; fails with its problems. */
export async function planOf(name: string, content: string, env = {}): Promise<Plan> {
  using folder = createFolder({ [name]: content });
  return planIn(await folder.load([name], env));
}

/** The plan, or a failure that shows the problems. */
export function planIn(loaded: Loaded): Plan {
  if (loaded.kind === "ok") return loaded.plan;
  throw new Error(JSON.stringify(loaded.problems, null, 2));
}
