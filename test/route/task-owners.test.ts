// Whose tasks are that another process had made: asked of what all processes can read, sparingly, and said where it cannot be.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Wire } from "../../lib/core/wire.ts";
import { WireOwners } from "../../lib/route/shared-owners.ts";
import { planOf, type TestClient, TestNet } from "./kit.ts";
import { type McpPeer, servePeer } from "./peer.ts";

/** A backend that keeps tasks of whomever for whoever asks. */
function keeperOf(ids: readonly string[]): Promise<McpPeer> {
  return servePeer(
    { tasks: { list: {} } },
    {
      "tasks/get": (to) => to.reply({ taskId: to.params["taskId"] }),
      "tasks/list": (to) => to.reply({ tasks: ids.map((taskId) => ({ taskId })) }),
    },
  );
}

/** What all processes can read. */
class Shared implements Pick<Wire, "read" | "write"> {
  readonly #kept = new Map<string, Readonly<Record<string, string>>>();
  reads = 0;
  /** The most reads that were under way at once. */
  most = 0;
  #underWay = 0;
  failure: Error | undefined;

  async read(key: string): Promise<Readonly<Record<string, string>>> {
    this.reads += 1;
    this.#underWay += 1;
    this.most = Math.max(this.most, this.#underWay);
    await new Promise((resolve) => void setImmediate(resolve));
    this.#underWay -= 1;
    if (this.failure) throw this.failure;
    return this.#kept.get(key) ?? {};
  }

  write(key: string, fields: Readonly<Record<string, string>>): Promise<void> {
    this.#kept.set(key, fields);
    return Promise.resolve();
  }
}

interface World extends AsyncDisposable {
  readonly ada: TestClient;
  readonly shared: Shared;
  /** Another process notes that a task is Ada's. */
  note(id: string): Promise<void>;
}

async function worldOf(ids: readonly string[]): Promise<World> {
  const keeper = await keeperOf(ids);
  const net = new TestNet([planOf("keeper", keeper.url)]);
  const shared = new Shared();
  const ownersAt = (): WireOwners => new WireOwners(shared, net.hub.sealer, { isSplit: () => false });
  net.hub.sessions.taskOwners.shared = ownersAt();
  const ada = net.client({}, "", "ada");
  // The backend is known by then.
  await ada.request("tools/list");
  return {
    ada,
    shared,
    note: (id) => ownersAt().note("keeper", id, "ada"),
    async [Symbol.asyncDispose]() {
      await net[Symbol.asyncDispose]();
      await keeper[Symbol.asyncDispose]();
    },
  };
}

interface Listed {
  readonly ids: readonly string[];
  readonly partial: unknown;
}

async function list(client: TestClient): Promise<Listed> {
  const { tasks, _meta } = (await client.result("tasks/list")) as {
    tasks: readonly { taskId: string }[];
    _meta?: Readonly<Record<string, unknown>>;
  };
  return { ids: tasks.map(({ taskId }) => taskId), partial: _meta?.["mcpctl/partial"] };
}

const many = Array.from({ length: 500 }, (_, at) => `t${at}`);

/** What is remembered for some seconds is so on a slow machine too. */
function freezeClock({ mock }: TestContext): void {
  const now = Date.now();
  mock.method(Date, "now", () => now);
}

test("task owners: of many tasks of others a few are asked for at once, and none of them with the next list", async (context) => {
  await using world = await worldOf(many);
  freezeClock(context);
  const { ada, shared } = world;
  await world.note("t7");
  assert.deepEqual(await list(ada), { ids: ["t7"], partial: undefined });
  assert.equal(shared.reads, many.length);
  assert.ok(shared.most <= 64, `${shared.most} at once`);
  assert.deepEqual((await list(ada)).ids, ["t7"]);
  assert.equal(shared.reads, many.length);
});

test("task owners: several lists of one principal do not add up to more", async (context) => {
  await using world = await worldOf(many);
  freezeClock(context);
  await Promise.all([list(world.ada), list(world.ada), list(world.ada)]);
  assert.equal(world.shared.reads, many.length);
  assert.ok(world.shared.most <= 64, `${world.shared.most} at once`);
});

test("task owners: one that was not there when tasks were listed is there when it is asked for, and listed then", async () => {
  await using world = await worldOf(["t0", "t1"]);
  const { ada } = world;
  assert.deepEqual((await list(ada)).ids, []);
  assert.equal((await ada.request("tasks/get", { taskId: "t1" }))?.error?.code, -32602);
  await world.note("t1");
  assert.equal((await ada.result("tasks/get", { taskId: "t1" }))["taskId"], "t1");
  assert.deepEqual((await list(ada)).ids, ["t1"]);
});

test("task owners: one that was not there when tasks were listed is listed some seconds later", async (context) => {
  await using world = await worldOf(["t0"]);
  const { ada } = world;
  assert.deepEqual((await list(ada)).ids, []);
  await world.note("t0");
  const { now } = Date;
  context.mock.method(Date, "now", () => now() + 10_000);
  assert.deepEqual((await list(ada)).ids, ["t0"]);
});

test("task owners: a list says what nobody can tell of, and nobody is told that their task is unknown", async () => {
  await using world = await worldOf(many);
  const { ada, shared } = world;
  await world.note("t3");
  await ada.result("tasks/get", { taskId: "t3" });
  await world.note("t4");
  shared.failure = new Error("away");
  shared.reads = 0;
  const { ids, partial } = await list(ada);
  assert.deepEqual(ids, ["t3"]);
  const message = 'the other processes of the gateway cannot be asked whose 499 tasks of backend "keeper" are';
  assert.deepEqual(partial, [{ backend: "keeper", state: "incomplete", code: "E4121", message }]);
  // Each read may take seconds to fail.
  assert.ok(shared.reads <= 64, `${shared.reads} reads`);
  const refused = (await ada.request("tasks/get", { taskId: "t4" }))?.error as { data?: { code?: string } } | undefined;
  assert.equal(refused?.data?.code, "E4121");
  // When it is back nothing is left of that.
  shared.failure = undefined;
  assert.equal((await ada.result("tasks/get", { taskId: "t4" }))["taskId"], "t4");
  assert.deepEqual(await list(ada), { ids: ["t3", "t4"], partial: undefined });
});
