// `mcpctl why`: what a running gateway did with a call, and why.

import { askWhy, describeFlight, GatewayError, parseDuration } from "../lib/index.ts";
import { type Command, textFlag } from "./command.ts";
import { answer } from "./output.ts";

const command: Command = {
  meta: { name: "why", description: "Say what a running gateway did with a call, and why" },
  args: {
    id: { type: "positional", description: "JSON-RPC id of the call; the last calls if left out", required: false },
    url: { type: "positional", description: "The gateway; http://127.0.0.1:7337 if left out", required: false },
    output: { type: "string", alias: "o", description: "text or json", valueHint: "format" },
    timeout: { type: "string", description: "How long to wait for the answer; 5s if left out", valueHint: "duration" },
  },
  examples: ["mcpctl why 7", "mcpctl why 7 127.0.0.1:8080", "mcpctl why -o json"],
  async run(flags) {
    const format = textFlag(flags, "output") ?? "text";
    if (format !== "text" && format !== "json") throw new GatewayError("usage", "--output must be text or json");
    const timeout = textFlag(flags, "timeout") ?? "5s";
    const timeoutMs = parseDuration(timeout) ?? 0;
    if (timeoutMs <= 0)
      throw new GatewayError("usage", `--timeout must be a duration like 5s, not ${JSON.stringify(timeout)}`);
    const [id, url] = flags.positionals;
    const calls = await askWhy(id, url, timeoutMs);
    const what = id === undefined ? "no call yet" : `no call with id ${id} among the last ones`;
    const text = calls.map((call) => describeFlight(call).join("\n")).join("\n\n");
    await answer(format === "json" ? JSON.stringify(calls, undefined, 2) : text || what);
    return calls.length > 0 ? 0 : 1;
  },
};

export default command;
