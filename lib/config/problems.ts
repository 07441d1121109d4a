// The mistakes that a config can hold: one code a kind, where it is, and what to write instead. Never a value of the file.

export const problemTable = {
  unknownKey: "E3101",
  wrongType: "E3102",
  badValue: "E3103",
  missing: "E3104",
  conflict: "E3105",
  duplicateKey: "E3106",
  syntax: "E3107",
  unreadable: "E3108",
  tooMuch: "E3109",
  missingVariable: "E3110",
  badReference: "E3111",
  badName: "E3112",
  badUrl: "E3113",
  configNotFound: "E3114",
  ambiguous: "E3115",
  unknownBackend: "E3116",
  empty: "E3117",
  forbiddenKey: "E3118",
  badModule: "E3119",
  ownEndpoint: "E3120",
  ignoredKey: "E3151",
  renamed: "E3152",
  shellLine: "E3153",
  unknownType: "E3154",
  notOnPath: "E3155",
  literalSecret: "E3156",
  plainHttp: "E3157",
  unpinned: "E3158",
  shellSyntax: "E3159",
  absolutePath: "E3160",
  portClash: "E3161",
  similarNames: "E3162",
  notPortable: "E3163",
  replicasDiffer: "E3164",
  unreachableView: "E3165",
  hidesAll: "E3166",
} as const;

export type ProblemKind = keyof typeof problemTable;

export interface Problem {
  readonly code: (typeof problemTable)[ProblemKind];
  readonly severity: "error" | "warning";
  /** As people would name it from the working directory; empty where no file is concerned. */
  readonly file: string;
  /** From 1; 0 where the problem has no place inside a file. */
  readonly line: number;
  /** From 1, in UTF-16 units; 0 where the problem has no place inside a file. */
  readonly column: number;
  /** Keys and indexes from the top of the file, as it writes them. */
  readonly path: Path;
  readonly message: string;
  /** What was meant, where that can be guessed. */
  readonly suggestion: string | undefined;
}

export type Path = readonly (string | number)[];

/** A text that was read, and how to speak of it. */
export interface Source {
  /** Absolute. */
  readonly file: string;
  /** Relative to the working directory where that is shorter. */
  readonly label: string;
  /** What relative paths in it start from. */
  readonly folder: string;
  readonly text: string;
  /** Offsets at which lines begin, so that ten thousand mistakes do not mean ten thousand readings. */
  readonly lineStarts: readonly number[];
}

export interface Place {
  readonly source: Source;
  readonly offset: number;
}

/** A place as people name it; line and column count from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export function filePlace(place: Place): FilePlace {
  return { file: place.source.label, ...position(place) };
}

/** A problem at a place inside a file. */
export function problemAt(kind: ProblemKind, place: Place, path: Path, message: string, suggestion?: string): Problem {
  return { ...problemOf(kind, place.source.label, message, suggestion), ...position(place), path };
}

/** A problem of a whole file, or of none. */
export function problemOf(kind: ProblemKind, file: string, message: string, suggestion?: string): Problem {
  const code = problemTable[kind];
  const severity = code >= problemTable.ignoredKey ? "warning" : "error";
  return { code, severity, file, line: 0, column: 0, path: [], message, suggestion };
}

/** One line for a person: `mcpctl.yaml:12:5 error[E3101] unknown key "comand" in backends.fs; did you mean "command"?` */
export function formatProblem(problem: Omit<Problem, "code" | "path"> & { readonly code: string }): string {
  const { file, line, column, severity, code, message, suggestion } = problem;
  const place = line > 0 ? `${file}:${line}:${column} ` : file === "" ? "" : `${file} `;
  const question = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
  return `${place}${severity}[${code}] ${message}${question}`;
}

/** `backends.fs.args[0]`, with quotes around what a dot would tear apart; `the top level` for an empty path. */
export function formatPath(path: Path): string {
  if (path.length === 0) return "the top level";
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const name = /^[\w-]+$/.test(step) ? step : JSON.stringify(step);
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

/** One word for a value of a file, to compare by. */
export function placeKey(file: string, path: Path): string {
  return JSON.stringify([file, path]);
}

/** The known word that somebody most likely meant, if one is near enough. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const plain = normalise(word);
  const allowed = Math.max(1, Math.floor(plain.length / 3));
  const ranked = [...known]
    .map((candidate) => ({ candidate, distance: editDistance(plain, normalise(candidate)) }))
    .filter(({ candidate, distance }) => distance <= allowed && distance < candidate.length)
    .toSorted((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

// keep-alive, keep_alive and KeepAlive are the same slip.
function normalise(word: string): string {
  return word
    .replaceAll(/[-_\s]/g, "")
    .toLowerCase()
    .slice(0, 64);
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(before, j - 2) + 1 : Infinity;
      next.push(Math.min(at(row, j) + 1, at(next, j - 1) + 1, replaced, swapped));
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}

function position({ source, offset }: Place): { line: number; column: number } {
  let [low, high] = [0, source.lineStarts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((source.lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (source.lineStarts[low] ?? 0) + 1 };
}
