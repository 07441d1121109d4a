// Processor time and memory of a gateway's process tree, from /proc, without the backend that it may have as a child.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Nanoseconds by process and thread; `total` also has the threads that have ended, in ticks of the clock. */
export interface CpuReading {
  readonly threads: ReadonlyMap<number, ReadonlyMap<string, number>>;
  readonly total: ReadonlyMap<number, number>;
}

// USER_HZ is 100 on every Linux of the last twenty years.
const TICK_NS = 10_000_000;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process or thread has ended since it was listed.
    return undefined;
  }
}

/** The fields of /proc/PID/stat behind the name, which may hold spaces: state, parent … */
function statFields(pid: number): readonly string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function runs(pid: number, program: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === program;
  } catch {
    return true;
  }
}

/** A process and its descendants, without those that run the given program and without what those started. */
export function treeOf(root: number, without: string): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = statFields(Number(entry))?.[1];
    if (parent !== undefined) parents.set(Number(entry), Number(parent));
  }
  const tree = [root];
  for (const member of tree) {
    for (const [pid, parent] of parents) if (parent === member && !runs(pid, without)) tree.push(pid);
  }
  return tree;
}

export function readCpu(pids: readonly number[]): CpuReading {
  const threads = new Map<number, Map<string, number>>();
  const total = new Map<number, number>();
  for (const pid of pids) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    total.set(pid, (Number(fields[11]) + Number(fields[12])) * TICK_NS);
    threads.set(pid, readThreads(pid));
  }
  return { threads, total };
}

function readThreads(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const schedstat = read(`/proc/${pid}/task/${thread}/schedstat`);
    if (schedstat !== undefined) times.set(thread, Number(schedstat.split(" ", 1)[0]));
  }
  return times;
}

/** Microseconds of processor time, user and system, between two readings. */
export function cpuBetween(before: CpuReading, after: CpuReading): number {
  let sum = 0;
  for (const [pid, threads] of after.threads) {
    const earlier = before.threads.get(pid) ?? new Map<string, number>();
    const ticks = (after.total.get(pid) ?? 0) - (before.total.get(pid) ?? 0);
    let exact = 0;
    for (const [thread, ns] of threads) exact += ns - (earlier.get(thread) ?? 0);
    // A thread that has ended took its exact count along: the coarse one of the process still has it.
    const complete = threads.size > 0 && [...earlier.keys()].every((thread) => threads.has(thread));
    sum += complete ? exact : Math.max(exact, ticks);
  }
  return sum / 1000;
}

/** Resident memory in bytes. */
export function readRss(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}
