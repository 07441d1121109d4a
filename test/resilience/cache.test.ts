// Kept answers: for as long as they hold, for whom they may be, within their bytes, once for many, and old ones for want of new.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Cache, type Keep } from "../../lib/resilience/cache.ts";
import { simulate } from "./kit.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A server that counts how often it is asked, and says of each answer how long it holds. */
class Server {
  asked = 0;
  keep: Keep = { ttlMs: 1_000, isPublic: false };
  fails = false;
  readonly cache: Cache;
  constructor(staleMs = 0, bytes = 100_000) {
    this.cache = new Cache({ bytes, staleMs });
  }
  async get(own: string, shared: string): Promise<string> {
    const ask = async (): Promise<Uint8Array> => {
      const asked = (this.asked += 1);
      await Promise.resolve();
      if (this.fails) throw new Error("gone");
      return text(`${own} ${shared} ${asked}`);
    };
    const { answer, leftMs } = await this.cache.read({ own, shared }, ask, () => this.keep);
    return leftMs === undefined ? read(answer) : `${read(answer)} (${leftMs} left)`;
  }
}

function frozen(run: (pass: (ms: number) => void) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = { now: 1_000_000 };
    const dated = mock.method(Date, "now", () => clock.now);
    try {
      await run((ms) => {
        clock.now += ms;
      });
    } finally {
      dated.mock.restore();
    }
  };
}

test(
  "cache: an answer is given again until its time is over, and says what is left of it",
  frozen(async (pass) => {
    const server = new Server();
    assert.equal(await server.get("me", "a"), "me a 1");
    pass(400);
    assert.equal(await server.get("me", "a"), "me a 1 (600 left)");
    pass(600);
    assert.equal(await server.get("me", "a"), "me a 2");
    assert.equal(await server.get("me", "b"), "me b 3");
    const { hits, misses } = server.cache.counts;
    assert.deepEqual([hits, misses], [1, 3]);
  }),
);

test("cache: nobody gets another one's answer unless it is public", async () => {
  const server = new Server();
  await server.get("me", "a");
  assert.equal(await server.get("you", "a"), "you a 2");
  server.keep = { ttlMs: 60_000, isPublic: true };
  await server.get("me", "b");
  assert.match(await server.get("you", "b"), /^me b 3 /);
});

test("cache: an answer without a time is neither kept nor shared", async () => {
  const server = new Server();
  server.keep = { ttlMs: 0, isPublic: true };
  const all = await Promise.all([server.get("me", "a"), server.get("me", "a"), server.get("me", "a")]);
  assert.equal(new Set(all).size, 3);
  assert.equal(server.cache.counts.bytes, 0);
});

test("cache: many who ask at the same time ask once, and a failure is everybody's own", async () => {
  const server = new Server();
  const all = await Promise.all(Array.from({ length: 10 }, () => server.get("me", "a")));
  assert.deepEqual([new Set(all).size, server.asked, server.cache.counts.joined], [1, 1, 9]);
  server.fails = true;
  const failed = await Promise.allSettled([server.get("me", "b"), server.get("me", "b")]);
  assert.ok(failed.every(({ status }) => status === "rejected"));
});

test(
  "cache: an old answer stands in for one that cannot be had, for as long as that is allowed",
  frozen(async (pass) => {
    const server = new Server(5_000);
    await server.get("me", "a");
    server.fails = true;
    pass(3_000);
    assert.equal(await server.get("me", "a"), "me a 1 (0 left)");
    pass(3_001);
    await assert.rejects(server.get("me", "a"), /gone/);
  }),
);

test("cache: what has changed is asked for again, also where the answer was on its way", async () => {
  const server = new Server();
  const pending = server.get("me", "a");
  server.cache.drop((shared) => shared === "a");
  await pending;
  assert.equal(await server.get("me", "a"), "me a 2");
  server.cache.drop((shared) => shared === "b");
  assert.match(await server.get("me", "a"), /^me a 2 /);
});

test("cache: over a hundred thousand steps it holds no more than its bytes, nothing old and nothing of others", async () => {
  const world = simulate(9);
  const dated = mock.method(Date, "now", () => world.now);
  try {
    const limit = 20_000;
    const cache = new Cache({ bytes: limit, staleMs: 0 });
    const versions = new Map<string, number>();
    let hits = 0;
    for (let step = 0; step < 100_000; step += 1) {
      world.now += world.below(20);
      const [own, shared] = [`p${world.below(3)}`, `r${world.below(40)}`];
      const isPublic = shared.endsWith("0");
      const madeAt = world.now;
      const answer = text(`${isPublic ? "*" : own} ${shared} ${madeAt} ${"x".repeat(world.below(2_000))}`);
      const keep = { ttlMs: 500, isPublic };
      const got = await cache.read(
        { own, shared },
        () => Promise.resolve(answer),
        () => keep,
      );
      const [who, what, when] = read(got.answer).split(" ");
      assert.ok(who === "*" || who === own);
      assert.equal(what, shared);
      assert.ok(world.now - Number(when) < 500);
      assert.ok(Number(when) >= (versions.get(shared) ?? 0), "it was dropped");
      assert.ok(cache.counts.bytes <= limit);
      if (got.leftMs !== undefined) hits += 1;
      if (world.chance(0.01)) {
        cache.drop((key) => key === shared);
        versions.set(shared, world.now);
      }
    }
    assert.ok(hits > 1_000, `${hits}`);
  } finally {
    dated.mock.restore();
  }
});
