// Repairs what can be repaired without asking: misspelt keys and words, and command lines that are written as one program.

import type { Problem } from "./problems.ts";

export interface Fixed {
  readonly text: string;
  /** What was repaired. */
  readonly done: readonly Problem[];
  /** Lines as they were and as they are, in the form of a unified diff without context. */
  readonly diff: readonly string[];
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly problem: Problem;
}

/** `problems` are those of this text alone. */
export function fixText(text: string, problems: readonly Problem[]): Fixed {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const edits: Edit[] = [];
  for (const problem of problems) {
    const offset = (starts[problem.line - 1] ?? -1) + problem.column - 1;
    const edit = problem.line > 0 ? editOf(problem, text, offset, starts[problem.line - 1] ?? 0) : undefined;
    if (edit && !edits.some(({ start, end }) => edit.start < end && start < edit.end)) edits.push({ ...edit, problem });
  }
  const sorted = edits.toSorted((a, b) => a.start - b.start);
  let out = "";
  let from = 0;
  for (const { start, end, text: more } of sorted) {
    out += text.slice(from, start) + more;
    from = end;
  }
  return {
    text: out + text.slice(from),
    done: sorted.map(({ problem }) => problem),
    diff: diffOf(text, starts, sorted),
  };
}

function editOf(problem: Problem, text: string, offset: number, lineStart: number): Omit<Edit, "problem"> | undefined {
  const { code, suggestion, path } = problem;
  const rest = text.slice(offset);
  if ((code === "E3101" || code === "E3103") && suggestion !== undefined) {
    const [, quote = "", word = ""] = /^(["']?)([\w.-]+)\1/.exec(rest) ?? [];
    if (word === "" || (code === "E3101" && word !== path.at(-1))) return undefined;
    const start = offset + quote.length;
    return { start, end: start + word.length, text: suggestion };
  }
  return code === "E3153" ? splitLine(rest, offset, text.slice(lineStart, offset)) : undefined;
}

/** Only words without quotes and expansions: a shell would read the others in its own way. */
function splitLine(rest: string, offset: number, before: string): Omit<Edit, "problem"> | undefined {
  const [found = "", quote = "", line = ""] = /^(["']?)([\w@%+=:,./ -]+)\1/.exec(rest) ?? [];
  const [program, ...args] = line.trim().split(/ +/);
  if (program === undefined || args.length === 0) return undefined;
  const list = `[${args.map((arg) => JSON.stringify(arg)).join(", ")}]`;
  const end = offset + found.trimEnd().length;
  const value = quote + program + quote;
  const [, indent = "", mark = ""] = /^(\s*)(?:"?command"?)\s*([:=])\s*$/.exec(before) ?? [];
  if (mark === "=") return { start: offset, end, text: `${value}\n${indent}args = ${list}` };
  if (before.includes('"command"')) return { start: offset, end, text: `${value}, "args": ${list}` };
  if (mark === ":") return { start: offset, end, text: `${value}\n${indent}args: ${list}` };
  return /[{,]\s*command\s*:\s*$/.test(before) ? { start: offset, end, text: `${value}, args: ${list}` } : undefined;
}

function diffOf(text: string, starts: readonly number[], edits: readonly Edit[]): readonly string[] {
  const lineAt = (offset: number): number => starts.findLastIndex((start) => start <= offset);
  const lines = [...new Set(edits.map(({ start }) => lineAt(start)))];
  return lines.flatMap((line) => {
    const start = starts[line] ?? 0;
    const end = (starts[line + 1] ?? text.length + 1) - 1;
    let now = "";
    let from = start;
    for (const edit of edits.filter((each) => lineAt(each.start) === line)) {
      now += text.slice(from, edit.start) + edit.text;
      from = edit.end;
    }
    now += text.slice(from, end);
    return [`@@ line ${line + 1} @@`, `-${text.slice(start, end)}`, ...now.split("\n").map((each) => `+${each}`)];
  });
}
