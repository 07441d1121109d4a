// One line of the log as JSON, for programs that collect logs.

import type { LogDetails, LogLevel } from "../lib/index.ts";

const maxCauses = 10;

export function jsonLine(level: LogLevel, source: string, message: string, details: LogDetails | undefined): string {
  const backend = source.startsWith("backend ") ? { backend: source.slice("backend ".length) } : {};
  const { error, fields } = details ?? {};
  return JSON.stringify({
    time: new Date().toISOString(),
    level,
    component: source.startsWith("backend ") ? "backend" : source,
    ...backend,
    message: message.toWellFormed(),
    ...fields,
    ...(error ? { error: { ...described(error), causes: causesOf(error) } } : {}),
  });
}

function described(error: Error): Readonly<Record<string, unknown>> {
  const code = "code" in error ? { code: error.code } : {};
  return { type: error.name, message: error.message.toWellFormed(), ...code, stack: error.stack };
}

function causesOf(error: Error): readonly Readonly<Record<string, unknown>>[] {
  const causes: Readonly<Record<string, unknown>>[] = [];
  for (let { cause } = error; cause instanceof Error && causes.length < maxCauses; { cause } = cause)
    causes.push(described(cause));
  return causes;
}
