// Gateway processes behind nginx are killed, one at a time and under load: nothing is lost that may run twice, nothing else
// runs twice, and no session and no subscription ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertTruthful, type Era, HttpReplica, Records, startGateway } from "../chaos/kit.ts";
import { Gateway, recordOf } from "../e2e/kit.ts";
import { lacksFleet } from "../kit/engine.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { RawClient } from "../kit/raw-client.ts";
import { killMembers } from "./rolling.ts";

const size = { sessions: 5, subscriptions: 5, callsPerSecond: 30 };

test(
  "kills: a gateway that is killed loses no session and no call that may run twice",
  { timeout: 280_000, skip: lacksFleet },
  async () => {
    const { failures, outcomes, executions } = await killMembers(size, 2);
    assert.deepEqual(failures, []);
    const unsafe = outcomes.filter(({ tool }) => tool === "n__add");
    const lost = outcomes.filter((outcome) => !unsafe.includes(outcome) && outcome.text === undefined);
    assert.deepEqual(lost, []);
    assertTruthful(unsafe, executions);
  },
);

const repeated = { "mcpctl-repeated": "1" };

for (const era of ["legacy", "modern"] as const satisfies readonly Era[]) {
  test(`kills: of what a balancer sends again a gateway runs what may run twice, for a ${era} client`, async () => {
    using records = new Records();
    await using server = await HttpReplica.start(records.file("r"));
    await using gateway = await startGateway({ n: { url: server.url, retry: { tools: ["declared"] } } });
    const client = new RawClient(gateway.url());
    if (era === "legacy") await client.initialize();
    const send = async (
      method: string,
      params: Readonly<Record<string, unknown>>,
    ): Promise<Readonly<Record<string, unknown>>> => {
      const { body, headers } =
        era === "legacy"
          ? { body: { jsonrpc: "2.0", id: 1, method, params }, headers: {} }
          : modernRequest(method, params);
      const { messages } = await client.post(body, { ...headers, ...repeated });
      return recordOf(JSON.parse(messages.at(-1) ?? "{}"));
    };
    const call = (name: string) => send("tools/call", { name, arguments: { nonce: name } });
    // Not even the listing has been read here.
    for (const name of ["n__read", "n__put", "n__declared"]) assert.ok((await call(name))["result"], name);
    const { message, data } = recordOf((await call("n__add"))["error"]);
    assert.match(String(message), /the process of the gateway that had this call of backend "n" is gone/);
    assert.equal(recordOf(data)["class"], "unknown");
    assert.ok((await send("tools/list", {}))["result"]);
    assert.deepEqual([...records.executions("r").keys()], ["n__read", "n__put", "n__declared"]);
  });
}

test("kills: whether it may run twice is found out when its server is there", async () => {
  using records = new Records();
  await using server = await HttpReplica.start(records.file("r"));
  server.signal("SIGSTOP");
  await using gateway = await Gateway.start({ backends: { n: { url: server.url } }, timeouts: { list: "2s" } });
  const client = await gateway.client();
  const params = { name: "n__read", arguments: { nonce: "late" } };
  const answer = client.post({ jsonrpc: "2.0", id: 1, method: "tools/call", params }, repeated);
  // A listing does not wait for it.
  await client.request("tools/list");
  server.signal("SIGCONT");
  const { messages } = await answer;
  assert.ok(recordOf(JSON.parse(messages.at(-1) ?? "{}"))["result"], messages.join(""));
});
