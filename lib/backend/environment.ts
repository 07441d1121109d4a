// What a child process sees of the gateway's environment.

import process from "node:process";
import type { StdioReplicaPlan } from "../config/plan.ts";

/** What a child sees of the environment when it does not inherit all of it; Windows starts hardly anything with less. */
const passedVariables: ReadonlySet<string> = new Set([
  ...["PATH", "HOME"],
  ...(process.platform === "win32"
    ? "APPDATA LOCALAPPDATA HOMEDRIVE HOMEPATH PATHEXT PROGRAMFILES SYSTEMDRIVE SYSTEMROOT TEMP TMP USERPROFILE".split(
        " ",
      )
    : []),
]);

/** Bash takes a socket on its stdin for a remote login, unless it runs inside of another shell, and would run ~/.bashrc. */
const insideShell = { SHLVL: "1" };

export function childEnvironment(replica: StdioReplicaPlan): Record<string, string> {
  const base: Record<string, string> = { ...insideShell };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && (replica.inheritEnv || passedVariables.has(name.toUpperCase()))) base[name] = value;
  }
  return { ...base, ...replica.env };
}
