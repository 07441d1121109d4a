// Runs the client scenarios of the official conformance suite: it serves, and a command of ours is the client.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRun, suiteScript } from "./conformance.ts";
import type { modernVersion, Run, SpecVersion } from "./conformance.ts";
import { bunExecutable, runtimeCommand, startProcess } from "./process.ts";

/** The scenarios without authorization, by the revision that they are run at. */
export const clientScenarios = {
  "2025-11-25": [
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "json-schema-2020-12-preservation",
  ],
  "2026-07-28": [
    "tools_call",
    "request-metadata",
    "sep-2322-client-request-state",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
    "json-schema-2020-12-preservation",
  ],
} as const;

/** Runs scenarios against `suite-client.ts` with these flags, one after the other. */
export async function runClientSuite(
  version: SpecVersion | typeof modernVersion,
  scenarios: readonly string[],
  flags: readonly string[] = [],
): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-client-"));
  const [command, args] = runtimeCommand("test/kit/suite-client.ts", ...flags);
  try {
    for (const scenario of scenarios) {
      const client = ["--command", [command, ...args].join(" "), "--scenario", scenario];
      const options = [suiteScript, "client", ...client, "--spec-version", version, "-o", folder];
      await using proc = startProcess(bunExecutable(), options, { cwd: folder });
      await proc.exited;
    }
    return await readRun(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
