// `mcpctl why`: what a running gateway did with a call, and why.

import { askWhy, describeFlight } from "../lib/toolbox.ts";
import { document, show } from "./answer.ts";
import type { Command } from "./command.ts";
import { gatewayFlags, gatewayOptionsOf, gatewayToken } from "./common.ts";
import { plain } from "./output.ts";

const command: Command = {
  meta: { name: "why", description: "Say what a running gateway did with a call, and why" },
  args: {
    id: { type: "positional", description: "JSON-RPC id of the call; the last calls if left out", required: false },
    url: { type: "positional", description: "The gateway; http://127.0.0.1:7337 if left out", required: false },
    ...gatewayFlags,
  },
  examples: ["mcpctl why 7", "mcpctl why 7 127.0.0.1:8080", "mcpctl why -o json"],
  async run(flags) {
    const { format, timeoutMs } = gatewayOptionsOf(flags);
    const [id, url] = flags.positionals;
    const calls = await askWhy(id, url, timeoutMs, gatewayToken());
    const what = id === undefined ? "no call yet" : `no call with id ${id} among the last ones`;
    const texts = calls.map((call, index) => [...(index > 0 ? [""] : []), ...describeFlight(call)]);
    await show(format, {
      kind: "CallTrails",
      body: { calls },
      lines: calls.map((call) => document("CallTrail", { ...call })),
      names: calls.flatMap(({ ids }) => ids[0] ?? []),
      text: () => (calls.length > 0 ? texts.flat().map(plain) : [plain(what)]),
    });
    return calls.length > 0 ? 0 : 1;
  },
};

export default command;
