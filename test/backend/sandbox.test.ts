// A child in a sandbox sees and reaches what the config lists; where there is no sandbox, there is no child.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { openStdio } from "../../lib/backend/stdio.ts";
import type { SandboxPlan } from "../../lib/config/guard.ts";
import type { StdioReplicaPlan } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { planOf, problemsOf } from "../config/kit.ts";
import { gone } from "../e2e/kit.ts";
import { within } from "../front/peer.ts";

const none: SandboxPlan = { read: [], write: [], hide: [], network: false };
const probe = ["--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"];
/** Debian's bubblewrap, where the kernel lets anybody make namespaces. */
const program = "bwrap";
const works = process.platform === "linux" && spawnSync(program, probe).status === 0;
const skip = works ? false : "bubblewrap does not work here";

/** A new folder in the home folder, which no sandbox hides. */
class Place implements Disposable {
  readonly path: string = mkdtempSync(join(homedir(), ".sandbox-test-"));
  file(name: string, text: string = "text"): string {
    const path = join(this.path, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What a shell script says in a sandbox, line by line after each other. */
async function run(
  script: string,
  sandbox: Partial<SandboxPlan>,
  more: Partial<StdioReplicaPlan> = {},
): Promise<string> {
  const said: string[] = [];
  const ended = Promise.withResolvers<GatewayError>();
  const replica = {
    kind: "stdio",
    command: "sh",
    args: ["-c", script],
    env: {},
    cwd: undefined,
    inheritEnv: false,
    sandbox: { ...none, ...sandbox },
    ...more,
  } as const;
  const events = {
    message: (): void => {},
    closed: (error: GatewayError): void => ended.resolve(error),
    retired: (): void => {},
    paused: (): void => {},
    congestion: (): undefined => undefined,
    waiting: (): boolean => false,
  };
  const options = {
    backend: "b",
    replica,
    maxMessageBytes: 2 ** 20,
    stderr: (line: string) => void said.push(line),
    stray: () => {},
  };
  using scope = new Scope();
  const transport = await openStdio(options, events, scope);
  const error = await within(ended.promise, "the end of the child");
  await transport.close();
  if (error.code === "sandboxFailed") throw error;
  return said.join("\n");
}

/** Says yes or no on stderr. */
const ask = (what: string): string => `if ${what} 2>/dev/null; then echo yes >&2; else echo no >&2; fi; `;

test("sandbox: the root is read-only, and what is listed can be written to", { skip }, async () => {
  using place = new Place();
  const [open, shut] = [place.file("open/a"), place.file("shut/a")];
  const script =
    [open, shut, "/usr/x", "/etc/x"].map((path) => ask(`touch ${path}.new`)).join("") + ask(`test -r ${shut}`);
  assert.equal(await run(script, { write: [join(place.path, "open")] }), "yes\nno\nno\nno\nyes");
  assert.ok(existsSync(`${open}.new`) && !existsSync(`${shut}.new`));
});

test("sandbox: what is hidden is not there, unless it is listed itself", { skip }, async () => {
  using place = new Place();
  const before = process.env["HOME"];
  process.env["HOME"] = place.path;
  try {
    const [key, rc, plain, own] = [".ssh/id", ".npmrc", "plain", "own/secret"].map((name) => place.file(name));
    const script = [key, rc, plain, own].map((path) => ask(`grep -q text ${path}`)).join("");
    assert.equal(await run(script, {}), "no\nno\nyes\nyes");
    assert.equal(await run(script, { hide: [join(place.path, "own")] }), "no\nno\nyes\nno");
    // A folder around a secret does not bring it back; the secret itself does.
    assert.equal(await run(script, { write: [place.path] }, { cwd: place.path }), "no\nno\nyes\nyes");
    assert.equal(await run(script, { read: [join(place.path, ".ssh")] }), "yes\nno\nyes\nyes");
  } finally {
    if (before === undefined) delete process.env["HOME"];
    else process.env["HOME"] = before;
  }
});

test("sandbox: /tmp is its own, but for what is listed", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sandbox-"));
  try {
    writeFileSync(join(folder, "a"), "text");
    const script = ask(`test -e ${folder}/a`) + ask("touch /tmp/new") + ask("test -S /run/docker.sock");
    assert.equal(await run(script, {}), "no\nyes\nno");
    assert.ok(!existsSync("/tmp/new"));
    assert.equal(await run(script, { read: [folder] }), "yes\nyes\nno");
    const program = join(folder, "program");
    writeFileSync(program, "#!/bin/sh\necho started >&2\n", { mode: 0o755 });
    assert.equal(await run("", {}, { command: program, args: [] }), "started");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("sandbox: there is no network unless it is asked for", { skip }, async () => {
  const accepted: unknown[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  try {
    const bash = {
      command: "bash",
      args: ["--norc", "-c", `(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo yes >&2 || echo no >&2`],
    };
    assert.equal(await run("", {}, bash), "no");
    assert.equal(accepted.length, 0);
    assert.equal(await run("", { network: true }, bash), "yes");
    assert.equal(accepted.length, 1);
  } finally {
    server.close();
  }
});

test(
  "sandbox: it sees no other process and no secret of the environment, and ends with its gateway's word",
  { skip },
  async () => {
    process.env["MCPCTL_TEST_SECRET"] = "s3cret";
    try {
      const script = `ls /proc | grep -c '^[0-9]' >&2; cat /proc/*/environ | tr '\\0' '\\n' | grep -c s3cret >&2; id -u >&2`;
      const [count = "", secrets] = (await run(script, {})).split("\n");
      assert.ok(Number(count) < 10, count);
      assert.equal(secrets, "0");
    } finally {
      delete process.env["MCPCTL_TEST_SECRET"];
    }
    const replica = {
      kind: "stdio",
      command: "sh",
      args: ["-c", "echo $$ >&2; exec sleep 1000"],
      env: {},
      cwd: undefined,
      inheritEnv: false,
      sandbox: none,
    } as const;
    const started = Promise.withResolvers<string>();
    const events = {
      message: () => {},
      closed: () => {},
      retired: () => {},
      paused: () => {},
      congestion: () => undefined,
      waiting: () => false,
    };
    const options = {
      backend: "b",
      replica,
      maxMessageBytes: 2 ** 20,
      stderr: (line: string) => started.resolve(line),
      stray: () => {},
    };
    using scope = new Scope();
    const transport = await openStdio(options, events, scope);
    await within(started.promise, "the child");
    const children = spawnSync("pgrep", ["-P", String(transport.pid)], { encoding: "utf8" })
      .stdout.split("\n")
      .filter(Boolean);
    await transport.close();
    await gone(transport.pid ?? 0, ...children.map(Number));
  },
);

test("sandbox: without bubblewrap nothing is started, and the error says why", async () => {
  using place = new Place();
  const proof = join(place.path, "started");
  const before = process.env["PATH"];
  const failing = async (): Promise<string> => {
    try {
      await run(`touch ${proof}`, {}, { env: { PATH: before ?? "" } });
    } catch (error) {
      assert.ok(error instanceof GatewayError, String(error));
      assert.deepEqual([error.code, error.row.exit, error.data["sent"]], ["sandboxFailed", 3, false]);
      return error.message;
    }
    throw new Error("it was started");
  };
  try {
    process.env["PATH"] = place.path;
    assert.match(await failing(), /^backend "b" is not started without its sandbox: bubblewrap/);
    if (process.platform === "linux") {
      // One that cannot make a namespace.
      const fake = place.file(
        "bwrap",
        "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n",
      );
      spawnSync("/bin/chmod", ["755", fake]);
      assert.match(await failing(), /without its sandbox: bwrap: No permissions/);
    }
    assert.ok(!existsSync(proof));
  } finally {
    process.env["PATH"] = before;
  }
});

test("sandbox: a path that is not there fails closed", { skip }, async () => {
  await assert.rejects(run("true", { write: ["/there/is/none"] }), /without its sandbox: bwrap: .*\/there\/is\/none/);
});

test("sandbox: the config says it in a word or in a map, with paths from its folder on", async () => {
  const plan = await planOf(
    "a.yaml",
    "backends:\n  a: { command: x, sandbox: bubblewrap }\n  b: { command: x, sandbox: { type: bubblewrap, write: [data], hide: [/srv], network: true } }\n",
  );
  const [a, b] = plan.backends.map(({ replicas: [replica] }) =>
    replica?.kind === "stdio" ? replica.sandbox : undefined,
  );
  assert.deepEqual(a, none);
  assert.deepEqual(
    [b?.hide, b?.network, b?.write[0]?.startsWith("/"), b?.write[0]?.endsWith("/data")],
    [["/srv"], true, true, true],
  );
  for (const wrong of [
    "{ command: x, sandbox: docker }",
    "{ command: x, sandbox: { write: [a] } }",
    "{ url: http://h/, sandbox: bubblewrap }",
  ])
    assert.notDeepEqual(await problemsOf("a.yaml", `backends: { a: ${wrong} }`), [], wrong);
});
