// Reads TypeScript as the layer rules need it: code without its comments, without its texts, and what it imports.

/** The masks have the file's length and line breaks; what they leave out is blank. */
export interface Source {
  /** From the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly spoken: string;
  /** Without comments and without the insides of strings, templates and regular expressions. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

type Kind = "code" | "comment" | "literal";

export function readSource(path: string, text: string): Source {
  const kinds = classify(text);
  const keep = (wanted: (kind: Kind) => boolean): string =>
    text.replace(/[^\n]/g, (char, index: number) => (wanted(kinds[index] ?? "code") ? char : " "));
  const spoken = keep((kind) => kind !== "comment");
  const code = keep((kind) => kind === "code");
  return { path, text, spoken, code, imports: findImports(code, spoken) };
}

/** The number of the line that holds the character at `index`, from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

// `import … from "x"`, `import type …`, `export … from "x"`, `import "x"`, `import("x")`; the quotes are code, the inside is blank.
const importPattern = /\bfrom\s*(["'])( +)\1|\bimport\s*\(?\s*(["'`])( +)\3/dg;

function findImports(code: string, spoken: string): Import[] {
  return [...code.matchAll(importPattern)].flatMap((match) => {
    const [start, end] = match.indices?.[2] ?? match.indices?.[4] ?? [0, 0];
    return { specifier: spoken.slice(start, end), line: lineAt(code, match.index) };
  });
}

/** What each character belongs to. A template's `${…}` is code again, to any depth. */
function classify(text: string): Kind[] {
  const kinds = Array.from({ length: text.length }, (): Kind => "code");
  // For each open template the depth of braces at which its `}` ends the expression.
  const templates: number[] = [];
  let depth = 0;
  let index = text.startsWith("#!") ? mark(0, endOf(text, "\n", 0), "comment") : 0;
  while (index < text.length) index = step(index);
  return kinds;

  function mark(from: number, to: number, kind: Kind): number {
    kinds.fill(kind, from, to);
    return to;
  }

  function step(at: number): number {
    const char = text[at];
    if (text.startsWith("//", at)) return mark(at, endOf(text, "\n", at), "comment");
    if (text.startsWith("/*", at)) return mark(at, endOf(text, "*/", at + 2) + 2, "comment");
    if (char === '"' || char === "'") return mark(at + 1, closing(text, char, at + 1), "literal") + 1;
    if (char === "`") return template(at + 1);
    if (char === "/" && startsRegExp(text, kinds, at)) return mark(at + 1, closing(text, "/", at + 1), "literal") + 1;
    if (char === "{") depth++;
    if (char === "}") {
      if (templates.at(-1) === depth) {
        templates.pop();
        return template(at + 1);
      }
      depth--;
    }
    return at + 1;
  }

  function template(from: number): number {
    let at = from;
    while (at < text.length && text[at] !== "`" && !text.startsWith("${", at)) at += text[at] === "\\" ? 2 : 1;
    mark(from, at, "literal");
    if (text[at] === "`") return at + 1;
    templates.push(depth);
    return at + 2;
  }
}

function endOf(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at < 0 ? text.length : at;
}

/** Where the literal ends that `end` closes; a line break ends it too. */
function closing(text: string, end: string, from: number): number {
  let inClass = false;
  let at = from;
  for (; at < text.length && text[at] !== "\n"; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (end === "/" && char === "[") inClass = true;
    else if (end === "/" && char === "]") inClass = false;
    else if (char === end && !inClass) break;
  }
  return at;
}

/** A slash divides after a value and opens a regular expression anywhere else. */
function startsRegExp(text: string, kinds: readonly Kind[], slash: number): boolean {
  let at = slash - 1;
  while (at >= 0 && (kinds[at] === "comment" || /\s/.test(text[at] ?? ""))) at--;
  const before = text.slice(0, at + 1);
  if (/\b(?:return|typeof|case|do|else|in|of|void|delete|throw|new|await|yield)$/.test(before)) return true;
  return !/[\w$)\]"'`]$/.test(before);
}
