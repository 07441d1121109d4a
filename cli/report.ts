// A failure on stderr: in words for people, in one line of JSON for scripts.

import process from "node:process";
import { formatProblem } from "../lib/index.ts";
import type { Failure, FoundProblem } from "../lib/toolbox.ts";
import { apiVersion, toJson } from "./answer.ts";
import { fold, plain, say } from "./output.ts";

const tail = 8;

export function sayFailure(failure: Failure, isJson: boolean, usage = "mcpctl"): void {
  if (isJson) return say(toJson(failureDocument(failure)));
  const folded = failureLines(failure, usage).flatMap((line) => fold(process.stderr, line));
  const [head = "", ...lines] = folded;
  const lead = `error[${failure.code}] `;
  say(head.slice(lead.length), { text: lead, color: "red" });
  for (const line of lines) say(line);
}

/** What people are told of a failure, line by line; nothing in it moves a terminal. */
export function failureLines(failure: Failure, usage = "mcpctl"): readonly string[] {
  const { code, target, message, place, problems, stderr, stdout, cause, name, fix } = failure;
  const head = `error[${code}] ${target === undefined ? "" : `${target}: `}${message}`;
  if (name === "usage") return [plain(head), `  fix: see ${usage} --help`];
  return [
    ...(problems.length > 1 ? mistakes(code, problems) : [head]),
    ...(place && place.line > 0 ? [`  at ${place.file}:${place.line}:${place.column}`] : []),
    ...titled("stdout", stdout.slice(0, 3)),
    ...titled("stderr", stderr.slice(-tail)),
    ...(cause === "" ? [] : [`  cause: ${cause}`]),
    `  fix: ${fix}`,
    `  more: mcpctl explain ${code}`,
  ].map(plain);
}

function mistakes(code: string, problems: readonly FoundProblem[]): readonly string[] {
  const files = [...new Set(problems.map(({ file }) => file))].join(", ");
  return [
    `error[${code}] ${files}: ${problems.length} mistakes`,
    ...problems.map((problem) => `  ${formatProblem(problem)}`),
  ];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)];
}

function failureDocument(failure: Failure): Readonly<Record<string, unknown>> {
  return { apiVersion, kind: "Error", ...failureBody(failure) };
}

/** The failure as documents hold it. */
export function failureBody(failure: Failure): Readonly<Record<string, unknown>> {
  const { code, name, target, message, place, problems, stderr, stdout, cause, fix, exit } = failure;
  const found = problems.length > 0 ? { problems } : {};
  return { code, name, target, message, place, ...found, stderr, stdout, cause, fix, exit };
}
