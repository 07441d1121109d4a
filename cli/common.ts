// Flags that mean the same for every command that has them.

import process from "node:process";
import type { ArgsDef, StringArgDef } from "citty";
import { type Format, formats } from "./answer.ts";
import { durationFlag, type Flags, textFlag, wordFlag } from "./command.ts";

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

/** What commands have that ask a running gateway. */
export const gatewayFlags: ArgsDef = {
  output: outputFlag(formats),
  timeout: { type: "string", description: "How long to wait for the answer; 5s if left out", valueHint: "duration" },
};

const answerMs = 5_000;

/** Who asks a gateway that lets in nobody without credentials; not a flag, which others on the machine could read. */
export function gatewayToken(): string | undefined {
  return process.env["MCPCTL_TOKEN"];
}

export function gatewayOptionsOf(flags: Flags): { readonly format: Format; readonly timeoutMs: number } {
  // Another word for a table of these commands.
  const isText = textFlag(flags, "output") === "text";
  const format = isText ? "table" : (wordFlag(flags, "output", formats) ?? "table");
  return { format, timeoutMs: timeoutOf(flags, answerMs) };
}
