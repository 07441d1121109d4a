// Replaces ${VAR} and ${VAR:-default} inside texts, after parsing: a value can never become structure.

import { type Problem, type ProblemKind, formatPath, problemAt } from "./problems.ts";
import { type Node, type Scalar, mapTexts } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The tree with its references replaced. What could not be replaced is a problem at its place, and stays as it is. */
export function replaceVariables(
  root: Node,
  env: Environment,
  predefined: (scalar: Scalar) => Environment,
): { root: Node; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const replaced = mapTexts(root, (text, scalar) => {
    if (!text.includes("${")) return text;
    const own = predefined(scalar);
    const faults: Fault[] = [];
    const result = expand(text, (name) => lookUp(name, own, env), faults, 0);
    for (const fault of faults) problems.push(toProblem(fault, scalar));
    return faults.length > 0 ? text : result;
  });
  return { root: replaced, problems };
}

interface Fault {
  readonly kind: "missingVariable" | "badReference" | "input";
  /** What stands between the braces, up to the first `:-`; empty where there is no end. */
  readonly name: string;
}

// Other clients' files say ${env:NAME} for what is ${NAME} here.
function lookUp(name: string, own: Environment, env: Environment): string | undefined {
  if (name.startsWith("env:")) return read(env, name.slice("env:".length));
  return read(own, name) ?? read(env, name);
}

function read(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

const reference = /^(?:env:)?[A-Za-z_]\w*$|^\/$/;
const maxNesting = 8;

function expand(text: string, value: (name: string) => string | undefined, faults: Fault[], nesting: number): string {
  let out = "";
  let from = 0;
  for (;;) {
    const start = text.indexOf("${", from);
    if (start < 0) return out + text.slice(from);
    if (start > from && text[start - 1] === "$") {
      // `$${` is a literal `${`.
      out += `${text.slice(from, start - 1)}\${`;
      from = start + 2;
      continue;
    }
    out += text.slice(from, start);
    const end = closing(text, start + 2);
    if (end < 0 || nesting > maxNesting) {
      faults.push({ kind: "badReference", name: "" });
      return out;
    }
    const [name, fallback] = split(text.slice(start + 2, end));
    out += one(name, fallback);
    from = end + 1;
  }

  function one(name: string, fallback: string | undefined): string {
    if (name.startsWith("input:")) return fault("input", name);
    if (!reference.test(name)) return fault("badReference", name);
    const found = value(name);
    if (fallback === undefined) return found ?? fault("missingVariable", name);
    return found === undefined || found === "" ? expand(fallback, value, faults, nesting + 1) : found;
  }

  function fault(kind: Fault["kind"], name: string): string {
    faults.push({ kind, name });
    return "";
  }
}

/** The brace that ends a reference; a default may hold references of its own. */
function closing(text: string, from: number): number {
  let open = 1;
  for (let index = from; index < text.length; index++) {
    if (text.startsWith("${", index)) open++;
    else if (text[index] === "}") open--;
    if (open === 0) return index;
  }
  return -1;
}

function split(inside: string): [name: string, fallback: string | undefined] {
  const at = inside.indexOf(":-");
  return at < 0 ? [inside, undefined] : [inside.slice(0, at), inside.slice(at + 2)];
}

function toProblem(fault: Fault, scalar: Scalar): Problem {
  const place = { source: scalar.place.source, offset: offsetOf(fault.name, scalar) };
  const [kind, message] = describe(fault, formatPath(scalar.path));
  return problemAt(kind, place, scalar.path, message);
}

// What stands between the braces is shown only where it is a name: the rest may be part of a secret.
function describe({ kind, name }: Fault, where: string): [ProblemKind, string] {
  const plain = name.replace(/^env:/, "");
  switch (kind) {
    case "missingVariable":
      return [kind, `the environment variable ${plain} is not set (${where}); set it, or write \${${plain}:-default}`];
    case "input":
      return [
        "badReference",
        `\${input:…} in ${where} asks the user of an editor; write \${NAME} and set that variable`,
      ];
    case "badReference":
      return [kind, `\${…} in ${where} is no variable; write \${NAME} or \${NAME:-default}, or $\${ for a plain \${`];
  }
}

// The reference itself, where its text stands in the file as it is; else the start of the value.
function offsetOf(name: string, { place, end }: Scalar): number {
  const inside = place.source.text.slice(place.offset, end);
  const at = inside.indexOf(`\${${name}`);
  return place.offset + Math.max(at, 0);
}
