// The filter of a listen stream, and the messages that open, tag and close it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../lib/core/errors.ts";
import { covers, filterOfLegacy, subscriptionChange } from "../../lib/protocol/bridge-listen.ts";
import { metaKeys } from "../../lib/protocol/modern-meta.ts";
import {
  acknowledgement,
  closedResult,
  emptyFilter,
  filterJson,
  honouredFilter,
  type ListenFilter,
  readAcknowledgement,
  readListenFilter,
  subscriptionIdOf,
  tagEdits,
  unionFilter,
  untagEdits,
  wantsNotification,
} from "../../lib/protocol/modern-listen.ts";
import { runs } from "../core/messages.ts";
import { bytesOf, edited, envelope, notification, request, validMeta, valueOf } from "./wire.ts";

const filter: fc.Arbitrary<ListenFilter> = fc.record(
  {
    tools: fc.boolean(),
    prompts: fc.boolean(),
    resources: fc.boolean(),
    uris: fc.uniqueArray(fc.constantFrom("a:1", "a:2", "a:3", "a:4")),
    tasks: fc.uniqueArray(fc.constantFrom("t1", "t2")),
  },
  { noNullPrototype: true },
);

function read(notifications: unknown): ListenFilter | GatewayError {
  return readListenFilter(request("subscriptions/listen", { _meta: validMeta, notifications }));
}

test("listen: a filter that is written is read again, also from an acknowledgement", () => {
  fc.assert(
    fc.property(filter, (wanted) => {
      assert.deepEqual(read(filterJson(wanted)), wanted);
      const ack = envelope(acknowledgement(bytesOf('"sub-1"'), wanted));
      assert.deepEqual(readAcknowledgement(ack), wanted);
      assert.equal(subscriptionIdOf(ack), "sub-1");
    }),
    runs(300),
  );
});

test("listen: a filter of the wrong shape is refused", () => {
  for (const wrong of [
    undefined,
    null,
    [],
    { toolsListChanged: 1 },
    { resourceSubscriptions: "a" },
    { taskIds: [1] },
  ]) {
    const error = read(wrong);
    assert(error instanceof GatewayError);
    assert.equal(error.toRpc().code, -32602);
  }
  assert.deepEqual(read({ unknown: true, toolsListChanged: false }), emptyFilter);
});

test("listen: the acknowledgement is the one of the specification", () => {
  const wanted = { ...emptyFilter, tools: true, uris: ["file:///project/config.json"] };
  assert.deepEqual(valueOf(acknowledgement(bytesOf("1"), wanted)), {
    jsonrpc: "2.0",
    method: "notifications/subscriptions/acknowledged",
    params: {
      _meta: { [metaKeys.subscriptionId]: 1 },
      notifications: { toolsListChanged: true, resourceSubscriptions: ["file:///project/config.json"] },
    },
  });
  assert.deepEqual(valueOf(closedResult(bytesOf("1"), { name: "g", version: "1" })), {
    resultType: "complete",
    _meta: { [metaKeys.subscriptionId]: 1, [metaKeys.serverInfo]: { name: "g", version: "1" } },
  });
});

test("listen: only what the server has is honoured", () => {
  const all = { tools: true, prompts: true, resources: true, uris: ["a:1"], tasks: ["t1"] };
  assert.deepEqual(honouredFilter(all, { tools: {}, prompts: { listChanged: false } }), emptyFilter);
  assert.deepEqual(
    honouredFilter(all, {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      extensions: { "io.modelcontextprotocol/tasks": {} },
    }),
    all,
  );
});

test("listen: a notification goes to those that asked for it", () => {
  const wanted = { ...emptyFilter, tools: true, uris: ["a:1"] };
  const wants = (method: string, params?: object): boolean => wantsNotification(wanted, notification(method, params));
  assert(wants("notifications/tools/list_changed"));
  assert(wants("notifications/resources/updated", { uri: "a:1" }));
  assert(!wants("notifications/resources/updated", { uri: "a:2" }));
  assert(!wants("notifications/prompts/list_changed"));
  assert(!wants("notifications/message", { level: "error" }));
  assert(!wants("notifications/progress", { progressToken: 1 }));
});

test("listen: a tag is put on and taken off, and replaced when it is another's", () => {
  for (const params of [undefined, { uri: "a:1" }, { uri: "a:1", _meta: { mine: 1 } }]) {
    const plain = notification("notifications/resources/updated", params);
    const tagged = edited(plain, tagEdits(plain, bytesOf("7")));
    assert.equal(subscriptionIdOf(tagged), 7);
    const again = edited(tagged, tagEdits(tagged, bytesOf('"x"')));
    assert.equal(subscriptionIdOf(again), "x");
    const back = valueOf(edited(again, untagEdits(again)).bytes);
    assert.deepEqual(back, { ...(valueOf(plain.bytes) as object), params: params ?? {} });
  }
});

test("listen: one upstream stream covers all that its listeners want, and subscriptions follow it", () => {
  fc.assert(
    fc.property(fc.array(filter), fc.array(filter), (before, next) => {
      const union = unionFilter(next);
      for (const each of next) assert(covers(union, each));
      const { subscribe, unsubscribe } = subscriptionChange(before, next);
      const held = new Set(unionFilter(before).uris);
      for (const uri of subscribe) assert(!held.has(uri) && held.add(uri));
      for (const uri of unsubscribe) assert(held.delete(uri));
      assert.deepEqual([...held].toSorted(), union.uris.toSorted());
    }),
    runs(500),
  );
  assert(!covers(emptyFilter, filterOfLegacy([])));
  assert.deepEqual(filterOfLegacy(["a", "a"]).uris, ["a"]);
});
