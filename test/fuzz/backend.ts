// Hostile backends over HTTP and stdio under many calls: each call has one answer, and a good backend beside them serves.
import assert from "node:assert/strict";
import { Gateway, rawStdio } from "../e2e/kit.ts";
import { runtimeCommand } from "../kit/process.ts";
import { Connection, openSession, post } from "./connection.ts";
import { serveHostile } from "./hostile.ts";
import { Messages } from "./messages.ts";
import { Random } from "./random.ts";
import { isMessage, type Outcome, Watch } from "./watch.ts";

const lanes = 32;
const patienceMs = 20_000;

/** `kind`: over which transport the backend is hostile. */
export async function fuzzBackend(kind: "http" | "stdio", total: number, seed: number): Promise<Outcome> {
  const random = new Random(seed);
  await using hostile = await serveHostile(random, new Messages(random, seed));
  const [command, args] = runtimeCommand("test/fuzz/hostile-server.ts", String(seed));
  const plain = { breaker: { disabled: true }, retry: { attempts: 1, wait: "0s" }, protocol: "legacy" };
  const timeouts = { call: "500ms", health: "0s", down: "10ms" };
  const bad = kind === "http" ? { url: hostile.url, transport: "streamable" } : { command, args };
  await using gateway = await Gateway.start({
    backends: { bad: { ...bad, ...plain, timeouts }, good: rawStdio("--tools", "now") },
    limits: { message: "1MiB" },
    timeouts: { resume: "100ms", drain: "1s" },
  });
  await gateway.up("bad", "good");
  const watch = new Watch(`hostile backend, ${kind}`, gateway, total);
  const port = Number(new URL(gateway.url()).port);
  let left = total;
  const work = async (): Promise<void> => {
    const connection = new Connection(port);
    const sessionId = await openSession(connection);
    while (left > 0) {
      left -= 1;
      const id = `c${left}`;
      const reply = await connection.ask(callOf(id, sessionId), patienceMs);
      watch.sent();
      assert.ok(reply, `no answer to ${id}`);
      watch.judge(reply.status, reply.body, () => id);
      const isStream = /text\/event-stream/.test(reply.head);
      if (isStream) watch.count("streams");
      else assert.ok(isMessage(reply.body), `${reply.status} ${reply.body.slice(0, 300)}`);
      if (!isStream) assert.ok(reply.body.includes(`"${id}"`), reply.body.slice(0, 300));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: lanes }, work));
  const said = [...gateway.proc.stderr.matchAll(/backend bad: replies (\d+)/g)].map(([, count]) => Number(count));
  watch.count("replies that were odd, or may have been", kind === "http" ? hostile.replies : sumOfRuns(said));
  return await watch.finish("good__now");
}

/** A server that was started again counts anew. */
function sumOfRuns(counts: readonly number[]): number {
  return counts.reduce((sum, count, at) => sum + (count > (counts[at + 1] ?? 0) ? count : 0), 0);
}

function callOf(id: string, session: string): Buffer {
  const params = { name: "bad__go", arguments: {}, _meta: { progressToken: id } };
  return post({ jsonrpc: "2.0", id, method: "tools/call", params }, session);
}
