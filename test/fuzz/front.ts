// The HTTP front under requests that nobody sends by mistake: many connections at once, each answer looked at.
import assert from "node:assert/strict";
import { Gateway, rawStdio } from "../e2e/kit.ts";
import { Connection, openSession } from "./connection.ts";
import { type Memory, Requests } from "./http-requests.ts";
import { Messages } from "./messages.ts";
import { Random } from "./random.ts";
import { type Outcome, Watch } from "./watch.ts";

const lanes = 32;
/** For an answer to something that is whole, and to what may be half of something. */
const patienceMs = 30_000;
const shortMs = 60;

export async function fuzzFront(total: number, seed: number): Promise<Outcome> {
  const timeouts = { call: "2s" };
  await using gateway = await Gateway.start({
    backends: { time: { ...rawStdio("--tools", "now,echo"), timeouts }, text: { ...rawStdio(), timeouts } },
    front: { sse: true },
    limits: { sessions: 200, body: "64KiB", streams: 50 },
    timeouts: { resume: "100ms", drain: "1s", session: "1m" },
  });
  await gateway.up("time", "text");
  const watch = new Watch("HTTP front", gateway, total);
  const port = Number(new URL(gateway.url()).port);
  const unanswered: string[] = [];
  let left = total;
  const work = async (lane: number): Promise<void> => {
    const random = new Random(seed + lane * 7919);
    const memory: Memory = { sessions: [] };
    const requests = new Requests(random, new Messages(random, seed + lane), memory);
    const connection = new Connection(port);
    memory.sessions.push(await openSession(connection));
    while (left > 0) {
      left -= 1;
      const { bytes, isWhole } = requests.next();
      const reply = await connection.ask(bytes, isWhole ? patienceMs : shortMs);
      watch.sent();
      if (!reply) watch.count(isWhole ? "no answer" : "no answer to half of something");
      else watch.judge(reply.status, reply.body, () => JSON.stringify(bytes.toString("latin1").slice(0, 2000)));
      // What it holds back of something damaged must not become a part of the next request.
      if (!isWhole) connection.close();
      if (!reply && isWhole) unanswered.push(bytes.toString("latin1").slice(0, 500));
      const [, session] = /\r\nmcp-session-id: (\S+)/i.exec(reply?.head ?? "") ?? [];
      if (session !== undefined) memory.sessions.push(session);
      if (memory.sessions.length > 100) memory.sessions.splice(1, 50);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane)));
  // Whoever is not answered has at least been told so: nothing that is whole may hang.
  assert.deepEqual(unanswered, []);
  return await watch.finish("time__now");
}
