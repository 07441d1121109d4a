// Applies changes of the config files to the running gateway; a config with mistakes changes nothing.

import process from "node:process";
import { asGatewayError, type Gateway, loadPlan, watchFiles } from "../lib/index.ts";
import { type Flags, listFlag } from "./command.ts";
import type { Log } from "./log.ts";
import { withFlags } from "./overrides.ts";
import { sayProblems } from "./problems.ts";
import type { Signals } from "./signals.ts";

/** Reloads when one of the files changes, and on SIGHUP, until it is disposed of. */
export function follow(
  files: readonly string[],
  flags: Flags,
  gateway: Gateway,
  observer: Log,
  signals: Signals,
): Disposable {
  if (files.length === 0) return { [Symbol.dispose]: () => {} };
  const attempt = (): Promise<void> =>
    reload(flags, gateway, observer).catch((error: unknown) => {
      observer.log("error", "gateway", `the changed config is not applied: ${asGatewayError(error).message}`);
    });
  // One after another: the later of two readings must win.
  let last = Promise.resolve();
  const next = (): Promise<void> => (last = last.then(attempt));
  const watch = watchFiles(files, next);
  signals.reload = () => void next();
  return watch;
}

async function reload(flags: Flags, gateway: Gateway, observer: Log): Promise<void> {
  const loaded = await loadPlan({ cwd: process.cwd(), files: listFlag(flags, "config"), env: process.env });
  sayProblems(loaded);
  if (loaded.kind === "invalid") {
    observer.log("error", "gateway", "the changed config has mistakes; the running one stays in place");
    return;
  }
  const plan = withFlags(loaded.plan, flags);
  const { host, port } = gateway.plan.listen;
  if (plan.listen.host !== host || plan.listen.port !== port) {
    observer.log("warn", "gateway", `it still listens on ${host}:${port}; restart to change that`);
  }
  if (JSON.stringify(plan.tls) !== JSON.stringify(gateway.plan.tls)) {
    observer.log("warn", "gateway", "tls keeps its files; restart to name others");
  }
  if (plan.sealKeys.join() !== gateway.plan.sealKeys.join()) {
    observer.log("warn", "gateway", "sealKeys stay as they were; restart to change them");
  }
  observer.apply(plan.observe.log);
  await gateway.apply({ ...plan, listen: gateway.plan.listen });
  observer.log(
    "info",
    "gateway",
    `config applied: ${plan.backends.map(({ name }) => name).join(", ") || "no backends"}`,
  );
}
