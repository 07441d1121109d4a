// Everything that people see: messages through consola on stderr, answers on stdout.

import process from "node:process";
import { type ConsolaInstance, createConsola } from "consola";
import type { LogLevel, Observer } from "../lib/index.ts";

const levels: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 3, debug: 4 };

export const logLevels: readonly string[] = Object.keys(levels);

export function isLogLevel(level: string): level is LogLevel {
  return Object.hasOwn(levels, level);
}

/** An observer that writes to stderr what is at least as severe as `level`. */
export function createLog(level: LogLevel): Observer {
  // stdout may be the protocol itself, so nothing else is ever written there; nothing is folded or dropped.
  const consola: ConsolaInstance = createConsola({ level: levels[level], stdout: process.stderr, stderr: process.stderr, throttle: 0 });
  return {
    log(severity, source, message) {
      const text = source === "gateway" ? message : `${source}: ${message}`;
      consola[severity](text);
    },
  };
}

/** One line for people, whatever the log level. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The answer of a command. */
export function answer(text: string): void {
  process.stdout.write(`${text}\n`);
}
