// What a backend asks a client: ids and tokens made unique, answers brought home, and an end for every question.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeText } from "../../lib/core/text.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Asks } from "../../lib/route/asks.ts";
import { envelopeOf, TestWire } from "../backend/link-kit.ts";
import { planOf, TestNet } from "./kit.ts";
import { type Exchange, servePeer } from "./peer.ts";

const ask = (id: string, token = "null"): ReturnType<typeof envelopeOf> =>
  envelopeOf(`{"jsonrpc":"2.0","id":${id},"method":"roots/list","params":{"_meta":{"progressToken":${token}}}}`);

function open(asks: Asks, wire: TestWire, id: string, token?: string, cause?: object): string[] {
  const heard: string[] = [];
  asks.open(wire.link, ask(id, token), (message) => heard.push(decodeText(message)), cause);
  return heard;
}
const idOf = (heard: readonly string[]): number => (JSON.parse(heard[0] ?? "") as { id: number }).id;

test("asks: the same id of two backends stays apart, and each gets its answer under its own id", () => {
  const asks = new Asks();
  const wires = [new TestWire(), new TestWire()] as const;
  for (const [at, id] of ['"x"', "1e0"].entries()) {
    const heard = wires.map((wire) => open(asks, wire, id));
    for (const [index, wire] of wires.entries()) {
      const own = idOf(heard[index] ?? []);
      // A client may give the number back as text.
      assert.ok(
        asks.answer(envelopeOf(`{"jsonrpc":"2.0","id":${at === 0 ? own : `"${own}"`},"result":{"n":${index}}}`)),
      );
      assert.equal(wire.sent.at(-1)?.text, `{"jsonrpc":"2.0","id":${id},"result":{"n":${index}}}`);
      assert.ok(!asks.answer(envelopeOf(`{"jsonrpc":"2.0","id":${own},"result":{}}`)));
    }
  }
  assert.equal(asks.size, 0);
});

test("asks: progress of the client goes back under the backend's token", () => {
  const asks = new Asks();
  const wire = new TestWire();
  const own = idOf(open(asks, wire, "5", '"tok"'));
  const progress = (token: string): string =>
    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":1}}`;
  assert.ok(asks.progress(envelopeOf(progress(String(own)))));
  assert.equal(wire.sent.at(-1)?.text, progress('"tok"'));
  assert.ok(!asks.progress(envelopeOf(progress("99"))));
});

test("asks: a backend takes back its own question and no other's, and a late answer is ignored", () => {
  const asks = new Asks();
  const [wire, other] = [new TestWire(), new TestWire()];
  const heard = open(asks, wire, '"q"');
  const notice = envelopeOf(
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q","reason":"late"}}',
  );
  assert.ok(!asks.cancel(other.link, notice));
  assert.ok(asks.cancel(wire.link, notice));
  const own = idOf(heard);
  assert.equal(
    heard[1],
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${own},"reason":"late"}}`,
  );
  assert.ok(!asks.answer(envelopeOf(`{"jsonrpc":"2.0","id":${own},"result":{}}`)));
  assert.equal(wire.sent.length, 0);
});

test("asks: a link that ends takes its questions back, and leaves those of others", () => {
  const asks = new Asks();
  const [gone, alive] = [new TestWire(), new TestWire()];
  const heard = open(asks, gone, "1");
  const kept = open(asks, alive, "1");
  asks.drop(gone.link);
  const { method, params } = JSON.parse(heard[1] ?? "") as { method: string; params: { requestId: number } };
  assert.deepEqual([method, params.requestId], ["notifications/cancelled", idOf(heard)]);
  assert.deepEqual([kept.length, asks.size], [1, 1]);
});

test("asks: a client that leaves a call, or for good, answers with an error to whoever waits", () => {
  const asks = new Asks();
  const wire = new TestWire();
  const call = {};
  open(asks, wire, "1", "1", call);
  open(asks, wire, "2", "2", {});
  const answered = (): unknown[] => wire.sent.map(({ text }) => (JSON.parse(text) as { id: number }).id);
  asks.abandon(call);
  assert.deepEqual(answered(), [1]);
  asks.close();
  assert.deepEqual([answered(), asks.size], [[1, 2], 0]);
});

test("asks: a client that never answers does not fill the gateway", () => {
  const asks = new Asks();
  const wire = new TestWire();
  for (let id = 1; id <= 1_001; id += 1) open(asks, wire, String(id));
  assert.equal(asks.size, 1_000);
  assert.deepEqual(
    wire.sent.map(({ text }) => (JSON.parse(text) as { id: number }).id),
    [1_001],
  );
});

test("asks: a question comes before the result, and is taken back from the client when the backend goes", async () => {
  const held: Exchange[] = [];
  await using peer = await servePeer(
    { tools: {} },
    {
      "tools/call": (exchange) => {
        exchange.send({ jsonrpc: "2.0", id: "q", method: "roots/list" });
        held.push(exchange);
      },
    },
  );
  await using net = new TestNet([planOf("a", peer.url)]);
  const client = net.client({ roots: {} });
  const call = client.request("tools/call", { name: "a__t" });
  await client.until(() => client.streamed.length === 1);
  client.say({ id: client.streamed[0]?.id, result: { roots: [] } });
  await peer.until(() => peer.got.some(({ id, result }) => id === "q" && result !== undefined));
  held[0]?.reply({});
  assert.ok((await call)?.result);

  const second = client.request("tools/call", { name: "a__t" });
  await client.until(() => client.streamed.length === 2);
  const [uplink] = [...net.hub.topology.values()].map((backend) => net.hub.uplinkOf(backend, client.session));
  await uplink?.link?.close(new GatewayError("exited", "it exited", { data: { sent: true } }));
  assert.ok((await second)?.error);
  assert.equal(client.streamed[2]?.method, "notifications/cancelled");
  assert.equal(client.streamed[2]?.params?.["requestId"], client.streamed[1]?.id);
});
