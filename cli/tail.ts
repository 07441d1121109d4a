// `mcpctl tail`: the messages of a running gateway as they come and go.

import process from "node:process";
import { GatewayError } from "../lib/index.ts";
import { seconds, type Sight, sightOf, tailGateway } from "../lib/toolbox.ts";
import { apiVersion } from "./answer.ts";
import { type Command, durationFlag, type Flags, hasFlag, listFlag, numberFlag, wordFlag } from "./command.ts";
import { gatewayToken, outputFlag } from "./common.ts";
import { screenWidth } from "./columns.ts";
import { type Color, paintFor, plain, print, say } from "./output.ts";
import { interruptedExit, limits } from "./patience.ts";

const tailFormats = ["table", "wide", "json", "ndjson"] as const;
const answerMs = 5_000;
/** Larger messages are cut, by format. */
const maxBytes = { table: 16_384, wide: 2 ** 20, json: 2 ** 24, ndjson: 2 ** 24 } as const;

const command: Command = {
  meta: { name: "tail", description: "Show the messages of a running gateway as they come" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    backend: { type: "string", description: "Only these backends; names or globs", valueHint: "globs" },
    method: { type: "string", description: "Only these methods, such as tools/*", valueHint: "globs" },
    name: { type: "string", description: "Only this tool, prompt or URI", valueHint: "glob" },
    principal: { type: "string", description: "Only what these send, such as key:ci", valueHint: "globs" },
    failed: { type: "boolean", description: "Only answers that say no" },
    count: { type: "string", description: "Stop after this many messages", valueHint: "number" },
    timeout: { type: "string", description: "Stop after this time; never if left out", valueHint: "duration" },
    output: outputFlag(tailFormats),
  },
  examples: [
    "mcpctl tail",
    "mcpctl tail --backend weather --failed",
    "mcpctl tail 127.0.0.1:8080 --method 'tools/*' -o ndjson",
  ],
  run: tail,
};

export default command;

async function tail(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", tailFormats) ?? "table";
  const most = numberFlag(flags, "count") ?? Infinity;
  const filter = new URLSearchParams({ max: String(maxBytes[format]) });
  for (const name of ["backend", "method", "name", "principal"])
    for (const glob of globsOf(listFlag(flags, name), name)) filter.append(name, glob);
  if (hasFlag(flags, "failed")) filter.set("failed", "1");
  using bound = limits(Infinity);
  const timeoutMs = durationFlag(flags, "timeout");
  let isOver = false;
  let isListening = false;
  const end = (): void => {
    isOver = true;
    bound.scope.cancel(undefined);
  };
  if (timeoutMs !== undefined) bound.scope.limit(timeoutMs, () => void (isOver = true));
  const [address] = flags.positionals;
  let shown = 0;
  await tailGateway(
    { address, token: gatewayToken(), answerMs, scope: bound.scope },
    filter,
    () => {
      isListening = true;
      if (process.stderr.isTTY) say("listening; Ctrl-C stops", { text: "", color: "dim" });
    },
    async (line, text) => {
      const { missed, workers } = line;
      if (typeof workers === "number")
        return say(`these are the messages of one of ${workers} workers; it is chance which one answers`);
      if (typeof missed === "number") return say(`${missed} messages came faster than they could be shown`);
      const isRead = await print(
        `${format === "json" || format === "ndjson" ? documentOf(text) : textOf(format, line)}\n`,
      );
      shown += 1;
      if (!isRead || shown >= most) end();
    },
  );
  if (bound.interrupted) return interruptedExit(bound);
  if (!isListening)
    throw new GatewayError("connectTimeout", `no answer from the gateway within ${seconds(timeoutMs ?? 0)}`);
  if (!isOver) say("the gateway has ended");
  return 0;
}

/** A URI may have a comma in it. */
function globsOf(written: readonly string[], name: string): readonly string[] {
  return name === "name" ? written : written.flatMap((each) => each.split(","));
}

/** As the gateway wrote it, big integers and all. */
function documentOf(text: string): string {
  return `{"apiVersion":${JSON.stringify(apiVersion)},"kind":"Message",${text.slice(1)}`;
}

function textOf(format: "table" | "wide", line: Readonly<Record<string, unknown>>): string {
  const sight = sightOf(line);
  const { time, from, method, name, id, ms, outcome, detail } = sight;
  const what = [method, name, id === "" ? "" : `#${id}`, ms === undefined ? "" : `${ms} ms`].filter(
    (part) => part !== "",
  );
  const head = `${time} ${from === "client" ? "→" : "←"} ${what.join(" ")}`;
  const width = format === "wide" ? Infinity : screenWidth(process.stdout);
  const words = [head, outcome, detail].map((part) => plain(part).replaceAll(/\s+/g, " "));
  const room = width - (words[0] ?? "").length - (outcome === "" ? 0 : outcome.length + 1) - 1;
  const said = words[2] ?? "";
  const shown = said.length <= room ? said : room > 1 ? `${said.slice(0, room - 1)}…` : "";
  const marked = paintFor(process.stdout, words[1] ?? "", colorOf(sight));
  return [words[0] ?? "", marked, shown].filter((part) => part !== "").join(" ");
}

function colorOf({ outcome }: Sight): Color {
  return outcome === "ok" ? "green" : "red";
}
