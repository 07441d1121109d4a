// `mcpctl lock`: writes down what each tool is, shows what has changed since, and takes changes over.

import process from "node:process";
import { GatewayError } from "../lib/index.ts";
import {
  acceptTools,
  chooseTools,
  diffLock,
  listRewordings,
  type Lock,
  type LockChange,
  type Rewording,
  writeLock,
} from "../lib/toolbox.ts";
import { document, type Format, formats, show } from "./answer.ts";
import { type Command, type Flags, hasFlag, listFlag, wordFlag } from "./command.ts";
import { outputFlag, serverFlags, timeoutOf } from "./common.ts";
import { type Locks, readLocks } from "./locking.ts";
import { foldAt, paintFor, plain, say } from "./output.ts";
import { limits } from "./patience.ts";
import { failureBody, sayFailure } from "./report.ts";

const command: Command = {
  meta: { name: "lock", description: "Keep what tools are, and see what changed" },
  args: {
    tool: { type: "positional", description: "With --diff or --accept: these alone, also globs", required: false },
    ...serverFlags,
    output: outputFlag(formats),
    diff: { type: "boolean", description: "Show what changed since, write nothing; exits with 1 on changes" },
    accept: { type: "boolean", description: "Take changes over, of all tools or of those named" },
  },
  examples: [
    "mcpctl lock",
    "mcpctl lock --diff",
    "mcpctl lock --accept files/read_file",
    "mcpctl lock --accept 'files/*' -c mcpctl.yaml",
  ],
  variadic: true,
  run: lock,
};

export default command;

async function lock(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", formats) ?? "table";
  const [isDiff, isAccept] = [hasFlag(flags, "diff"), hasFlag(flags, "accept")];
  if (isDiff && isAccept) throw new GatewayError("usage", "--accept means nothing with --diff");
  if (flags.positionals.length > 0 && !isDiff && !isAccept)
    throw new GatewayError("usage", "tools are named with --diff or --accept; without them, lock takes all tools");
  using bound = limits(timeoutOf(flags));
  const locks = await readLocks(flags, listFlag(flags, "config"), bound);
  const failed = sayMissing(locks, format);
  if (locks.missing.length === locks.backends && failed !== 0) return failed;
  const { before = new Map(), now, separator } = locks;
  const isChosen = chooseTools(flags.positionals, separator, [before, now]);
  const changes = diffLock(before, now).filter(({ backend, name }) => isChosen(backend, name));
  const next = isDiff ? before : acceptTools(before, now, isChosen);
  if (!isDiff) writeLock(locks.file, next);
  const seen = { changes, descriptions: listRewordings(before, now, isChosen) };
  await showChanges(format, locks, next, seen, !isDiff);
  return failed || (isDiff && changes.length > 0 ? 1 : 0);
}

/** The exit code that the servers alone would make. */
function sayMissing({ missing, backends }: Locks, format: Format): number {
  for (const failure of missing) sayFailure(failure, format === "json" || format === "ndjson", "mcpctl lock");
  const [only] = missing;
  if (!only) return 0;
  return backends === 1 ? only.exit : 1;
}

interface Seen {
  readonly changes: readonly LockChange[];
  readonly descriptions: readonly Rewording[];
}

async function showChanges(
  format: Format,
  { label, before, missing }: Locks,
  next: Lock,
  { changes, descriptions }: Seen,
  written: boolean,
): Promise<void> {
  const tools = [...next.values()].reduce((sum, each) => sum + each.size, 0);
  const bodies = changes.map(({ backend, ...change }) => ({ server: backend, ...change }));
  await show(format, {
    kind: "LockDiff",
    body: {
      file: label,
      same: changes.length === 0,
      written,
      tools,
      changes: bodies,
      descriptions: descriptions.map(({ backend, ...words }) => ({ server: backend, ...words })),
      servers: missing.map((failure) => ({
        name: failure.target ?? "",
        exit: failure.exit,
        error: failureBody(failure),
      })),
    },
    lines: bodies.map((body) => document("LockChange", body)),
    names: [...new Set(changes.map(({ backend, name }) => `${backend}/${name}`))],
    // All the tools of a first lock are new: that is no news.
    text: () => (before === undefined ? [] : textOf(changes, descriptions)),
  });
  if (format !== "table" && format !== "wide") return;
  if (before === undefined && !written) say(`there is no ${label}: write it with mcpctl lock`);
  else if (!written) say(changes.length === 0 ? `as ${label} has it` : "take changes over with mcpctl lock --accept");
  else say(`${label}: ${tools} tool${tools === 1 ? "" : "s"} of ${next.size} server${next.size === 1 ? "" : "s"}`);
}

async function textOf(changes: readonly LockChange[], descriptions: readonly Rewording[]): Promise<readonly string[]> {
  if (changes.length === 0) return [];
  const { screenWidth, table } = await import("./columns.ts");
  const rows = table(
    [
      { title: "CHANGE", color: (cell) => (cell === "breaking" ? "red" : cell === "cosmetic" ? "dim" : "yellow") },
      { title: "TOOL", flexible: true },
      { title: "WHAT", flexible: true },
    ],
    changes.map(({ weight, backend, name, what }) => [weight, `${backend}/${name}`, what]),
  );
  const width = Math.min(screenWidth(), 10_000);
  const said = (text: string | undefined, sign: "-" | "+"): readonly string[] =>
    (text ?? "")
      .split("\n")
      .flatMap((line) =>
        text === undefined
          ? []
          : foldAt(width, plain(`  ${sign} ${line}`)).map((part) =>
              paintFor(process.stdout, part, sign === "-" ? "red" : "green"),
            ),
      );
  return [
    ...rows,
    ...descriptions.flatMap(({ backend, name, before, after }) => [
      "",
      `${plain(`${backend}/${name}`)} says`,
      ...said(before, "-"),
      ...said(after, "+"),
    ]),
  ];
}
