// A POST is delivered at most once, whatever the server does: counted by a server in a process of its own.
// POSTS sets how many; the default is the full count.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { HttpPool } from "../../lib/backend/pool.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { startScript } from "../kit/process.ts";
import { poolFor, random, text, utf8 } from "./pool-kit.ts";

const total = Number(process.env["POSTS"] ?? 100_000);
const workers = 64;

type Outcome = "answered" | "lost" | "notSent";

async function send(pool: HttpPool, id: number, large: boolean): Promise<Outcome> {
  using scope = new Scope();
  const body = utf8(String(id).padStart(20) + (large ? "x".repeat(200_000) : ""));
  try {
    const reply = await pool.request({ method: "POST", path: `/${id}`, headers: [], body }, scope);
    const answer = await text(reply);
    assert.equal(Number(answer), id, "the answer is another request's");
    return "answered";
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // A head or a chunk that was cut off by a FIN is no violation, only a loss.
    assert.ok(error.code === "lost" || error.code === "unreachable", error.message);
    assert.equal(error.data["sent"], error.code === "lost", error.message);
    return error.code === "lost" ? "lost" : "notSent";
  }
}

test(`pool: of ${total} POSTs to a server that breaks connections at random, none is delivered twice`, async () => {
  await using server = startScript("test/backend/unruly-server.ts", [String(total), "11"]);
  const port = (await server.line(/^listening (\d+)$/))[1];
  await using pool = poolFor(new URL(`http://127.0.0.1:${port}`));
  const outcomes: Outcome[] = [];
  const chance = random(5);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < total) {
      const id = next++;
      const outcome = await send(pool, id, chance() < 0.002);
      outcomes[id] = outcome;
      // Refused once, refused again for some milliseconds: other turns of the event loop must come in between.
      const turns = outcome === "notSent" ? 50 : chance() < 0.1 ? Math.ceil(chance() * 8) : 0;
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  server.write("report\n");
  const seen = Buffer.from((await server.line(/^seen (\S*)$/))[1] ?? "", "base64");

  const tally = { answered: 0, lostRead: 0, lostUnread: 0, notSent: 0 };
  assert.equal(seen.length, total);
  for (let id = 0; id < total; id++) {
    const [outcome, times = 0] = [outcomes[id], seen[id]];
    assert.ok(times <= 1, `POST ${id} was delivered ${times} times`);
    if (outcome === "answered") assert.equal(times, 1, `POST ${id} was answered without being delivered`);
    if (outcome === "notSent") assert.equal(times, 0, `POST ${id} was delivered and called "not sent"`);
    tally[outcome === "lost" ? (times === 1 ? "lostRead" : "lostUnread") : (outcome ?? "notSent")]++;
  }
  const { retried, reused, opened } = pool.stats;
  const counts = JSON.stringify({ ...tally, retried, reused, opened });
  assert.equal(tally.answered + tally.lostRead + tally.lostUnread + tally.notSent, total, counts);
  assert.equal(outcomes.filter((outcome) => outcome !== undefined).length, total, counts);
  assert.equal(retried, 0, counts);
  // Every way of failing has happened, and most requests went out on a warm connection.
  assert.ok(tally.lostRead > total / 100 && tally.lostUnread > total / 1000 && tally.notSent > 0, counts);
  assert.ok(reused > total / 2, counts);
  if (process.env["POSTS"] !== undefined) process.stderr.write(`${counts}\n`);
});
