// A change that one process hears of: the others tell their clients where their own link does not hear of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../lib/core/scope.ts";
import { Peers } from "../../lib/route/peers.ts";
import { until } from "../e2e/kit.ts";
import { planOf, TestNet } from "../route/kit.ts";
import { servePeer } from "../route/peer.ts";
import { connectBuses } from "./buses.ts";

const told = "notifications/tools/list_changed";
const marker = "notifications/prompts/list_changed";

for (const [what, refusal] of [
  ["has no stream", 405],
  ["hears it itself", undefined],
] as const)
  test(
    `cluster: a change that another process heard of, where the link here ${what}`,
    { timeout: 60_000 },
    async () => {
      const declared = { listChanged: true };
      await using peer = await servePeer(
        { tools: declared, prompts: declared },
        {
          "tools/list": (exchange) => exchange.reply({ tools: [{ name: "t" }] }),
          "prompts/list": (exchange) => exchange.reply({ prompts: [{ name: `p${peer.count("prompts/list")}` }] }),
        },
      );
      peer.refusal = refusal;
      await using net = new TestNet([planOf("w", peer.url)]);
      const [here, there] = connectBuses(["0000000a", "0000000b"], () => Promise.resolve());
      assert.ok(here && there);
      const peers = new Peers(here, net.hub, net.router);
      try {
        const client = net.client();
        const heard = (method: string): number => client.heard.filter((each) => each.method === method).length;
        await client.result("tools/list");
        await until(() => heard(told) === 1 && heard(marker) === 1, "the first word");
        const backend = net.hub.topology.get("w");
        const owner = backend?.ownerOf("anonymous", "") ?? "";
        const link = backend?.find(owner)?.link;
        await until(() => peer.asked.length === 1 && link?.hears === (refusal === undefined), "it is known who hears");
        using scope = new Scope();
        for (const member of ["tools", "prompts"])
          await there.askAll("changed", { backend: "w", owner, member }, scope);
        // That listing is another one each time.
        await until(() => heard(marker) > 1, "the marker is told");
        assert.equal(heard(told), refusal === undefined ? 1 : 2);
      } finally {
        peers.close();
      }
    },
  );

test(
  "cluster: a change is told although the stream goes elsewhere before all know of it",
  { timeout: 60_000 },
  async () => {
    await using peer = await servePeer(
      { tools: { listChanged: true } },
      { "tools/list": (exchange) => exchange.reply({ tools: [{ name: `t${peer.count("tools/list")}` }] }) },
    );
    await using net = new TestNet([planOf("w", peer.url)]);
    const client = net.client();
    const heard = (): number => client.heard.filter(({ method }) => method === told).length;
    await client.result("tools/list");
    await until(() => heard() === 1 && peer.asked.length === 1, "the first word, and the stream of the link");
    const asked = Promise.withResolvers<void>();
    const known = Promise.withResolvers<void>();
    const [here] = connectBuses(["0000000a", "0000000b"], async () => {
      asked.resolve();
      await known.promise;
    });
    assert.ok(here);
    const peers = new Peers(here, net.hub, net.router);
    net.hub.join(peers);
    try {
      peer.push({ jsonrpc: "2.0", method: told });
      await asked.promise;
      client.session.home = "0000000b";
      known.resolve();
      await until(() => heard() === 2, "the change is told");
    } finally {
      peers.close();
    }
  },
);
