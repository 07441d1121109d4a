// From flags to two locks: the one in the file, and the one of the tools as the servers of a config have them now.

import { dirname, isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import { Gateway, loadPlan, type LogDetails, type LogLevel, type Observer } from "../lib/index.ts";
import {
  describeFailure,
  diffLock,
  Evidence,
  type Failure,
  type FoundProblem,
  invalidConfig,
  keepUnread,
  lateHandshake,
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
/** What servers print, by name; nobody watches a gateway that lives for one listing. */
class Witness implements Observer {
  readonly #seen = new Map<string, Evidence>();

  of(name: string): Evidence {
    const seen = this.#seen.get(name) ?? new Evidence();
    this.#seen.set(name, seen);
    return seen;
  }

  log(level: LogLevel, source: string, message: string, details?: LogDetails): void {
    const [, name] = /^backend (.+)$/s.exec(source) ?? [];
    const isPrinted = details?.fields?.["stream"] === "stderr" || message.startsWith("stdout held a line");
    if (name !== undefined && isPrinted) this.of(name).log(level, source, message);
  }
}

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
  const observer = new Witness();
  const startedAt = Date.now();
  const gateway = await Gateway.open({ plan: { ...plan, lock: { mode: "off", file }, timeouts }, version, observer });
  try {
    const { lock, missing: errors } = await gateway.computeLock(bound.scope);
    const missing = errors.map((error) => {
      const target = targets.find(({ name }) => name === error.backend);
      const [replica] = target?.plan.replicas ?? [];
      if (!target || !replica) return describeFailure(error);
      const seen = observer.of(target.name);
      const isLate = error.code === "connectTimeout";
      const why = isLate ? lateHandshake(target.name, replica, Date.now() - startedAt, seen) : error;
      return describeFailure(why, target, seen);
    });
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
  const unread = missing.map(({ code, target = "", message, place = inLock, cause, fix }) => {
    return { ...problem(code, `${target}: ${message}`, place), cause, fix };
  });
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
