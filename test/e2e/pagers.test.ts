// Servers that page badly, all behind one gateway: the others' items are listed in time, and the bad ones are named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient, type RawStream } from "../kit/raw-client.ts";
import { type McpPeer, servePeer } from "../route/peer.ts";
import { deadUrl, Gateway, recordOf, timed, until } from "./kit.ts";

const limits = { timeout: 120_000 };

type Answer = object | "hang";

const page = (names: readonly string[], nextCursor?: string): object => ({
  result: { tools: names.map((name) => ({ name, inputSchema: { type: "object" } })), nextCursor },
});

/** What each server answers to the page of a cursor; a mended one has two pages and ends. */
const bad: Readonly<Record<string, (at: number) => Answer>> = {
  cycle: (at) => page([`p${at % 3}`], String((at + 1) % 3)),
  same: () => page(["only"], "again"),
  endless: (at) => page([`p${at}`], String(at + 1)),
  hollow: (at) => page([], String(at + 1)),
  broken: (at) => (at === 0 ? page(["first"], "1") : { error: { code: -32_603, message: "no more" }, nextCursor: "2" }),
  hanging: (at) => (at < 2 ? page([`p${at}`], String(at + 1)) : "hang"),
};
const good: Readonly<Record<string, (at: number) => Answer>> = {
  empty: (at) => (at < 3 ? page([], at === 0 ? "" : String(at + 1)) : page(["late"])),
  wide: () => page(Array.from({ length: 10_000 }, (_, at) => `t${at}`)),
  plain: (at) => (at === 0 ? page(["a", "b"], "1") : page(["c"])),
};
const mended = (at: number): Answer => (at === 0 ? page(["healed"], "1") : page(["whole"]));

interface Pager {
  readonly peer: McpPeer;
  answers: (at: number) => Answer;
}

async function startPager(answers: (at: number) => Answer): Promise<Pager> {
  const pager = { answers };
  const peer = await servePeer(
    { tools: { listChanged: true } },
    {
      "tools/list": (exchange) => {
        const { cursor } = exchange.params;
        // An empty cursor is one like any other.
        const at = cursor === undefined ? 0 : cursor === "" ? 2 : Number(cursor);
        const answer = pager.answers(at);
        if (answer !== "hang") exchange.answer(answer);
      },
    },
  );
  return Object.assign(pager, { peer });
}

const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };

async function list(gateway: Gateway): Promise<{ names: string[]; partial: Map<string, Record<string, unknown>> }> {
  const client = new RawClient(`${gateway.url()}?pagination=off`);
  await client.initialize();
  const { tools, _meta, nextCursor } = recordOf(recordOf(JSON.parse(await client.request("tools/list")))["result"]);
  assert.equal(nextCursor, undefined);
  const partial = recordOf(_meta)["mcpctl/partial"];
  await client.delete();
  return {
    names: Array.isArray(tools) ? tools.map((tool) => String(recordOf(tool)["name"])) : [],
    partial: new Map(
      Array.isArray(partial) ? partial.map((each) => [String(recordOf(each)["backend"]), { ...recordOf(each) }]) : [],
    ),
  };
}

/** Counts what a stream says of tools until it is closed. */
function countChanges(stream: RawStream): { count: number } {
  const seen = { count: 0 };
  void (async () => {
    for (let event = await stream.next(); event; event = await stream.next())
      if (event.data.includes(changed.method)) seen.count += 1;
  })().catch(() => {});
  return seen;
}

test("pagers: bad ones cost the others nothing, are named, and their recovery is told once", limits, async () => {
  const pagers = new Map<string, Pager>();
  for (const [name, answers] of Object.entries({ ...bad, ...good })) pagers.set(name, await startPager(answers));
  const backends = Object.fromEntries([...pagers].map(([name, { peer }]) => [name, { url: peer.url }]));
  const timeouts = { connect: "3s" };
  await using gateway = await Gateway.start({
    timeouts: { list: "3s" },
    limits: { pages: 40 },
    backends: Object.fromEntries(
      Object.entries({ ...backends, dead: { url: deadUrl } }).map(([name, each]) => [name, { ...each, timeouts }]),
    ),
  });
  try {
    await gateway.up(...pagers.keys());
    const took = await timed(async () => {
      const { names, partial } = await list(gateway);
      for (const [backend, own] of [
        ["empty", ["late"]],
        ["plain", ["a", "b", "c"]],
      ] as const)
        assert.deepEqual(
          names.filter((name) => name.startsWith(`${backend}__`)),
          own.map((name) => `${backend}__${name}`),
        );
      assert.equal(names.filter((name) => name.startsWith("wide__")).length, 10_000);
      assert.deepEqual([...partial.keys()].toSorted(), [...Object.keys(bad), "dead"].toSorted());
    });
    assert.ok(took < 20_000, `the listing took ${took} ms`);
    await named(gateway);
    const client = await gateway.client();
    await using stream = await client.get();
    const changes = countChanges(stream);
    for (const name of Object.keys(bad)) {
      const before = changes.count;
      change(pagers, name, mended);
      await until(() => changes.count > before, `the recovery of ${name} is told`);
      // On a slow machine one more attempt at it may have failed before.
      await until(async () => {
        const { names, partial } = await list(gateway);
        const own = names.filter((each) => each.startsWith(`${name}__`));
        return !partial.has(name) && String(own) === `${name}__healed,${name}__whole`;
      }, `${name} is whole`);
    }
    // A change after all of them, so that nothing is still on its way.
    change(pagers, "plain", () => page(["last"]));
    await until(async () => (await list(gateway)).names.includes("plain__last"), "the last change is read");
    await until(() => changes.count > Object.keys(bad).length, "the last change is told");
    assert.equal(changes.count, Object.keys(bad).length + 1);
  } finally {
    for (const { peer } of pagers.values()) await peer[Symbol.asyncDispose]();
  }
});

test("pagers: one that says changed whenever it is asked is believed, but not again and again", limits, async () => {
  let asked = 0;
  let names = ["calm"];
  const peer: McpPeer = await servePeer(
    { tools: { listChanged: true } },
    {
      "tools/list": (exchange) => {
        asked += 1;
        exchange.answer(page(names));
        setImmediate(() => peer.push(changed));
      },
    },
  );
  await using _ = peer;
  await using gateway = await Gateway.start({ backends: { restless: { url: peer.url } } });
  await gateway.up("restless");
  const client = await gateway.client();
  await using stream = await client.get();
  const changes = countChanges(stream);
  const before = asked;
  // The first one was said before there was a stream.
  peer.push(changed);
  await until(() => asked >= before + 4, "it was asked again and again");
  for (let ping = 0; ping < 1000; ping += 1) await client.request("ping");
  assert.ok(changes.count <= 3, `${changes.count} changes were told`);
  names = ["new"];
  const told = changes.count;
  await until(() => changes.count > told, "a change of the items is told");
  assert.deepEqual((await list(gateway)).names, ["restless__new"]);
});

function change(pagers: ReadonlyMap<string, Pager>, name: string, answers: Pager["answers"]): void {
  const pager = pagers.get(name);
  assert.ok(pager);
  pager.answers = answers;
  pager.peer.push(changed);
}

/** Once every reading has failed: state, code and reason of each, in the listing and in /health. */
async function named(gateway: Gateway): Promise<void> {
  const expected: Readonly<Record<string, readonly [state: string, code: string, why: RegExp]>> = {
    cycle: ["incomplete", "E6020", /cursor that it gave before/],
    same: ["incomplete", "E6020", /cursor that it gave before/],
    endless: ["incomplete", "E6020", /more than 40 pages/],
    hollow: ["missing", "E6020", /more than 40 pages/],
    broken: ["incomplete", "E6020", /failed: no more/],
    hanging: ["incomplete", "E4120", /not complete after 3000 ms/],
    dead: ["missing", "E4101", /127\.0\.0\.1:1/],
  };
  const isOver = async (): Promise<boolean> => (await list(gateway)).partial.get("hanging")?.["state"] === "incomplete";
  await until(isOver, "the reading that hangs is given up", 30_000);
  const { partial, names } = await list(gateway);
  assert.ok(names.includes("cycle__p2") && names.includes("hanging__p1") && names.includes("broken__first"));
  const response = await fetch(gateway.url().replace(/mcp$/, "health"));
  const health = recordOf(recordOf(await response.json())["backends"]);
  for (const [backend, [state, code, why]] of Object.entries(expected)) {
    const told = partial.get(backend);
    assert.deepEqual([told?.["state"], told?.["code"]], [state, code], backend);
    assert.match(String(told?.["message"]), why);
    assert.ok(Date.parse(String(told?.["since"])) <= Date.now());
    if (backend === "dead") continue;
    const { listings } = recordOf(health[backend]);
    assert.ok(Array.isArray(listings) && listings.length === 1, backend);
    const shown = recordOf(listings[0]);
    assert.deepEqual([shown["kind"], shown["state"], shown["code"]], ["tools", state, code], backend);
  }
}
