// `mcpctl probe`: how servers are, from the network to their lists.

import { GatewayError } from "../lib/index.ts";
import { type PhaseName, phaseNames, pluginExits, type Target } from "../lib/toolbox.ts";
import { formats } from "./answer.ts";
import { type Command, type Flags, hasFlag, listFlag, numberFlag, textFlag, wordFlag } from "./command.ts";
import { outputFlag, serverFlags, timeoutOf } from "./common.ts";
import { answer } from "./output.ts";
import { limits } from "./patience.ts";
import type { ProbeRequest } from "./probing.ts";
import { targetsOf } from "./servers.ts";

const probeFormats = [...formats, "nagios", "prometheus"] as const;
const defaultPings = 3;

const command: Command = {
  meta: { name: "probe", description: "See how servers are, from the network to their lists" },
  args: {
    target: { type: "positional", description: "name, glob, URL or file:name; any number of them", required: false },
    ...serverFlags,
    output: outputFlag(probeFormats),
    deep: { type: "boolean", description: "Phases as bars, and checks of protocol and schemas" },
    only: { type: "string", description: `Phases: ${phaseNames.slice(0, 5).join(", ")}, … ping`, valueHint: "phases" },
    count: { type: "string", description: "Pings; with --watch, rounds; 3 if left out", valueHint: "number" },
    watch: { type: "string", description: "Again and again; every 2s if left out", valueHint: "duration" },
    "fail-on": { type: "string", description: "degraded or down; down if left out", valueHint: "state" },
    compare: { type: "boolean", description: "Two targets side by side" },
    trace: { type: "boolean", description: "Show each message with its time on stderr" },
  },
  examples: [
    "mcpctl probe",
    "mcpctl probe weather --deep",
    "mcpctl probe -c mcp.json -o nagios",
    "mcpctl probe --compare weather https://example.com/mcp",
    "mcpctl probe -- npx -y @modelcontextprotocol/server-everything",
  ],
  takesCommand: true,
  variadic: true,
  optional: { watch: /^\d+(?:\.\d+)?(?:ms|s|m|h)$/ },
  run: (flags) => (textFlag(flags, "output") === "nagios" ? asPlugin(flags) : probe(flags)),
};

export default command;

async function probe(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", probeFormats) ?? "table";
  const failOn = wordFlag(flags, "fail-on", ["degraded", "down"]) ?? "down";
  const isWatching = hasFlag(flags, "watch");
  if (isWatching && (hasFlag(flags, "deep") || hasFlag(flags, "compare")))
    throw new GatewayError("usage", "--watch shows neither --deep nor --compare");
  const count = numberFlag(flags, "count");
  // Each round of a watch has the whole time for itself.
  const timeoutMs = timeoutOf(flags);
  using bound = limits(isWatching ? Infinity : timeoutMs);
  const only = phasesOf(flags);
  const targets = await findTargets(flags);
  const request: ProbeRequest = {
    targets,
    format,
    failOn,
    bound,
    timeoutMs,
    only,
    pings: isWatching ? 1 : (count ?? defaultPings),
    isDeep: hasFlag(flags, "deep"),
    isTracing: hasFlag(flags, "trace"),
  };
  if (isWatching) {
    const { watchServers } = await import("./probe-watch.ts");
    return await watchServers(request, textFlag(flags, "watch") ?? "", count);
  }
  if (hasFlag(flags, "compare")) {
    if (targets.length !== 2) throw new GatewayError("usage", "--compare needs two targets");
    return await (await import("./probe-compare.ts")).compareServers(request);
  }
  return await (await import("./probing.ts")).probeServers(request);
}

async function findTargets(flags: Flags): Promise<readonly Target[]> {
  const { positionals, command } = flags;
  const named = await Promise.all(positionals.map((each) => targetsOf({ ...flags, command: undefined }, each, true)));
  const rest = command !== undefined || positionals.length === 0 ? await targetsOf(flags, undefined, true) : [];
  return [...named.flat(), ...rest];
}

function phasesOf(flags: Flags): ReadonlySet<PhaseName> | undefined {
  const written = listFlag(flags, "only").flatMap((each) => each.split(","));
  if (written.length === 0) return undefined;
  const values = new Map([["only", written]]);
  const words = written.flatMap((_, index) => {
    const one = { ...flags, values: new Map([["only", values.get("only")?.slice(index, index + 1) ?? []]]) };
    return wordFlag(one, "only", [...phaseNames, "lists"]) ?? [];
  });
  return new Set(
    words.flatMap((word) => (word === "lists" ? (["tools", "resources", "templates", "prompts"] as const) : [word])),
  );
}

/** A plugin says everything in one line on stdout; what it cannot find out is UNKNOWN. */
async function asPlugin(flags: Flags): Promise<number> {
  try {
    return await probe(flags);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    await answer(`MCP UNKNOWN - ${text.replaceAll(/[|\n\r]/g, " ")}`);
    return pluginExits.UNKNOWN;
  }
}
