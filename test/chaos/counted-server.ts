// The program with its timers counted: on SIGUSR2 it says on stderr how many it holds, and how many calls wait for their deadline.
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

let asked = 0;
process.on("SIGUSR2", () => {
  asked += 1;
  const held = { asked, timers: timers.size, intervals: intervals.size, deadlines: heldDeadlines() };
  process.stderr.write(`held ${JSON.stringify(held)}\n`);
});

await import("../../cli/main.ts");
