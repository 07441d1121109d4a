// Processor time and memory of local processes, from /proc; nothing where there is none.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Usage {
  /** Of one core, 0.5 is half of it. */
  readonly cores: number;
  readonly rssBytes: number;
  readonly processes: number;
}

export interface UsageMark {
  readonly at: number;
  readonly cpuMs: ReadonlyMap<number, number>;
}

// USER_HZ is 100 on every Linux of the last twenty years.
const tickMs = 10;

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended, or this system has no /proc.
    return "";
  }
}

function pids(): readonly number[] {
  try {
    return readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number);
  } catch {
    return [];
  }
}

/** The fields of /proc/PID/stat behind the name, which may hold spaces: state, parent … */
function statFields(pid: number): readonly string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Processes that another one has started, itself not among them. */
export function childrenOf(pid: number): readonly number[] {
  return pids().filter((each) => Number(statFields(each)[1]) === pid);
}

/** These processes and everything below them. */
function treesOf(roots: readonly number[]): readonly number[] {
  const parents = new Map(pids().map((pid) => [pid, Number(statFields(pid)[1])]));
  const members = new Set(roots);
  for (const member of members) for (const [pid, parent] of parents) if (parent === member) members.add(pid);
  return [...members];
}

/** The processes of this machine that listen at a TCP port. */
export function listenersAt(port: number): readonly number[] {
  const inodes = new Set<string>();
  const listening = "0A";
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"])
    for (const line of read(file).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const isHere = fields[3] === listening && Number.parseInt(fields[1]?.split(":").at(-1) ?? "", 16) === port;
      if (isHere && fields[9] !== undefined) inodes.add(`socket:[${fields[9]}]`);
    }
  return inodes.size === 0 ? [] : pids().filter((pid) => holds(pid, inodes));
}

function holds(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    // Somebody else's process.
    return false;
  }
}

export function markUsage(roots: readonly number[]): UsageMark {
  const cpuMs = treesOf(roots).map((pid): [number, number] => {
    const fields = statFields(pid);
    return [pid, (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs];
  });
  return { at: performance.now(), cpuMs: new Map(cpuMs) };
}

/** Since the mark; null where no process is known. */
export function usageSince(roots: readonly number[], mark: UsageMark): Usage | null {
  if (roots.length === 0) return null;
  const now = markUsage(roots);
  let cpu = 0;
  for (const [pid, ms] of now.cpuMs) cpu += ms - (mark.cpuMs.get(pid) ?? 0);
  const rssBytes = [...now.cpuMs.keys()].reduce((sum, pid) => {
    const [, kilobytes = 0] = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`)) ?? [];
    return sum + Number(kilobytes) * 1024;
  }, 0);
  return {
    cores: Math.round((cpu / Math.max(1, now.at - mark.at)) * 1000) / 1000,
    rssBytes,
    processes: now.cpuMs.size,
  };
}
