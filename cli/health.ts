// `mcpctl health`: asks a running gateway how it is; made for containers, which have no curl.

import { checkHealth, type RemoteHealth } from "../lib/toolbox.ts";
import { show } from "./answer.ts";
import type { Command } from "./command.ts";
import { gatewayFlags, gatewayOptionsOf, gatewayToken } from "./common.ts";
import { plain } from "./output.ts";
import { backendTable } from "./table.ts";

const command: Command = {
  meta: { name: "health", description: "Ask a running gateway how it and its backends are" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    ...gatewayFlags,
  },
  examples: ["mcpctl health", "mcpctl health 127.0.0.1:8080 --timeout 2s", "mcpctl health -o json"],
  async run(flags) {
    const { format, timeoutMs } = gatewayOptionsOf(flags);
    const health = await checkHealth(flags.positionals[0], timeoutMs, gatewayToken());
    await show(format, {
      kind: "Health",
      body: health.document,
      names: health.backends.filter(({ state }) => state === "up").map(({ name }) => name),
      text: () => describe(health).map(plain),
    });
    return health.healthy ? 0 : 1;
  },
};

export default command;

function describe(health: RemoteHealth): readonly string[] {
  const { status, url, version, uptimeSeconds, sessions, inFlight, backends } = health;
  const head = `${status}  mcpctl ${version} at ${new URL(url).origin}`;
  const counts = `up for ${uptimeSeconds} s, sessions: ${sessions}, calls in flight: ${inFlight}`;
  return [head, counts, ...backendTable(backends)];
}
