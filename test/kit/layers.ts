// The rules of the folders as functions: each takes sources and names the places that break it.
import { dirname, join } from "node:path/posix";
import { lineAt, type Source } from "./source.ts";

/** Names places as `path:line: what is wrong`. */
export type Rule = (sources: readonly Source[]) => string[];

export type RuleName =
  | "rankOrder"
  | "neighbours"
  | "cycles"
  | "cliImports"
  | "observeImports"
  | "protocolDates"
  | "runtimeNames"
  | "console"
  | "timers"
  | "fileLength"
  | "firstLine"
  | "defaultExports"
  | "barrels"
  | "escapes";

export const maxLines = 300;

const ranks: readonly (readonly string[])[] = [
  ["lib/core"],
  ["lib/protocol", "lib/resilience", "lib/observe", "lib/config"],
  ["lib/backend", "lib/cluster", "lib/merge"],
  ["lib/route"],
  ["lib/front", "lib/ops"],
  ["lib"],
  ["cli"],
];

/** The folder that has a rank: `lib/core` for `lib/core/a/b.ts`, `lib` for `lib/index.ts`. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "lib" && parts.length > 2 ? `lib/${parts[1]}` : (parts[0] ?? "");
}

const rankOf = (room: string): number => ranks.findIndex((rooms) => rooms.includes(room));

interface Edge {
  readonly from: Source;
  readonly to: string;
  readonly line: number;
}

/** The imports of the project's own files, resolved to paths from its root. */
function edgesOf(source: Source): Edge[] {
  return source.imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier, line }) => ({ from: source, to: join(dirname(source.path), specifier), line }));
}

function checkEdges(sources: readonly Source[], objection: (from: string, to: string) => string | undefined): string[] {
  return product(sources)
    .flatMap(edgesOf)
    .flatMap(({ from, to, line }) => {
      const wrong = objection(from.path, to);
      return wrong === undefined ? [] : [`${from.path}:${line}: ${wrong}`];
    });
}

function product(sources: readonly Source[]): Source[] {
  return sources.filter(({ path }) => /^(?:lib|cli)\//.test(path));
}

/** Places in `lib` and `cli`, outside of the `allowed` files and folders, where the pattern is found. */
function forbid(
  sources: readonly Source[],
  view: "code" | "spoken",
  pattern: RegExp,
  message: string,
  allowed: readonly string[] = [],
): string[] {
  return product(sources)
    .filter(({ path }) => !allowed.some((place) => path === place || (place.endsWith("/") && path.startsWith(place))))
    .flatMap((source) =>
      [...source[view].matchAll(pattern)].map(
        ({ index }) => `${source.path}:${lineAt(source[view], index)}: ${message}`,
      ),
    );
}

export const rules: Readonly<Record<RuleName, Rule>> = {
  /** A lower rank or the own folder; package.json is data. */
  rankOrder: (sources) =>
    checkEdges(sources, (from, to) => {
      const [own, other] = [rankOf(roomOf(from)), rankOf(roomOf(to))];
      if (to === "package.json") return undefined;
      if (own < 0 || other < 0) return `${from} imports ${to}, a folder without a rank`;
      return other > own ? `${roomOf(from)} imports the higher rank ${roomOf(to)}` : undefined;
    }),

  neighbours: (sources) =>
    checkEdges(sources, (from, to) => {
      const [own, other] = [roomOf(from), roomOf(to)];
      return own !== other && rankOf(own) === rankOf(other) ? `${own} imports its neighbour ${other}` : undefined;
    }),

  cycles: (sources) => findCycles(product(sources)),

  cliImports: (sources) =>
    checkEdges(sources, (from, to) => {
      const allowed = ["index", "toolbox", "bench", "busy", "demo", "chaos", "crew", "sink", "tiers", "workers"].map(
        (name) => `lib/${name}.ts`,
      );
      if (roomOf(from) !== "cli" || roomOf(to) === "cli" || to === "package.json" || allowed.includes(to))
        return undefined;
      return `cli imports ${to}, and may import ${allowed.join(", ")} alone`;
    }),

  /** Others see the `Observer` interface of core; the composition root passes it down. */
  observeImports: (sources) =>
    checkEdges(sources, (from, to) =>
      roomOf(to) === "lib/observe" && roomOf(from) !== "lib/observe" && roomOf(from) !== "lib"
        ? `${roomOf(from)} imports lib/observe instead of the Observer interface of core`
        : undefined,
    ),

  /** Revisions are of these years; a date of another one is an example. */
  protocolDates: (sources) =>
    forbid(sources, "spoken", /202[4-9]-\d\d-\d\d/g, "a protocol revision outside lib/protocol", ["lib/protocol/"]),

  runtimeNames: (sources) => {
    const allowed = ["lib/core/tcp.ts", "lib/sink.ts", "lib/tiers.ts"];
    return [
      ...forbid(sources, "code", /\b(?:Bun|Deno)\b/g, "names the runtime", allowed),
      ...forbid(sources, "spoken", /["'](?:bun|bun:\w+|deno:\w+)["']/g, "imports the runtime", allowed),
    ];
  },

  console: (sources) => forbid(sources, "code", /\bconsole\b/g, "console outside cli/output.ts", ["cli/output.ts"]),

  timers: (sources) => {
    const allowed = ["lib/core/scope.ts"];
    return [
      ...forbid(
        sources,
        "code",
        /\bset(?:Timeout|Interval|Immediate)\b/g,
        "a timer outside lib/core/scope.ts",
        allowed,
      ),
      ...forbid(sources, "spoken", /["']node:timers/g, "a timer outside lib/core/scope.ts", allowed),
    ];
  },

  fileLength: (sources) =>
    sources.flatMap(({ path, text }) => {
      const lines = text.replace(/\n$/, "").split("\n").length;
      return lines > maxLines ? [`${path}: ${lines} lines, and ${maxLines} is the limit`] : [];
    }),

  /** The first line, or the one after `#!`, says what the file is responsible for. */
  firstLine: (sources) =>
    product(sources).flatMap(({ path, text }) =>
      /^(?:#!.*\n)?(?:\/\/|\/\*).*\w/.test(text) ? [] : [`${path}:1: no comment that says what the file is for`],
    ),

  defaultExports: (sources) =>
    forbid(sources, "code", /\bexport\s+default\b|\bas\s+default\b/g, "a default export outside cli", ["cli/"]),

  barrels: (sources) => forbid(sources, "code", /\bexport\s*(?:type\s*)?\*/g, "export * hides what is public"),

  escapes: (sources) => {
    const library = sources.filter(({ path }) => path.startsWith("lib/"));
    return [
      ...forbid(library, "code", /(?<![.\w$#])any\b(?!\s*\??\s*[:(])/g, "any"),
      ...forbid(library, "code", /[\w$)\]"'`]!(?!=)/g, "a non-null assertion"),
    ];
  },
};

function findCycles(sources: readonly Source[]): string[] {
  const targets = new Map(sources.map((source) => [source.path, edgesOf(source).map(({ to }) => to)]));
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done" || !targets.has(path)) return;
    if (state.get(path) === "open") {
      found.push(`a cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" → ")}`);
      return;
    }
    state.set(path, "open");
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of targets.keys()) visit(path, []);
  return found;
}
