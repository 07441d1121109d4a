// Backends in columns.

import type { BackendLine } from "../lib/index.ts";

/** One line for each backend: its state, its name, how it is reached, and what is wrong with it. */
export function backendTable(backends: readonly BackendLine[]): readonly string[] {
  const width = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const states = width(backends.map(({ state }) => state));
  const names = width(backends.map(({ name }) => name));
  const transports = width(backends.map(({ transport }) => transport));
  return backends.map(({ state, name, transport, error }) =>
    `  ${state.padEnd(states)}  ${name.padEnd(names)}  ${transport.padEnd(transports)}  ${noteOf(name, error)}`.trimEnd(),
  );
}

/** What is wrong with a backend, for a line in which its name stands already. */
export function noteOf(name: string, error: string): string {
  const named = `backend "${name}"`;
  return error.replace(` of ${named}`, "").replace(`${named}: `, "").replace(`${named} `, "");
}
