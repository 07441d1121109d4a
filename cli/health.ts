// `mcpctl health`: asks a running gateway how it is; made for containers, which have no curl.

import { checkHealth, GatewayError, parseDuration, type RemoteHealth } from "../lib/index.ts";
import { type Command, textFlag } from "./command.ts";
import { answer } from "./output.ts";
import { backendTable } from "./table.ts";

const command: Command = {
  meta: { name: "health", description: "Ask a running gateway how it and its backends are" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    output: { type: "string", alias: "o", description: "text or json", valueHint: "format" },
    timeout: { type: "string", description: "How long to wait for the answer; 5s if left out", valueHint: "duration" },
  },
  examples: ["mcpctl health", "mcpctl health 127.0.0.1:8080 --timeout 2s", "mcpctl health -o json"],
  async run(flags) {
    const format = textFlag(flags, "output") ?? "text";
    if (format !== "text" && format !== "json") throw new GatewayError("usage", "--output must be text or json");
    const timeout = textFlag(flags, "timeout") ?? "5s";
    const timeoutMs = parseDuration(timeout) ?? 0;
    if (timeoutMs <= 0)
      throw new GatewayError("usage", `--timeout must be a duration like 5s, not ${JSON.stringify(timeout)}`);
    const health = await checkHealth(flags.positionals[0], timeoutMs);
    await answer(format === "json" ? JSON.stringify(health.document, undefined, 2) : describe(health));
    return health.healthy ? 0 : 1;
  },
};

export default command;

function describe({ status, url, version, uptimeSeconds, sessions, inFlight, backends }: RemoteHealth): string {
  const head = `${status}  mcpctl ${version} at ${new URL(url).origin}`;
  const counts = `up for ${uptimeSeconds} s, sessions: ${sessions}, calls in flight: ${inFlight}`;
  return [head, counts, ...backendTable(backends)].join("\n");
}
