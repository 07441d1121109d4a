// One backend's snapshot: read once for all who ask, never spoilt by a link that is gone, never read without end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Backend } from "../../lib/backend/backend.ts";
import { planDefaults } from "../../lib/config/plan.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { silentObserver } from "../../lib/core/observer.ts";
import { Scope } from "../../lib/core/scope.ts";
import type { ListingKind } from "../../lib/core/nouns.ts";
import { legacyCodec } from "../../lib/protocol/legacy.ts";
import { Shelf } from "../../lib/route/shelf.ts";
import { TestWire } from "../backend/link-kit.ts";
import { planOf } from "./kit.ts";

const gone = new GatewayError("lost", "the wire broke", { data: { sent: true } });

/** A shelf of a backend that is only a name, and a wire whose server has tools. */
async function withShelf(run: (shelf: Shelf, changes: ListingKind[]) => Promise<void>): Promise<void> {
  // Nobody listens there, and nothing is sent to it.
  const plan = planOf("b", "http://127.0.0.1:1/mcp");
  const client = { name: "test", version: "1", capabilities: {} };
  const options = {
    plan,
    client,
    codec: legacyCodec,
    maxMessageBytes: 1_000,
    peer: new TestWire(),
    observer: silentObserver,
  };
  const backend = new Backend(options, { up: () => {}, down: () => {}, leads: () => {} });
  const changes: ListingKind[] = [];
  try {
    await run(
      new Shelf(backend, {
        limits: () => ({ ...planDefaults.limits, pages: 3, items: 5 }),
        changed: (kind) => changes.push(kind),
        share: (_kind, slab) => slab,
        shape: (_kind, slab) => slab,
        judge: (_kind, slab) => slab,
        troubled: () => {},
      }),
      changes,
    );
  } finally {
    await backend.close(new Scope());
  }
}

function wireWithTools(): TestWire {
  const wire = new TestWire();
  wire.link.negotiated({
    protocolVersion: "2025-11-25",
    capabilities: { tools: { listChanged: true } },
    serverInfo: {},
    instructions: undefined,
  });
  return wire;
}

const list = (wire: TestWire, names: readonly string[], cursor?: string): void => {
  const tools = names.map((name) => ({ name }));
  wire.receive(JSON.stringify({ jsonrpc: "2.0", id: wire.last["id"], result: { tools, nextCursor: cursor } }));
};
const names = (shelf: Shelf): unknown => shelf.get("tools")?.slab.locals;
const errorOf = (shelf: Shelf): GatewayError | undefined => shelf.get("tools")?.trouble?.error;
/** Lets what was resolved go on. */
const turn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve));

test("shelf: many who ask at once cause one reading, and a change is told once", () =>
  withShelf(async (shelf, changes) => {
    const wire = wireWithTools();
    const readings = [1, 2, 3].map(() => shelf.refresh(wire.link, "tools", false));
    assert.equal(wire.sent.length, 1);
    list(wire, ["x"], "next");
    await turn();
    list(wire, ["y"]);
    await Promise.all(readings);
    assert.deepEqual([names(shelf), changes, wire.sent.length], [["x", "y"], ["tools"], 2]);
    assert.ok(!shelf.needsReading(wire.link, "tools"));
  }));

test("shelf: what was missed while a listing was read the first time is looked for when that is over", () =>
  withShelf(async (shelf) => {
    const wire = wireWithTools();
    const reading = shelf.refresh(wire.link, "tools", false);
    shelf.missed(wire.link);
    list(wire, ["old"]);
    await turn();
    list(wire, ["new"]);
    await reading;
    assert.deepEqual([names(shelf), wire.sent.length], [["new"], 2]);
  }));

test("shelf: a reading on a link that died is done again on the next one, and spoils nothing", () =>
  withShelf(async (shelf, changes) => {
    const [dead, next] = [wireWithTools(), wireWithTools()];
    const reading = shelf.refresh(dead.link, "tools", false);
    dead.link.closed(gone);
    void shelf.refresh(next.link, "tools", true);
    await turn();
    list(next, ["x"]);
    await reading;
    assert.deepEqual([names(shelf), errorOf(shelf), changes], [["x"], undefined, ["tools"]]);
  }));

test("shelf: a reading that hangs on the old link ends when there is a new one", () =>
  withShelf(async (shelf) => {
    const [old, next] = [wireWithTools(), wireWithTools()];
    const reading = shelf.refresh(old.link, "tools", false);
    void shelf.refresh(next.link, "tools", true);
    await turn();
    assert.equal(old.last["method"], "notifications/cancelled");
    list(next, ["x"]);
    await reading;
    assert.deepEqual([names(shelf), errorOf(shelf)], [["x"], undefined]);
  }));

test("shelf: a dead link leaves what was known, says why it is stale, and the next reading mends it", () =>
  withShelf(async (shelf) => {
    const wire = wireWithTools();
    const first = shelf.refresh(wire.link, "tools", false);
    list(wire, ["x"]);
    await first;
    const readAt = shelf.get("tools")?.readAt;
    wire.link.closed(gone);
    await shelf.refresh(wire.link, "tools", true);
    assert.deepEqual([names(shelf), shelf.get("tools")?.readAt], [["x"], readAt]);
    // Who asks right after a failure is not kept waiting for the next one.
    assert.ok(errorOf(shelf) && !shelf.needsReading(wire.link, "tools"));
    const next = wireWithTools();
    const reading = shelf.refresh(next.link, "tools", false);
    list(next, ["x"]);
    await reading;
    assert.equal(errorOf(shelf), undefined);
  }));

test("shelf: a backend that says changed whenever it is asked is not read without end", () =>
  withShelf(async (shelf) => {
    const wire = wireWithTools();
    const reading = shelf.refresh(wire.link, "tools", false);
    for (let asked = 0; asked < 10 && shelf.readingSince("tools") !== undefined; asked += 1) {
      void shelf.refresh(wire.link, "tools", true);
      list(wire, [`t${asked}`]);
      await turn();
    }
    await reading;
    assert.equal(wire.sent.length, 3);
    wire.link.closed(gone);
  }));

test("shelf: circles and endless listings fail, and keep what was known", () =>
  withShelf(async (shelf) => {
    const wire = wireWithTools();
    for (const [pages, why] of [
      [["a", "a"], /cursor that it gave before/],
      [["a", "b", "c"], /more than 3 pages/],
    ] as const) {
      const reading = shelf.refresh(wire.link, "tools", false);
      for (const cursor of pages) {
        list(wire, [], cursor);
        await turn();
      }
      await reading;
      assert.match(errorOf(shelf)?.message ?? "", why);
    }
    const many = shelf.refresh(wire.link, "tools", false);
    list(wire, ["1", "2", "3", "4", "5", "6"]);
    await many;
    assert.match(errorOf(shelf)?.message ?? "", /more than 5 items/);
  }));

test("shelf: a backend without the method, or without the capability, has an empty listing", () =>
  withShelf(async (shelf) => {
    const wire = wireWithTools();
    const reading = shelf.refresh(wire.link, "tools", false);
    wire.receive(JSON.stringify({ jsonrpc: "2.0", id: wire.last["id"], error: { code: -32601, message: "no" } }));
    await reading;
    await shelf.refresh(wire.link, "prompts", false);
    assert.deepEqual(
      [names(shelf), errorOf(shelf), shelf.get("prompts")?.slab.locals, wire.sent.length],
      [[], undefined, [], 1],
    );
  }));
