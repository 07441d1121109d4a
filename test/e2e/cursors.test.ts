// A walk through a listing that goes from one gateway process to another, and one of strangers that does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startHttpServer } from "../kit/process.ts";
import type { RawClient } from "../kit/raw-client.ts";
import { Gateway, recordOf } from "./kit.ts";

interface Page {
  readonly names: readonly unknown[];
  readonly next: unknown;
  readonly code: unknown;
}

async function pageOf(client: RawClient, cursor: unknown): Promise<Page> {
  const reply = recordOf(JSON.parse(await client.request("tools/list", cursor === undefined ? {} : { cursor })));
  const { tools, nextCursor } = recordOf(reply["result"] ?? {});
  const names = (Array.isArray(tools) ? tools : []).map((tool) => recordOf(tool)["name"]);
  return { names, next: nextCursor, code: recordOf(reply["error"] ?? {})["code"] };
}

test("cursors: a walk begun on one gateway process is finished on another with the same keys", async () => {
  await using server = await startHttpServer();
  const config = { backends: { b: { url: server.url } }, pagination: { pageSize: 7 } };
  const start = (key: string): Promise<Gateway> => Gateway.start({ ...config, sealKeys: [key] });
  await using one = await start("the key of both gateways");
  await using two = await start("the key of both gateways");
  await using stranger = await start("the key of a stranger");
  const gateways = [one, two, stranger];
  await Promise.all(gateways.map((gateway) => gateway.up("b")));
  const [first, second, third] = await Promise.all(gateways.map((gateway) => gateway.client()));
  assert.ok(first && second && third);

  const whole: unknown[] = [];
  for (let page = await pageOf(first, undefined); ; page = await pageOf(first, page.next)) {
    whole.push(...page.names);
    if (page.next === undefined) break;
  }
  const walked: unknown[] = [];
  let turn = 0;
  for (let page = await pageOf(first, undefined); ; page = await pageOf(turn % 2 === 0 ? first : second, page.next)) {
    walked.push(...page.names);
    if (page.next === undefined) break;
    assert.equal((await pageOf(third, page.next)).code, -32602);
    turn += 1;
  }
  assert.ok(turn > 3, `${turn} turns`);
  assert.deepEqual(walked, whole);
  assert.equal(new Set(whole).size, whole.length);
});
