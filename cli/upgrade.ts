// `mcpctl serve --upgrade`: a gateway that runs with --workers exchanges them, one by one, for those of the program and
// config that are there now.

import process from "node:process";
import { asGatewayError, defaultPlan, GatewayError, loadPlan, type Plan } from "../lib/index.ts";
import { checkHealth, seconds, sleep, upgradeGateway } from "../lib/toolbox.ts";
import { type Flags, hasFlag, listFlag } from "./command.ts";
import { gatewayToken } from "./common.ts";
import { Live } from "./live.ts";
import { say } from "./output.ts";
import { withFlags } from "./overrides.ts";
import { interruptedExit, type Limits, limits } from "./patience.ts";
import { sayProblems } from "./problems.ts";

const answerMs = 5_000;
const stepMs = 100;
/** A worker that leaves may cut the connection that asks. */
const maxFailures = 20;

export async function upgrade(flags: Flags): Promise<number> {
  const plan = await planOf(flags);
  if (!plan) return 3;
  const address = addressOf(plan);
  const startedAt = Date.now();
  using bound = limits(Infinity);
  const token = gatewayToken();
  const operated = { address, token, answerMs, scope: bound.scope };
  const live = new Live();
  let state = await upgradeGateway(operated);
  while (state.state === "running" && !bound.interrupted) {
    live.draw([`${state.fresh} of ${state.count} workers are new`]);
    await sleep(stepMs, bound.scope).catch(() => {});
    state = await patiently(() => upgradeGateway(operated, state.round), bound);
  }
  live.clear();
  if (bound.interrupted) return interruptedExit(bound);
  if (state.state !== "done") {
    const { fresh, count, why = "it is not known why; see its log" } = state;
    say(`the upgrade of ${address} has failed after ${fresh} of ${count} workers: ${why}`);
    return 1;
  }
  const { version } = await patiently(() => checkHealth(address, answerMs, token), bound);
  say(`${state.count} workers of ${address} are new after ${seconds(Date.now() - startedAt)}: mcpctl ${version}`);
  return 0;
}

/** A config with mistakes is found before anything is exchanged. */
async function planOf(flags: Flags): Promise<Plan | undefined> {
  if (hasFlag(flags, "demo")) return withFlags(defaultPlan([]), flags);
  const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
  sayProblems(loaded);
  return loaded.kind === "ok" ? withFlags(loaded.plan, flags) : undefined;
}

function addressOf({ listen: { host, port }, tls, publicUrl }: Plan): string {
  if (port === 0) throw new GatewayError("usage", "which gateway is it? Name its port with --port");
  // Its certificate is for its name.
  if (tls && publicUrl !== undefined) return publicUrl;
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${tls ? "https" : "http"}://${near.includes(":") ? `[${near}]` : near}:${port}`;
}

async function patiently<T>(ask: () => Promise<T>, { scope }: Limits): Promise<T> {
  for (let left = maxFailures; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      const { code } = asGatewayError(error);
      if ((code !== "unreachable" && code !== "lost") || left === 0 || scope.cancelled) throw error;
    }
    await sleep(stepMs, scope).catch(() => {});
  }
}
