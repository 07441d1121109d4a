// Flags that mean the same for every command that has them.

import type { ArgsDef, StringArgDef } from "citty";
import { durationFlag, type Flags } from "./command.ts";

export const configFlag: StringArgDef = {
  type: "string",
  alias: "c",
  description: "Config file; may be repeated, later ones win",
  valueHint: "file",
};

export const trustFlag: StringArgDef = {
  type: "string",
  description: "Agree to a config that was found here",
  valueHint: "digest",
};

const timeoutFlag: StringArgDef = {
  type: "string",
  description: "How long the whole command may take; 30s if left out",
  valueHint: "duration",
};

export function outputFlag(formats: readonly string[]): StringArgDef {
  return {
    type: "string",
    alias: "o",
    description: formats.join(formats.length > 6 ? " " : ", "),
    valueHint: "format",
  };
}

/** What every command has that talks to servers. */
export const serverFlags: ArgsDef = {
  config: configFlag,
  timeout: timeoutFlag,
  trust: trustFlag,
};

const defaultTimeoutMs = 30_000;

export function timeoutOf(flags: Flags, fallbackMs: number = defaultTimeoutMs): number {
  return durationFlag(flags, "timeout") ?? fallbackMs;
}
