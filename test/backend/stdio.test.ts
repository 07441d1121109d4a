// A child process as a wire: framing, stray output, limits, its environment, and its end with all that it started.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { openStdio, type StdioOptions } from "../../lib/backend/stdio.ts";
import type { Transport } from "../../lib/backend/transport.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { gone, until } from "../e2e/kit.ts";
import { isAlive, runtimeCommand } from "../kit/process.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const message = (id: number, method: string, params: object = {}): Uint8Array =>
  utf8(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
const callOf = (id: number, name: string, args: object = {}): Uint8Array =>
  message(id, "tools/call", { name, arguments: args });

/** A transport with all that it has said. */
interface Heard extends AsyncDisposable {
  readonly transport: Transport;
  readonly messages: string[];
  readonly strays: string[];
  readonly stderr: string[];
  readonly retired: GatewayError[];
  /** The error with which the wire ended. */
  readonly closed: Promise<GatewayError>;
  /** The first message that matches. */
  message(pattern: RegExp): Promise<RegExpExecArray>;
}

type Replica = StdioOptions["replica"];

async function open(replica: Partial<Replica> & Pick<Replica, "command">, maxMessageBytes = 2 ** 26): Promise<Heard> {
  const [messages, strays, stderr]: [string[], string[], string[]] = [[], [], []];
  const retired: GatewayError[] = [];
  const closed = Promise.withResolvers<GatewayError>();
  const options: StdioOptions = {
    backend: "b",
    replica: { kind: "stdio", args: [], env: {}, cwd: undefined, inheritEnv: false, ...replica },
    maxMessageBytes,
    stderr: (line) => stderr.push(line),
    stray: (what) => strays.push(what),
  };
  const events = {
    message: (bytes: Uint8Array) => void messages.push(Buffer.from(bytes).toString("utf8")),
    waiting: () => true,
    congestion: () => undefined,
    paused: () => {},
    retired: (error: GatewayError) => void retired.push(error),
    closed: (error: GatewayError) => closed.resolve(error),
  };
  const transport = await openStdio(options, events, new Scope());
  return {
    transport,
    messages,
    strays,
    stderr,
    retired,
    closed: closed.promise,
    message: async (pattern) => {
      const find = (): RegExpExecArray | undefined =>
        messages.map((each) => pattern.exec(each)).find((each) => each !== null) ?? undefined;
      await until(() => find() !== undefined, `a message like ${String(pattern)}`);
      const found = find();
      if (found === undefined) throw new Error("unreachable");
      return found;
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

function raw(...flags: string[]): Pick<Replica, "command" | "args"> {
  const [command, args] = runtimeCommand("test/kit/raw-server.ts", "stdio", ...flags);
  return { command, args };
}

const shell = (script: string): Pick<Replica, "command" | "args"> => ({ command: "/bin/sh", args: ["-c", script] });

test("stdio: messages are lines; what is no message is a stray and costs no answer", async () => {
  await using child = await open(raw("--garbage"));
  await child.transport.send(message(1, "ping"), 1, new Scope());
  // A message in several lines is one line on the wire.
  await child.transport.send(utf8('{"jsonrpc":"2.0",\n "id":2,\r\n "method":"ping"}'), 2, new Scope());
  await child.message(/"id":1,/);
  await child.message(/"id":2,/);
  assert.ok(child.strays.some((what) => what.includes("Starting server…")));
  assert.ok(child.strays.some((what) => what.includes("null")));
});

test("stdio: 10 MB go up and come down, and a message over the limit ends the wire with a clear error", async () => {
  const bytes = 10 * 2 ** 20;
  await using child = await open(raw());
  await child.transport.send(callOf(1, "echo", { text: "x".repeat(bytes) }), 1, new Scope());
  await child.message(/^\{"jsonrpc":"2.0","id":1,"result":/);
  assert.ok((child.messages[0]?.length ?? 0) > bytes);
  await using small = await open(raw(), 10_000);
  await small.transport.send(callOf(1, "big", { bytes: 20_000 }), 1, new Scope());
  const error = await small.closed;
  assert.match(error.message, /backend "b" sent a message of over 10000 bytes; raise limits\.message/);
});

test("stdio: a program that is not there or cannot run is a failed start, not a crash", async () => {
  for (const command of ["no-such-program-anywhere", "/", "/etc/passwd"]) {
    const error: unknown = await open({ command }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof GatewayError, command);
    assert.deepEqual([error.code, error.data["sent"]], ["spawnFailed", false]);
    assert.match(error.message, /backend "b" could not be started/);
  }
});

test("stdio: a child that exits says how, with its last words, and takes no new message", async () => {
  await using child = await open(shell("echo 'no token given' >&2; printf 'cut off' >&2; exit 7"));
  const error = await child.closed;
  assert.match(error.message, /backend "b" exited with code 7 after \d+ ms; it said: (no token given|cut off)/);
  assert.ok(child.stderr.includes("no token given"));
  assert.deepEqual([child.retired[0]?.code, child.retired[0]?.data["sent"]], ["exited", false]);
  await assert.rejects(child.transport.send(message(1, "ping"), 1, new Scope()), {
    code: "exited",
    data: { sent: false },
  });
});

test("stdio: a child does not see the gateway's secrets, but its own variables", async () => {
  process.env["MCPCTL_TEST_SECRET"] = "secret";
  try {
    const script = 'echo "{\\"seen\\":\\"[$MCPCTL_TEST_SECRET][$OWN][${PATH:+path}]\\"}"';
    await using alone = await open({ ...shell(script), env: { OWN: "own" } });
    assert.equal((await alone.message(/seen":"(.*)"/))[1], "[][own][path]");
    await using all = await open({ ...shell(script), inheritEnv: true });
    assert.equal((await all.message(/seen":"(.*)"/))[1], "[secret][][path]");
  } finally {
    delete process.env["MCPCTL_TEST_SECRET"];
  }
});

test("stdio: close ends a polite child at once, by the end of its input", async () => {
  const child = await open(raw("--grandchild"));
  await child.transport.send(callOf(1, "pid"), 1, new Scope());
  const [, pid = "", grandchild = ""] = await child.message(/pid\\":(\d+).*grandchild\\":(\d+)/);
  await Promise.all([child.transport.close(), child.transport.close()]);
  await gone(Number(pid), Number(grandchild));
  // Not by a signal, which would come next.
  assert.match((await child.closed).message, /exited with code 0/);
});

test("stdio: close ends a child that ignores it, its grandchild, and a grandchild that holds the pipes", async () => {
  const stubborn = await open(raw("--grandchild", "--ignore-sigterm"));
  // The grandchild keeps stdout open and outlives its parent.
  const holder = await open(shell('sleep 300 & echo "{\\"held\\":$!}"; exit 0'));
  await stubborn.transport.send(callOf(1, "pid"), 1, new Scope());
  const [, pid = "", grandchild = ""] = await stubborn.message(/pid\\":(\d+).*grandchild\\":(\d+)/);
  const [, held = ""] = await holder.message(/held":(\d+)/);
  assert.ok(isAlive(Number(grandchild)));
  await Promise.all([stubborn.transport.close(), holder.closed, gone(Number(held))]);
  await gone(Number(pid), Number(grandchild));
  await holder.transport.close();
});

test("stdio: a child that floods stderr or never reads does not stop the wire of others or grow without bound", async () => {
  await using noisy = await open(raw("--stderr-lines", "20000"));
  await noisy.transport.send(message(1, "ping"), 1, new Scope());
  await noisy.message(/"id":1,/);
  assert.ok(noisy.stderr.length > 10 && noisy.stderr.length < 5000, `${noisy.stderr.length} lines of 20000`);
  const deaf = await open(shell("sleep 300"));
  const big = callOf(1, "echo", { text: "x".repeat(2 ** 24) });
  let refusal: unknown;
  for (let id = 1; id <= 8; id++) {
    // What waits in the pipe is answered when the pipe breaks.
    deaf.transport.send(big, id, new Scope()).catch((error: unknown) => (refusal ??= error));
  }
  await until(() => refusal !== undefined, "a child that does not read is noticed");
  assert.ok(refusal instanceof GatewayError);
  assert.match(refusal.message, /does not read its input/);
  assert.equal(refusal.data["sent"], false);
  await deaf.transport.close();
});
