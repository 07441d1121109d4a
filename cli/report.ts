// A failure on stderr: in words for people, in one line of JSON for scripts.

import type { Failure } from "../lib/toolbox.ts";
import { apiVersion, toJson } from "./answer.ts";
import { say } from "./output.ts";

const tail = 8;

export function sayFailure(failure: Failure, isJson: boolean, usage = "mcpctl"): void {
  if (isJson) return say(toJson(failureDocument(failure)));
  const { code, target, message, place, stderr, stdout, cause, name } = failure;
  say(`${target === undefined ? "" : `${target}: `}${message}`, { text: `error[${code}] `, color: "red" });
  if (place && place.line > 0) say(`  at ${place.file}:${place.line}:${place.column}`);
  sayLines("stdout", stdout.slice(0, 3));
  sayLines("stderr", stderr.slice(-tail));
  if (name === "usage") return say(`  fix: see ${usage} --help`);
  if (cause !== "") say(`  cause: ${cause}`);
  say(`  fix: ${failure.fix}`);
  say(`  more: mcpctl explain ${code}`, undefined);
}

function sayLines(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  say(`  ${title}:`);
  for (const line of lines) say(`    ${line}`);
}

function failureDocument(failure: Failure): Readonly<Record<string, unknown>> {
  return { apiVersion, kind: "Error", ...failureBody(failure) };
}

/** The failure as documents hold it. */
export function failureBody(failure: Failure): Readonly<Record<string, unknown>> {
  const { code, name, target, message, place, stderr, stdout, cause, fix, exit } = failure;
  return { code, name, target, message, place, stderr, stdout, cause, fix, exit };
}
