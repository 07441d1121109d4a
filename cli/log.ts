// The log of `serve`: lines for people or JSON, as much of each component as the config asks for.

import type { LogDetails, LogLevel, LogPlan, Observer } from "../lib/index.ts";
import { isTerminal, sinks } from "../lib/sink.ts";
import { type Color, say } from "./output.ts";

const ranks: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
const colors: Readonly<Partial<Record<string, Color>>> = { error: "red", warn: "yellow", debug: "dim" };

export const logLevels: readonly string[] = Object.keys(ranks);

export function isLogLevel(level: string): level is LogLevel {
  return Object.hasOwn(ranks, level);
}

/** What the command line says of the log; it wins over the config. */
export interface LogFlags {
  readonly level: LogLevel | undefined;
  readonly format: string | undefined;
  /** Of the demo, whose greeting says what the log would. */
  readonly fallback: LogLevel;
  /** stdout is the protocol. */
  readonly isStdio: boolean;
}

export class Log implements Observer {
  readonly #flags: LogFlags;
  readonly #write: (level: LogLevel, source: string, message: string, details: LogDetails | undefined) => void;
  readonly isJson: boolean;
  #plan: LogPlan;

  private constructor(flags: LogFlags, plan: LogPlan, isJson: boolean, write: Log["log"]) {
    this.#flags = flags;
    this.#plan = plan;
    this.isJson = isJson;
    this.#write = write;
  }

  static async create(flags: LogFlags, plan: LogPlan): Promise<Log> {
    const format = flags.format ?? plan.format;
    if (format !== "json") return new Log(flags, plan, false, await peopleWriter());
    const { jsonLine } = await import("./json-log.ts");
    const fd = plan.output === "stdout" && !flags.isStdio ? 1 : 2;
    return new Log(flags, plan, true, (level, source, message, details) =>
      sinks[fd].tell(`${jsonLine(level, source, message, details)}\n`),
    );
  }

  /** Another plan; where and how it is written stays as it is. */
  apply(plan: LogPlan): void {
    this.#plan = plan;
  }

  log(level: LogLevel, source: string, message: string, details?: LogDetails): void {
    if (ranks[level] <= ranks[this.#levelOf(source)]) this.#write(level, source, message, details);
  }

  /** Of a component: its own, that of its kind, or that of all. */
  #levelOf(source: string): LogLevel {
    const { levels, level } = this.#plan;
    const { level: asked, fallback } = this.#flags;
    const kind = source.startsWith("backend ") ? "backend" : source;
    return levels[source] ?? levels[kind] ?? asked ?? level ?? fallback;
  }
}

async function peopleWriter(): Promise<Log["log"]> {
  const { createConsola } = await import("consola/core");
  const consola = createConsola({
    // What is not to be told does not come here.
    level: 4,
    // Nothing is folded or dropped.
    throttle: 0,
    // consola's own reporters take colours from stdout, which may be the protocol itself.
    reporters: [
      {
        log: ({ type, date, args }) =>
          say(args.join(" "), { text: `${stamp(date)} ${type.padEnd(5)} `, color: colors[type] }),
      },
    ],
  });
  return (level, source, message, details) => {
    const text = source === "gateway" ? message : `${source}: ${message}`;
    consola[level](`${onOneLine(text)}${causesOf(details?.error)}`);
  };
}

/** Names come from clients and servers: none of them may begin a line that looks like one of the gateway's. */
function onOneLine(text: string): string {
  return text.replaceAll("\n", String.raw`\x0a`);
}

/** The time of day for somebody who watches, the whole date for a file. */
function stamp(date: Date): string {
  return isTerminal(2) ? date.toTimeString().slice(0, 8) : date.toISOString();
}

/** Why it came to an error, down to the first reason; the stack is that of our own faults. */
function causesOf(error: Error | undefined): string {
  if (!error) return "";
  const stack = "code" in error && error.code === "internal" ? `\n${error.stack ?? ""}` : "";
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 10; cause = cause.cause)
    causes.push(`\n    caused by: ${onOneLine(cause.message)}`);
  return `${stack}${causes.join("")}`;
}
