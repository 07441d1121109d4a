// Runs the authorization scenarios of the official conformance suite for clients: the gateway is the client under test.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suiteScript } from "./conformance.ts";
import { inCrew } from "./crew.ts";
import { recordOf } from "./fixture-world.ts";
import { bunExecutable, runtimeCommand, startProcess } from "./process.ts";

/** Those of people who sign in, and of a gateway that does so itself, by the revision that they are run at. */
export const loginScenarios = {
  "2025-03-26": ["2025-03-26-oauth-metadata-backcompat", "2025-03-26-oauth-endpoint-fallback"],
  "2025-11-25": [
    "metadata-default",
    "metadata-var1",
    "metadata-var2",
    "metadata-var3",
    "basic-cimd",
    "scope-from-www-authenticate",
    "scope-from-scopes-supported",
    "scope-omitted-when-undefined",
    "scope-step-up",
    "scope-retry-limit",
    "token-endpoint-auth-basic",
    "token-endpoint-auth-post",
    "token-endpoint-auth-none",
    "pre-registration",
  ],
  "2026-07-28": [
    "metadata-default",
    "basic-cimd",
    "scope-step-up",
    "scope-retry-limit",
    "pre-registration",
    "resource-mismatch",
    "offline-access-scope",
    "offline-access-not-supported",
    "authorization-server-migration",
    "iss-supported",
    "iss-not-advertised",
    "iss-supported-missing",
    "iss-wrong-issuer",
    "iss-unexpected",
    "iss-normalized",
    "metadata-issuer-mismatch",
    "client-credentials-basic",
  ],
} as const;

export interface LoginRun {
  readonly passed: number;
  /** Checks that failed or warned: what they are, and why. */
  readonly bad: readonly string[];
}

/** Runs scenarios, a few at a time. */
export async function runLogins(version: keyof typeof loginScenarios): Promise<Readonly<Record<string, LoginRun>>> {
  const runs = await inCrew<string, readonly [string, LoginRun]>(loginScenarios[version], 4, async (name) => [
    name,
    await runLogin(name, version),
  ]);
  return Object.fromEntries(runs);
}

async function runLogin(scenario: string, version: string): Promise<LoginRun> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-login-"));
  const [command, args] = runtimeCommand("test/kit/suite-login.ts");
  const client = ["--command", [command, ...args].join(" "), "--scenario", `auth/${scenario}`];
  const options = [suiteScript, "client", ...client, "--spec-version", version, "-o", folder, "--timeout", "60000"];
  // Those of extensions belong to no revision.
  options.push("--force");
  try {
    await using proc = startProcess(bunExecutable(), options, { cwd: folder });
    await proc.exited;
    const file = (await readdir(folder, { recursive: true })).find((name) => name.endsWith("checks.json"));
    if (file === undefined) throw new Error(`${scenario} has no result: ${proc.stdout}${proc.stderr}`);
    const checks: unknown = JSON.parse(await readFile(join(folder, file), "utf8"));
    const all = Array.isArray(checks) ? checks.map((check: unknown) => recordOf(check)) : [];
    const bad = all.filter(({ status }) => status === "FAILURE" || status === "WARNING");
    return {
      passed: all.filter(({ status }) => status === "SUCCESS").length,
      bad: bad.map(({ id, errorMessage, description }) => `${String(id)}: ${String(errorMessage ?? description)}`),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
