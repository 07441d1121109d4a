// `mcpctl bench`: how a server is under load, from the clock and not from its answers.

import { GatewayError } from "../lib/index.ts";
import { type Command, type Flags, listFlag, textFlag, wordFlag } from "./command.ts";
import { loadFlags, oneTarget, readLoad, shareFlag } from "./bench-flags.ts";
import { benchFormats } from "./bench-formats.ts";
import { outputFlag } from "./common.ts";

const command: Command = {
  meta: { name: "bench", description: "Measure a server under load" },
  args: {
    target: {
      type: "positional",
      description: "name/tool, URL, or a tool before -- and a command",
      required: false,
    },
    tool: { type: "positional", description: "The tool, behind a URL", required: false },
    ...loadFlags,
    threshold: {
      type: "string",
      alias: "T",
      description: "Must hold: p99<250ms, error_rate<0.1%, rate>=90/s …",
      valueHint: "rule",
    },
    baseline: { type: "string", description: "Exits with 1 where slower than that -o json", valueHint: "file" },
    tolerance: { type: "string", description: "… by more than this; 2% if left out", valueHint: "share" },
    output: outputFlag(benchFormats),
    report: {
      type: "string",
      description: "Write .json, .html, .csv or .xml (JUnit), too",
      valueHint: "file",
    },
  },
  examples: [
    "mcpctl bench weather/forecast --args '{\"city\":\"Oslo\"}' -r 300/s -d 30s -T 'p99<250ms'",
    "mcpctl bench http://127.0.0.1:7337/mcp clock__now -c 32 -o html > report.html",
    "mcpctl bench -n 1000 -- npx -y @modelcontextprotocol/server-everything",
  ],
  takesCommand: true,
  run: bench,
};

export default command;

async function bench(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", benchFormats) ?? "table";
  const [first, second] = flags.positionals;
  const isCommand = flags.command !== undefined;
  if (isCommand && second !== undefined)
    throw new GatewayError("usage", `unexpected argument ${JSON.stringify(second)}`);
  const target = await oneTarget(flags, isCommand ? undefined : first, isCommand ? first : second);
  const request = readLoad(flags, [target]);
  const { runBench } = await import("./bench-run.ts");
  return runBench(target, request, {
    format,
    thresholds: listFlag(flags, "threshold"),
    files: listFlag(flags, "report"),
    baseline: textFlag(flags, "baseline"),
    tolerance: shareFlag(flags, "tolerance") ?? 0.02,
  });
}
