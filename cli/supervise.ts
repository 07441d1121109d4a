// `mcpctl serve --workers N`: several processes on one port, under this one, which serves nobody itself.

import process from "node:process";
import { GatewayError, listen, type Observer, type Plan } from "../lib/index.ts";
import { Workers } from "../lib/workers.ts";
import { ownCommand } from "./self.ts";
import { listenForSignals } from "./signals.ts";

/** Runs them until this process is told to stop; resolves to its exit code. */
export async function supervise(plan: Plan, count: number, observer: Observer): Promise<number> {
  // Workers share a port with whoever shares it: a second gateway on it would get every other connection unnoticed.
  if (plan.listen.port > 0) await (await listen({ ...plan.listen, handle: nobody })).close(true);
  using signals = listenForSignals();
  const workers = new Workers({ count, command: [...ownCommand(), ...process.argv.slice(2)], observer });
  signals.reload = () => workers.signal("SIGHUP");
  const exchange = (): void => void workers.exchange();
  process.on("SIGUSR2", exchange);
  void signals.stopped.then(() => workers.stop());
  const code = await workers.run();
  process.off("SIGUSR2", exchange);
  return code;
}

function nobody(): never {
  throw new GatewayError("draining", "the gateway starts");
}
