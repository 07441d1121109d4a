// `mcpctl wait`: until a running gateway, or some of its backends, are ready.

import { asGatewayError, GatewayError } from "../lib/index.ts";
import { checkHealth, type RemoteHealth, sleep } from "../lib/toolbox.ts";
import { formats } from "./answer.ts";
import { type Command, listFlag, wordFlag } from "./command.ts";
import { gatewayToken, outputFlag, timeoutOf } from "./common.ts";
import { interruptedExit, limits } from "./patience.ts";
import { showHealth } from "./status.ts";

const defaultMs = 60_000;
const answerMs = 2_000;
const stepMs = 100;

const command: Command = {
  meta: { name: "wait", description: "Wait until a running gateway or a backend is ready" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    for: { type: "string", description: "ready, or backend=NAME; ready if left out", valueHint: "what" },
    output: outputFlag(formats),
    timeout: { type: "string", description: "How long to wait at most; 60s if left out", valueHint: "duration" },
  },
  examples: ["mcpctl wait", "mcpctl wait --for backend=weather --timeout 2m"],
  async run(flags) {
    const format = wordFlag(flags, "output", formats) ?? "table";
    const wishes = listFlag(flags, "for").flatMap((each) => each.split(","));
    for (const wish of wishes)
      if (wish !== "ready" && !/^backend=./.test(wish))
        throw new GatewayError("usage", `--for must be ready or backend=NAME, not ${JSON.stringify(wish)}`);
    const timeoutMs = timeoutOf(flags, defaultMs);
    using bound = limits(timeoutMs);
    let missing = "";
    while (Date.now() < bound.until && !bound.interrupted) {
      const health = await healthAt(flags.positionals[0], Math.min(answerMs, Math.max(1, bound.until - Date.now())));
      const found = typeof health === "string" ? health : missingIn(health, wishes.length > 0 ? wishes : ["ready"]);
      // That the last look had no time to see anything is not what was waited for.
      if (missing === "" || Date.now() < bound.until) missing = found;
      if (found === "" && typeof health !== "string") {
        // Who waits wants to go on, and no words.
        if (format !== "table" && format !== "wide") await showHealth(format, health);
        return 0;
      }
      await sleep(stepMs, bound.scope).catch(() => {});
    }
    if (bound.interrupted) return interruptedExit(bound);
    throw new GatewayError("unavailable", `it was waited ${timeoutMs / 1000} s in vain: ${missing}`);
  },
};

export default command;

/** How the gateway is, or why that cannot be said yet. */
async function healthAt(url: string | undefined, timeoutMs: number): Promise<RemoteHealth | string> {
  try {
    return await checkHealth(url, timeoutMs, gatewayToken());
  } catch (error) {
    const failure = asGatewayError(error);
    // An address that is none stays one, and who is not let in now is not let in later.
    if (failure.code === "usage" || failure.code === "unauthorized") throw failure;
    return failure.message;
  }
}

/** What is not as it should be yet; empty where all is. */
function missingIn(health: RemoteHealth, wishes: readonly string[]): string {
  for (const wish of wishes) {
    const name = wish.replace(/^backend=/, "");
    const backend = health.backends.find((each) => each.name === name);
    if (wish === "ready" && !health.healthy) return `the gateway is ${health.status}`;
    if (wish === "ready") continue;
    if (!backend) return `there is no backend ${name}`;
    if (backend.state !== "up")
      return `the backend ${name} is ${backend.state}${backend.error === "" ? "" : ` (${backend.error})`}`;
  }
  return "";
}
