// From flags to two locks: the one in the file, and the one of the tools as the servers of a config have them now.

import { dirname, isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import { Gateway, loadPlan, type Observer } from "../lib/index.ts";
import {
  describeFailure,
  diffLock,
  type Failure,
  type FoundProblem,
  invalidConfig,
  keepUnread,
  type Lock,
  readLock,
  sleep,
  type Target,
} from "../lib/toolbox.ts";
import { type Flags, listFlag } from "./command.ts";
import type { Limits } from "./patience.ts";
import { askTrust } from "./trust.ts";
import { version } from "./version.ts";

export interface Locks {
  readonly file: string;
  /** As people would name it from here. */
  readonly label: string;
  /** Undefined where there is no such file. */
  readonly before: Lock | undefined;
  readonly now: Lock;
  /** Why the tools of some backends could not be read; both locks say the same of those. */
  readonly missing: readonly Failure[];
  readonly backends: number;
  /** Between backend and tool in exposed names. */
  readonly separator: string;
}

const closeMs = 500;
/** What goes wrong is in the answer; nobody watches a gateway that lives for one listing. */
const silent: Observer = { log: () => {} };

/** Starts the servers of the config, for as long as their tools are read. */
export async function readLocks(flags: Flags, files: readonly string[], bound: Limits): Promise<Locks> {
  const loaded = await loadPlan({ cwd: process.cwd(), files, env: process.env });
  if (loaded.kind !== "ok") throw invalidConfig(loaded.problems);
  const { plan } = loaded;
  const [first = ""] = loaded.files;
  // Where the config says nothing, the file is where it would be once the config says "lock".
  const file = isAbsolute(plan.lock.file) ? plan.lock.file : resolve(process.cwd(), dirname(first), plan.lock.file);
  const before = readLock(file);
  const targets = plan.backends.map((backend): Target => {
    return { name: backend.name, plan: backend, place: loaded.places.get(backend.name), item: undefined };
  });
  if (files.length === 0) await askTrust(loaded.files, targets, listFlag(flags, "trust"));
  const timeouts = { ...plan.timeouts, drainMs: 0, listMs: Math.max(1, bound.until - Date.now()) };
  const gateway = await Gateway.open({
    plan: { ...plan, lock: { mode: "off", file }, timeouts },
    version,
    observer: silent,
  });
  try {
    const { lock, missing: errors } = await gateway.computeLock(bound.scope);
    const missing = errors.map((error) =>
      describeFailure(
        error,
        targets.find(({ name }) => name === error.backend),
      ),
    );
    const unread = new Set(missing.flatMap(({ target }) => target ?? []));
    const now = keepUnread(before ?? new Map(), lock, unread);
    const { separator, backends } = plan;
    return { file, label: labelOf(file), before, now, missing, backends: backends.length, separator };
  } finally {
    // A server that takes its time to end is killed with the program.
    await Promise.race([gateway.close(), sleep(closeMs, bound.scope).catch(() => {})]);
  }
}

/** One problem for each thing that is not as the lock has it. */
export async function checkLock(
  flags: Flags,
  files: readonly string[],
  bound: Limits,
): Promise<readonly FoundProblem[]> {
  const { label, before, now, missing } = await readLocks(flags, files, bound);
  const problem = (code: string, message: string, place: NonNullable<Failure["place"]>): FoundProblem => {
    return { ...place, code, severity: "error", message, suggestion: undefined };
  };
  const inLock = { file: label, line: 0, column: 0 };
  const unread = missing.map(({ code, target = "", message, place = inLock }) =>
    problem(code, `${target}: ${message}`, place),
  );
  if (!before) return [...unread, problem("E3108", `there is no ${label}; write it with mcpctl lock`, inLock)];
  const changes = diffLock(before, now).map(({ backend, name, weight, what }) =>
    problem("E6141", `${backend}/${name}: ${what} (${weight})`, inLock),
  );
  return [...unread, ...changes];
}

function labelOf(file: string): string {
  const short = relative(process.cwd(), file);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? file : short;
}
