// What `call`, `get` and `read` share: the one server and item that are meant, the conversation, and how a result is shown.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { ArgsDef } from "citty";
import { asGatewayError, GatewayError } from "../lib/index.ts";
import {
  describeFailure,
  Evidence,
  openPeer,
  type Part,
  partsOf,
  type Peer,
  resultOf,
  type Target,
} from "../lib/toolbox.ts";
import { type Format, Raw, show } from "./answer.ts";
import { type Flags, hasFlag, textFlag, wordFlag } from "./command.ts";
import { outputFlag, serverFlags, timeoutOf } from "./common.ts";
import { Live } from "./live.ts";
import { fold, plain, print, say } from "./output.ts";
import { interruptedExit, type Limits, limits } from "./patience.ts";
import { sayFailure } from "./report.ts";
import { targetsOf } from "./servers.ts";
import { version } from "./version.ts";

const callFormats = ["table", "json", "ndjson", "yaml"] as const;

export const callFlags: ArgsDef = {
  ...serverFlags,
  timeout: { type: "string", description: "How long it may take; 10m if left out", valueHint: "duration" },
  output: outputFlag(callFormats),
  save: { type: "string", description: "Write images, audio and blobs to files there", valueHint: "folder" },
  "no-input": { type: "boolean", description: "Refuse what the server asks, instead of asking here" },
  trace: { type: "boolean", description: "Show each message with its time on stderr" },
};

/** What is asked of a server. */
export interface Question {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface Meant {
  readonly target: Target;
  readonly item: string | undefined;
  /** What is left of the words. */
  readonly words: readonly string[];
}

/** `name/item …`, `URL item …`, or `item … -- command`. */
async function findMeant(flags: Flags): Promise<Meant> {
  const [first, ...rest] = flags.positionals;
  if (flags.command !== undefined) {
    const [target] = await targetsOf(flags, undefined, true);
    if (!target) throw new GatewayError("usage", "there is no command behind --");
    return { target, item: first, words: rest };
  }
  if (first === undefined) throw new GatewayError("usage", "which one? write name/item, or a URL and the item");
  const targets = await targetsOf(flags, first, true);
  const [target] = targets;
  if (!target || targets.length > 1)
    throw new GatewayError("usage", `${JSON.stringify(first)} is ${targets.length} servers; name one`);
  if (target.item !== undefined || target.place) return { target, item: target.item, words: rest };
  return { target, item: rest[0], words: rest.slice(1) };
}

/** Asks one question and shows the answer; the exit code says whether the answer is yes. */
export async function invoke(
  flags: Flags,
  kind: string,
  prepare: (meant: Meant, peer: Peer, bound: Limits) => Promise<Question>,
): Promise<number> {
  const format = wordFlag(flags, "output", callFormats) ?? "table";
  using bound = limits(timeoutOf(flags, 600_000));
  const meant = await findMeant(flags);
  const evidence = new Evidence();
  const live = new Live();
  try {
    await using peer = await connect(flags, meant.target, evidence, live);
    const question = await prepare(meant, peer, bound);
    const params = { ...question.params, _meta: { progressToken: "mcpctl" } };
    const answer = await peer.ask(question.method, params, bound);
    live.clear();
    const result = resultOf(answer, peer, question.method);
    await showResult(format, kind, meant, result, answer.ms, textFlag(flags, "save"));
    return isError(result.value) ? 1 : 0;
  } catch (error) {
    live.clear();
    // Words that were wrong are no failure of the server.
    const { code, row } = asGatewayError(error);
    const isOwn = row.exit === 2 || code === "output" || code === "internal";
    if (isOwn) throw error;
    const failure = describeFailure(error, meant.target, evidence);
    sayFailure(failure, format === "json" || format === "ndjson");
    return bound.interrupted ? interruptedExit(bound) : failure.exit;
  }

  async function connect(flags: Flags, target: Target, evidence: Evidence, live: Live): Promise<Peer> {
    const asked = await answersOf(flags);
    const tap = hasFlag(flags, "trace") ? (await import("./trace.ts")).createTrace(target.name) : undefined;
    return openPeer(
      {
        target,
        version,
        evidence,
        ...(tap ? { tap } : {}),
        ...(asked ? { capabilities: { elicitation: { form: {}, url: {} }, sampling: {} } } : {}),
        ...(asked ? { asked: (method, params) => (live.clear(), asked(target.name, method, params)) } : {}),
        notified: (method, params) => notified(live, method, params),
      },
      bound,
    );
  }
}

type Answers = (server: string, method: string, params: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** Who answers what the server asks; undefined where nobody could, and nobody said no. */
async function answersOf(flags: Flags): Promise<Answers | undefined> {
  const refuses = hasFlag(flags, "no-input");
  if (!refuses && !(process.stdin.isTTY && process.stderr.isTTY)) return undefined;
  const { askTerminal, refuse } = await import("./asking.ts");
  return refuses ? async (_server, method) => refuse(method) : askTerminal;
}

function notified(live: Live, method: string, params: Readonly<Record<string, unknown>>): void {
  if (method === "notifications/progress") {
    const text = progressText(params);
    if (process.stderr.isTTY) live.draw([plain(text).replaceAll(/\s+/g, " ").slice(0, 78)]);
    else say(`progress: ${text.trim()}`);
  }
  if (method === "notifications/message") {
    live.clear();
    const { level, data } = params;
    say(`${String(level)}: ${typeof data === "string" ? data : JSON.stringify(data)}`);
  }
}

function progressText({ progress, total, message }: Readonly<Record<string, unknown>>): string {
  const words = typeof message === "string" ? message : "";
  if (typeof total !== "number" || total <= 0) return `${Number(progress)} ${words}`;
  const bar = "█".repeat(Math.round(Math.min(1, Number(progress) / total) * 20)).padEnd(20, "░");
  return `${Number(progress)} of ${total} ${bar} ${words}`;
}

async function showResult(
  format: Format,
  kind: string,
  { target, item }: Meant,
  { text, value }: { readonly text: string; readonly value: unknown },
  ms: number,
  folder: string | undefined,
): Promise<void> {
  const parts = partsOf(value);
  const files = folder === undefined ? [] : save(folder, parts);
  const only = parts[0];
  const isPiped = !process.stdout.isTTY && parts.length === 1 && folder === undefined;
  if (format === "table" && isPiped && only?.kind === "binary") return void (await print(only.bytes));
  await show(format, {
    kind,
    body: {
      server: target.name,
      name: item,
      ms: Math.round(ms * 100) / 100,
      isError: isError(value),
      ...(files.length > 0 ? { files } : {}),
      result: new Raw(text),
    },
    names: [],
    text: () => [...parts.flatMap(linesOf), ...files.map((file) => `saved ${file}`)],
  });
}

/** Text is printed as it is: in a pipe it may be anything, and on a terminal it must not move the cursor. */
function linesOf(part: Part): readonly string[] {
  switch (part.kind) {
    case "text": {
      const lines = `${part.lead}${part.text}`.replace(/\n$/, "").split("\n");
      return process.stdout.isTTY ? lines.map(plain).flatMap((line) => fold(process.stdout, line)) : lines;
    }
    case "binary":
      return [plain(`[${part.mimeType}, ${part.bytes.length} bytes; --save writes it to a file]`)];
    case "link":
      return [plain(`→ ${part.uri}${part.name === "" ? "" : ` (${part.name})`}`)];
  }
}

function save(folder: string, parts: readonly Part[]): readonly string[] {
  const written: string[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.kind !== "binary") continue;
    const name = part.name.replaceAll(/[^\w.-]+/g, "-").replace(/^\.+/, "") || "blob";
    const end = /\.\w{1,8}$/.test(name)
      ? ""
      : `.${
          part.mimeType
            .split("/")
            .at(-1)
            ?.replace(/[^\w].*$/, "") || "bin"
        }`;
    const file = join(folder, `${index + 1}-${name}${end}`);
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, part.bytes);
    } catch (error) {
      throw new GatewayError("output", `${file} cannot be written`, { cause: error });
    }
    written.push(file);
  }
  return written;
}

function isError(value: unknown): boolean {
  return typeof value === "object" && value !== null && Reflect.get(value, "isError") === true;
}
