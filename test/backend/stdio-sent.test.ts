// What a child process can have executed: nothing that its input did not take, and perhaps all that it did.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openStdio } from "../../lib/backend/stdio.ts";
import type { Transport, TransportEvents } from "../../lib/backend/transport.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { encodeText } from "../../lib/core/text.ts";
import { until } from "../e2e/kit.ts";
import { runtime } from "../kit/process.ts";

interface End {
  readonly error: GatewayError;
  readonly unsent: readonly number[];
}

async function start(
  script: string,
): Promise<{ readonly wire: Transport; readonly closed: Promise<End>; readonly lines: string[] }> {
  const closed = Promise.withResolvers<End>();
  const lines: string[] = [];
  const events: TransportEvents = {
    message: (bytes) => void lines.push(Buffer.from(bytes).toString()),
    waiting: () => true,
    congestion: () => undefined,
    paused: () => {},
    retired: () => {},
    closed: (error, unsent = new Set()) => closed.resolve({ error, unsent: [...unsent] }),
  };
  const replica = {
    kind: "stdio",
    command: "/bin/sh",
    args: ["-c", script],
    env: {},
    cwd: undefined,
    inheritEnv: true,
  } as const;
  const options = { backend: "b", replica, maxMessageBytes: 1_000, stderr: () => {}, stray: () => {} };
  return { wire: await openStdio(options, events, new Scope()), closed: closed.promise, lines };
}

const message = (id: number): Uint8Array => encodeText(`{"jsonrpc":"2.0","id":${id},"method":"x"}`);

test("stdio: a call to a child that has left its input was not sent", async () => {
  const { wire, closed, lines } = await start(`exec 0<&-; echo '{"ready":1}'; exec sleep 20`);
  await until(() => lines.length > 0, "it is ready");
  const outcome = await wire.send(message(1), 1, new Scope()).catch((error: unknown) => error);
  // Bun tells of a broken pipe nowhere: there the call may have run, which is the safe side.
  if (outcome !== "open") assert.equal(outcome instanceof GatewayError && outcome.data["sent"], false);
  if (runtime === "deno") assert.notEqual(outcome, "open");
  await wire.close();
  await closed;
});

test("stdio: a call that the child took and then died of may have run", async () => {
  const { wire, closed } = await start("read line; exit 3");
  assert.equal(await wire.send(message(1), 1, new Scope()), "open");
  const { error, unsent } = await closed;
  assert.deepEqual([error.code, error.data["sent"], unsent], ["exited", true, []]);
  assert.match(error.message, /exited with code 3/);
  await wire.close();
});

test("stdio: what shares a write with a message that was read is never called unsent", async () => {
  // It reads one line and leaves; the second message, written together with the first, does not fit into a pipe.
  const { wire, closed } = await start("read line; sleep 0.3; exit 4");
  const large = encodeText(`{"jsonrpc":"2.0","id":2,"method":"x","params":{"text":"${"x".repeat(4_000_000)}"}}`);
  const sends = [wire.send(message(1), 1, new Scope()), wire.send(large, 2, new Scope())];
  assert.deepEqual(await Promise.all(sends), ["open", "open"]);
  const { error, unsent } = await closed;
  assert.deepEqual([error.data["sent"], unsent], [true, []]);
  await wire.close();
});

test("stdio: the last words of a crash are told, with or without a line end", async () => {
  const { wire, closed } = await start("read line; printf 'fatal: no disk' >&2; exit 5");
  await wire.send(message(1), 1, new Scope());
  assert.match((await closed).error.message, /fatal: no disk/);
  await wire.close();
});

test("stdio: an answer that was written right before the exit arrives", async () => {
  for (let time = 0; time < 10; time += 1) {
    const { wire, closed, lines } = await start(`read line; printf '{"id":1,"text":"%0900d"}\\n{"last":1}' 1; exit 0`);
    await wire.send(message(1), 1, new Scope());
    await closed;
    assert.deepEqual(
      lines.map(({ length }) => length),
      [918, 10],
    );
    await wire.close();
  }
});

test("stdio: a start that is called off leaves no process", async () => {
  const scope = new Scope();
  scope.cancel(new Error("off"));
  const replica = {
    kind: "stdio",
    command: "/bin/sh",
    args: ["-c", "sleep 20"],
    env: {},
    cwd: undefined,
    inheritEnv: true,
  } as const;
  const events: TransportEvents = {
    message() {},
    waiting: () => false,
    congestion: () => undefined,
    paused() {},
    retired() {},
    closed() {},
  };
  const options = { backend: "b", replica, maxMessageBytes: 1_000, stderr: () => {}, stray: () => {} };
  await assert.rejects(openStdio(options, events, scope), /off/);
});
