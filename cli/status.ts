// `mcpctl status`: how a running gateway and its backends are, once or again and again.

import process from "node:process";
import { GatewayError, parseDuration } from "../lib/index.ts";
import { checkHealth, type RemoteHealth, sleep } from "../lib/toolbox.ts";
import { document, type Format, formats, show } from "./answer.ts";
import { type Command, type Flags, hasFlag, textFlag, wordFlag } from "./command.ts";
import { gatewayToken, outputFlag, timeoutOf } from "./common.ts";
import { type Color, print } from "./output.ts";
import { interruptedExit, limits } from "./patience.ts";
import { noteOf } from "./table.ts";

const answerMs = 5_000;
const roundMs = 2_000;

const command: Command = {
  meta: { name: "status", description: "Show how a running gateway and its backends are" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    output: outputFlag(formats),
    timeout: { type: "string", description: "How long to wait for the answer; 5s if left out", valueHint: "duration" },
    watch: { type: "string", description: "Again and again; every 2s if left out", valueHint: "duration" },
  },
  examples: ["mcpctl status", "mcpctl status 127.0.0.1:8080 --watch", "mcpctl status -o json"],
  optional: { watch: /^\d+(?:\.\d+)?(?:ms|s|m|h)$/ },
  run: status,
};

export default command;

async function status(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", formats) ?? "table";
  const timeoutMs = timeoutOf(flags, answerMs);
  const [url] = flags.positionals;
  if (!hasFlag(flags, "watch")) {
    const health = await checkHealth(url, timeoutMs, gatewayToken());
    await showHealth(format, health);
    return health.healthy ? 0 : 1;
  }
  const written = textFlag(flags, "watch") ?? "";
  const pauseMs = written === "" ? roundMs : (parseDuration(written) ?? 0);
  if (pauseMs <= 0)
    throw new GatewayError("usage", `--watch must be a duration like 2s, not ${JSON.stringify(written)}`);
  using bound = limits(Infinity);
  while (!bound.interrupted) {
    const health = await checkHealth(url, timeoutMs, gatewayToken());
    if (process.stdout.isTTY) await print("\u001b[H\u001b[2J");
    await showHealth(process.stdout.isTTY || format !== "table" ? format : "ndjson", health);
    await sleep(pauseMs, bound.scope).catch(() => {});
  }
  return interruptedExit(bound);
}

export async function showHealth(format: Format, health: RemoteHealth): Promise<void> {
  const { url, version, uptimeSeconds, sessions, inFlight, backends } = health;
  const body = {
    url,
    status: health.status,
    healthy: health.healthy,
    version,
    uptimeSeconds,
    sessions,
    inFlight,
    backends,
  };
  await show(format, {
    kind: "GatewayStatus",
    body,
    lines: [document("GatewayStatus", body)],
    names: backends.filter(({ state }) => state === "up").map(({ name }) => name),
    text: async () => {
      const { table } = await import("./columns.ts");
      const color = (cell: string): Color => (cell === "up" ? "green" : cell === "connecting" ? "yellow" : "red");
      return [
        `${health.status}  mcpctl ${version} at ${new URL(url).origin}`,
        `up for ${uptimeSeconds} s, sessions: ${sessions}, calls in flight: ${inFlight}`,
        ...(backends.length === 0 ? [] : [""]),
        ...(backends.length === 0
          ? []
          : table(
              [
                { title: "BACKEND", flexible: true, floor: 20 },
                { title: "STATE", color },
                { title: "TRANSPORT" },
                { title: "NOTE", flexible: true },
              ],
              backends.map(({ name, state, transport, error }) => [name, state, transport, noteOf(name, error)]),
            )),
      ];
    },
  });
}
