// The times of a call, on every wire of both eras: one that is over is taken back from the server, and progress gives it more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BackendConfig, recordOf, until } from "../e2e/kit.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { callOnce, childReplica, type Era, HttpReplica, Records, startGateway } from "./kit.ts";

const wires = (["legacy", "modern"] as const).flatMap((era) =>
  (["http", "stdio"] as const).map((transport) => ({ era, transport, name: `${era}-${transport}` })),
);

/** Ten times as long as from one sign to the next. */
const idle = "3s";
const everyMs = 300;
const timeouts = { call: "5m", tools: { add: { call: "300ms" }, put: { idle } } };

interface Progressed {
  readonly told: number;
  readonly result: Readonly<Record<string, unknown>>;
  readonly error: Readonly<Record<string, unknown>>;
}

/** A call of a client that wants to hear of its progress. */
async function callWithProgress(client: RawClient, name: string, args: object, id: number): Promise<Progressed> {
  const params = { name, arguments: { nonce: `p${name}${id}`, ...args }, _meta: { progressToken: id } };
  const { messages } = await client.post({ jsonrpc: "2.0", id, method: "tools/call", params });
  const all = messages.map((message) => recordOf(JSON.parse(message)));
  const { result, error } = all.at(-1) ?? {};
  const told = all.filter(({ method }) => method === "notifications/progress").length;
  return { told, result: recordOf(result), error: recordOf(error) };
}

test("times: what is over its time is taken back from the server, progress gives it more, and nobody else notices", async () => {
  using records = new Records();
  await using stack = new AsyncDisposableStack();
  const placeOf = async (transport: "http" | "stdio", era: Era, record: string): Promise<BackendConfig> =>
    transport === "stdio" ? childReplica(record, era) : { url: stack.use(await HttpReplica.start(record, era)).url };
  const backends: Record<string, BackendConfig> = {};
  for (const { era, transport, name } of wires)
    backends[name] = { ...(await placeOf(transport, era, records.file(name))), timeouts };
  await using gateway = await startGateway(backends);
  const client = await gateway.client();
  await Promise.all(
    wires.map(async ({ era, transport, name }, at) => {
      const { text: before } = await callOnce(client, `${name}__read`);
      const [over, going, stuck] = await Promise.all([
        callOnce(client, `${name}__add`, { delayMs: 600_000 }),
        callWithProgress(client, `${name}__put`, { steps: 12, everyMs }, 100 + at),
        callWithProgress(client, `${name}__put`, { steps: 2, everyMs, delayMs: 600_000 }, 200 + at),
      ]);
      assert.match(over.message, /did not answer tools\/call within 300 ms/, name);
      assert.equal(over.data["class"], "unknown", name);
      assert.deepEqual([going.told, going.error], [12, {}], name);
      assert.equal(stuck.told, 2, name);
      assert.match(String(stuck.error["message"]), /gave no sign of the call for 3000 ms; see timeouts\.idle/, name);
      // 2026-07-28, Streamable HTTP, "Cancellation": the end of the stream is the word.
      const word = transport === "http" && era === "modern" ? "left" : "told";
      await until(() => records.takenBack(name).filter((how) => how === word).length === 2, `${name} hears of it`);
      assert.equal((await callOnce(client, `${name}__read`)).text, before, `${name} is there as before`);
    }),
  );
});
