// What a child process sees of the gateway's environment: what the config names, and what every program needs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { StdioReplicaPlan } from "../../lib/config/plan.ts";
import { Scope } from "../../lib/core/scope.ts";
import { openStdio } from "../../lib/backend/stdio.ts";
import type { TransportEvents } from "../../lib/backend/transport.ts";
import { within } from "../front/peer.ts";

const print = "process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'env', params: process.env }) + '\\n')";
/** Names of the runtime's own, which it gives its children. */
const ofRuntime = /^(?:BUN_|DENO_|NODE_|_$|PWD$|SHLVL$)/;

async function environmentOf(more: Partial<StdioReplicaPlan>): Promise<Readonly<Record<string, unknown>>> {
  const [command, ...args] = process.versions["deno"]
    ? [process.execPath, "eval", `import process from "node:process"; ${print}`]
    : [process.execPath, "-e", print];
  const replica = { kind: "stdio", command, args, env: {}, cwd: undefined, inheritEnv: false, ...more } as const;
  const heard = Promise.withResolvers<Uint8Array>();
  const events: TransportEvents = {
    message: (bytes) => heard.resolve(bytes),
    closed: (error) => heard.reject(error),
    retired: () => {},
    paused: () => {},
    congestion: () => undefined,
    waiting: () => false,
  };
  const options = { backend: "b", replica, maxMessageBytes: 2 ** 20, stderr: () => {}, stray: () => {} };
  using scope = new Scope();
  const transport = await openStdio(options, events, scope);
  try {
    const text = Buffer.from(await within(heard.promise, "the environment")).toString();
    return (JSON.parse(text) as { params: Record<string, unknown> }).params;
  } finally {
    await transport.close();
  }
}

test("environment: a child sees nothing of the gateway's secrets, unless the config says so", async () => {
  const secrets = { MCPCTL_TEST_SECRET: "s3cret", AWS_SECRET_ACCESS_KEY: "s3cret", HTTPS_PROXY: "http://u:s3cret@p" };
  const before = { ...process.env };
  Object.assign(process.env, secrets);
  try {
    const seen = await environmentOf({ env: { NAMED: "by the config" } });
    assert.ok(!JSON.stringify(seen).includes("s3cret"), JSON.stringify(seen));
    assert.equal(seen["NAMED"], "by the config");
    assert.equal(seen["PATH"], process.env["PATH"]);
    const known = /^(?:PATH|HOME|NAMED)$/;
    assert.deepEqual(
      Object.keys(seen).filter((name) => !known.test(name) && !ofRuntime.test(name)),
      [],
    );
    assert.equal((await environmentOf({ inheritEnv: true }))["MCPCTL_TEST_SECRET"], "s3cret");
  } finally {
    for (const name of Object.keys(secrets)) {
      const value = before[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test(
  "environment: a shell does not run what its user has for logins",
  { skip: process.platform === "win32" },
  async () => {
    const home = mkdtempSync(join(tmpdir(), "mcpctl-home-"));
    try {
      writeFileSync(join(home, ".bashrc"), "export FROM_BASHRC=1\n");
      const script = `printf '{"jsonrpc":"2.0","method":"env","params":{"bashrc":"%s"}}\\n' "$FROM_BASHRC"`;
      const seen = await environmentOf({ command: "bash", args: ["-c", script], env: { HOME: home } });
      assert.equal(seen["bashrc"], "");
    } finally {
      rmSync(home, { recursive: true });
    }
  },
);
