// Applies changes of the config files to the running gateway; a config with mistakes changes nothing.

import { asGatewayError, watchFiles } from "../lib/index.ts";
import type { Followed } from "./reload.ts";
import type { Signals } from "./signals.ts";

/** Reloads when one of the files changes, and on SIGHUP, until it is disposed of. */
export function follow(
  files: readonly string[],
  named: readonly string[],
  { signals, ...followed }: Followed & { readonly signals: Signals },
): Disposable {
  if (files.length === 0) return { [Symbol.dispose]: () => {} };
  const attempt = async (): Promise<void> => {
    try {
      const { reload } = await import("./reload.ts");
      await reload(named, followed);
    } catch (error) {
      followed.observer.log("error", "gateway", `the changed config is not applied: ${asGatewayError(error).message}`);
    }
  };
  // One after another: the later of two readings must win.
  let last = Promise.resolve();
  const next = (): Promise<void> => (last = last.then(attempt));
  const watch = watchFiles(files, next);
  signals.reload = () => void next();
  return watch;
}
