// A process ends while its clients go to another one: what changes meanwhile is told to those who listen.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Engine, freePort, lacksEngine } from "../kit/engine.ts";
import { Member } from "../kit/fleet.ts";
import { RawClient } from "../kit/raw-client.ts";
import { type Exchange, servePeer } from "../route/peer.ts";

const uri = "test://watched";
const updated = { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } };

for (const when of ["before", "after"] as const)
  test(
    `leaving: a resource that changes ${when} the process ends, while the next one does not listen yet`,
    { timeout: 120_000, skip: lacksEngine },
    async () => {
      await using stack = new AsyncDisposableStack();
      const folder = mkdtempSync(join(tmpdir(), "leaving-"));
      stack.defer(() => rmSync(folder, { recursive: true, force: true }));
      const engine = stack.use(await Engine.start());
      const subscribed: Exchange[] = [];
      const peer = stack.use(
        await servePeer(
          { resources: { subscribe: true } },
          {
            "resources/list": (exchange) => exchange.reply({ resources: [{ uri, name: "watched" }] }),
            "resources/templates/list": (exchange) => exchange.reply({ resourceTemplates: [] }),
            "resources/unsubscribe": (exchange) => exchange.reply({}),
            // The first one is answered at once; the other process has to wait for it.
            "resources/subscribe": (exchange) => (subscribed.push(exchange) === 1 ? exchange.reply({}) : undefined),
          },
        ),
      );
      const file = join(folder, "mcpctl.json");
      const shared = { cluster: { url: engine.url }, sealKeys: ["the key of both of them"] };
      writeFileSync(file, JSON.stringify({ ...shared, backends: { b: { url: peer.url } } }));
      const [leaving, staying] = [new Member(await freePort(), file, []), new Member(await freePort(), file, [])];
      await leaving.start();
      const one = new RawClient(leaving.url);
      await one.initialize("2025-11-25");
      const first = await one.get();
      await one.request("resources/subscribe", { uri });
      // Its link has the first of the streams.
      await peer.until(() => peer.asked.length === 1);
      await staying.start();
      stack.defer(() => staying.stop());
      const two = new RawClient(staying.url);
      two.sessionId = one.sessionId;
      two.protocolVersion = one.protocolVersion;
      await two.request("ping");

      const stopped = leaving.stop();
      while (await first.next());
      await using second = await two.get();
      await peer.until(() => subscribed.length === 2);
      if (when === "after") await stopped;
      peer.push(updated, undefined, 0);
      if (when === "after") subscribed[1]?.reply({});
      for (let event = await second.next(); ; event = await second.next()) {
        assert.ok(event, "the stream has ended");
        if (event.data.includes(updated.method)) break;
      }
      if (when === "before") subscribed[1]?.reply({});
      await stopped;
    },
  );
