// The program with its timers counted: on SIGUSR2 it says on stderr how many it holds, how many calls wait for their deadline,
// and how much memory is left when all garbage is gone, where the runtime can say that.
import process from "node:process";
import { heldDeadlines } from "../../lib/core/scope.ts";

const { setTimeout: begin, clearTimeout: stop, setInterval: repeat, clearInterval: cease } = globalThis;
const timers = new Set<unknown>();
const intervals = new Set<unknown>();

type Action = (...args: unknown[]) => void;

Object.assign(globalThis, {
  setTimeout: (action: Action, ms?: number, ...args: unknown[]) => {
    const timer = begin(() => {
      timers.delete(timer);
      action(...args);
    }, ms);
    timers.add(timer);
    return timer;
  },
  clearTimeout: (timer: ReturnType<typeof setTimeout>) => {
    timers.delete(timer);
    stop(timer);
  },
  setInterval: (action: Action, ms?: number, ...args: unknown[]) => {
    const timer = repeat(action, ms, ...args);
    intervals.add(timer);
    return timer;
  },
  clearInterval: (timer: ReturnType<typeof setInterval>) => {
    intervals.delete(timer);
    cease(timer);
  },
});

const collect = "bun" in process.versions ? (await import("bun")).gc : undefined;

let asked = 0;
process.on("SIGUSR2", () => {
  asked += 1;
  collect?.(true);
  const heapBytes = process.memoryUsage().heapUsed;
  const held = { asked, timers: timers.size, intervals: intervals.size, deadlines: heldDeadlines(), heapBytes };
  process.stderr.write(`held ${JSON.stringify(held)}\n`);
});

// Loaded before it is asked for, so that its timer is there as soon as the program has said how its backends came up.
await import("../../lib/busy.ts");
await import("../../cli/main.ts");
