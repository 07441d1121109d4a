// Requests, results, errors and notifications between the eras: there and back is the identity on what both can say.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Envelope, spanValue } from "../../lib/core/envelope.ts";
import { legacyErrorEdits, modernErrorEdits, readUrlElicitations } from "../../lib/protocol/bridge-error.ts";
import {
  isLegacyOnly,
  isShared,
  leastLevel,
  legacyNotification,
  legacyRequestEdits,
  legacyResultEdits,
  modernCallNotification,
  modernRequestEdits,
  modernResultEdits,
  passesLevel,
  resultKind,
} from "../../lib/protocol/bridge.ts";
import { legacyCodec } from "../../lib/protocol/legacy.ts";
import { metaKeys, requestMeta } from "../../lib/protocol/modern-meta.ts";
import { judgeModern } from "../../lib/protocol/modern-request.ts";
import { modernCodec } from "../../lib/protocol/modern.ts";
import { objectText, runs, value } from "../core/messages.ts";
import {
  edited,
  envelope,
  failure,
  modernVersion,
  notification,
  reply,
  request,
  textOf,
  validMeta,
  valueOf,
} from "./wire.ts";

const shared = [...modernCodec.requests].filter(isShared);
const method = fc.constantFrom(...shared);
const meta = requestMeta({
  version: modernVersion,
  clientInfo: { name: "c", version: "1" },
  capabilities: { roots: {} },
  logLevel: "info",
});

/** Members with any names and values, spelled in any way; never an empty `_meta`, which is as good as none. */
const members = (...keys: readonly string[]): fc.Arbitrary<string> =>
  objectText(
    [],
    [
      ...keys.map((key): [string, typeof value] => [key, value]),
      ["_meta", objectText([["traceparent", value]], [["progressToken", value]])],
    ],
  );
const both = (text: string): boolean => {
  const { _meta, ...others } = JSON.parse(text) as Record<string, unknown>;
  const reserved = ["resultType", "ttlMs", "cacheScope", "inputResponses", "requestState"];
  const named = typeof _meta === "object" && _meta !== null && !Array.isArray(_meta);
  return (_meta === undefined || named) && reserved.every((key) => !Object.hasOwn(others, key));
};

const requestText = fc
  .tuple(method, fc.option(members("name", "arguments", "uri").filter(both), { nil: undefined }))
  .map(
    ([name, params]) =>
      `{"jsonrpc":"2.0","id":7,"method":"${name}"${params === undefined ? "" : `,"params":${params}`}}`,
  );

test("bridge: a legacy request is a modern one and back without a byte changed", () => {
  fc.assert(
    fc.property(requestText, (text) => {
      const legacy = envelope(text);
      const modern = edited(legacy, modernRequestEdits(legacy, meta));
      const verdict = judgeModern(modern, undefined);
      assert(verdict.kind === "modern");
      assert.equal(verdict.request.logLevel, "info");
      assert.deepEqual(verdict.request.clientInfo, { name: "c", version: "1" });
      const back = edited(modern, legacyRequestEdits(modern));
      // A request without params comes back with empty ones.
      const expected = legacy.spans.params ? text : text.replace(/\}$/, ',"params":{}}');
      assert.equal(textOf(back.bytes), expected);
    }),
    runs(1000),
  );
});

test("bridge: a modern request is a legacy one and back with the same meaning", () => {
  fc.assert(
    fc.property(requestText, (text) => {
      const plain = envelope(text);
      const modern = edited(plain, modernRequestEdits(plain, meta));
      const legacy = edited(modern, legacyRequestEdits(modern));
      assert.equal(JSON.stringify(valueOf(legacy.bytes)).includes(metaKeys.protocolVersion), false);
      const back = edited(legacy, modernRequestEdits(legacy, meta));
      assert.deepEqual(spanValue(back, "params"), spanValue(modern, "params"));
    }),
    runs(500),
  );
});

test("bridge: metadata that a legacy client made up is replaced", () => {
  const legacy = request("tools/list", { _meta: { ...validMeta, [metaKeys.logLevel]: "debug", progressToken: 3 } });
  const modern = edited(legacy, modernRequestEdits(legacy, meta));
  const held = spanValue(modern, "params._meta");
  assert.deepEqual(held, {
    [metaKeys.protocolVersion]: modernVersion,
    [metaKeys.clientInfo]: { name: "c", version: "1" },
    [metaKeys.clientCapabilities]: { roots: {} },
    [metaKeys.logLevel]: "info",
    progressToken: 3,
  });
});

test("bridge: a retry's members do not reach a legacy backend", () => {
  const modern = request("tools/call", { name: "t", inputResponses: {}, requestState: "s", _meta: validMeta });
  assert.deepEqual(spanValue(edited(modern, legacyRequestEdits(modern)), "params"), { name: "t" });
});

test("bridge: a legacy result is a modern one and back without a byte changed", () => {
  const results = members("content", "tools", "isError").filter(both);
  const options = { cache: { ttlMs: 60, cacheScope: "public" }, serverInfo: { name: "s", version: "1" } } as const;
  fc.assert(
    fc.property(method, results, (name, text) => {
      if (name === "tools/call" && text.includes("structuredContent")) return;
      const whole = `{"jsonrpc":"2.0","id":7,"result":${text}}`;
      const legacy = envelope(whole);
      const modern = edited(legacy, modernResultEdits(legacy, name, options));
      const result = spanValue(modern, "result") as Record<string, unknown>;
      assert.equal(result["resultType"], "complete");
      const isCacheable = name.endsWith("/list") || name === "resources/read";
      assert.equal(result["ttlMs"], isCacheable ? 60 : undefined);
      assert.equal(result["cacheScope"], isCacheable ? "public" : undefined);
      assert.deepEqual((result["_meta"] as Record<string, unknown>)[metaKeys.serverInfo], options.serverInfo);
      assert.equal(resultKind(modern, name).kind, "complete");
      assert.equal(textOf(edited(modern, legacyResultEdits(modern, name)).bytes), whole);
    }),
    runs(1000),
  );
});

test("bridge: what a result says of its freshness, and rightly, stays", () => {
  const legacy = reply({ tools: [], ttlMs: 9, cacheScope: "sometimes", resultType: 4 });
  assert.deepEqual(spanValue(edited(legacy, modernResultEdits(legacy, "tools/list")), "result"), {
    resultType: "complete",
    cacheScope: "private",
    tools: [],
    ttlMs: 9,
  });
});

test("bridge: structured content that is no object is put into one for legacy clients", () => {
  for (const [content, wraps, expected] of [
    ["[1,12345678901234567890]", false, '{"result":[1,12345678901234567890]}'],
    ["null", false, '{"result":null}'],
    ['"x"', true, '{"result":"x"}'],
    ['{"a":1}', true, '{"result":{"a":1}}'],
    ['{"a":1}', false, '{"a":1}'],
  ] as const) {
    const modern = envelope(
      `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[],"structuredContent":${content},"ttlMs":1}}`,
    );
    const legacy = edited(modern, legacyResultEdits(modern, "tools/call", { wraps }));
    // ttlMs is a word of the caching pages: elsewhere it is the server's own.
    assert.equal(
      textOf(legacy.bytes),
      `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":${expected},"ttlMs":1}}`,
    );
  }
});

test("bridge: results are told apart by their type and method", () => {
  const kind = (result: object, name: string): string => resultKind(reply(result), name).kind;
  assert.equal(kind({}, "tools/call"), "complete");
  assert.equal(kind({ resultType: "input_required" }, "prompts/get"), "inputRequired");
  assert.equal(kind({ resultType: "input_required" }, "tools/list"), "invalid");
  assert.equal(kind({ resultType: "task" }, "tools/call"), "task");
  assert.equal(kind({ resultType: "task" }, "resources/read"), "invalid");
  assert.equal(kind({ resultType: "other" }, "tools/call"), "invalid");
  assert.equal(kind({ resultType: 1 }, "tools/call"), "invalid");
});

test("bridge: a resource that is not there has the code of either era, there and back", () => {
  const legacy = failure(-32002, { uri: "a:b" });
  const modern = edited(legacy, modernErrorEdits(legacy));
  assert.equal(textOf(modern.bytes), textOf(failure(-32602, { uri: "a:b" }).bytes));
  const back = edited(modern, legacyErrorEdits(modern, "resources/read"));
  assert.equal(textOf(back.bytes), textOf(legacy.bytes));
  const other = failure(-32602, { path: "arguments" });
  assert.deepEqual(legacyErrorEdits(other, "resources/read"), []);
  assert.deepEqual(legacyErrorEdits(modern, "tools/call"), []);
});

test("bridge: other errors pass, but for codes that mean something else to modern clients", () => {
  const codes = fc.oneof(fc.integer({ min: -32768, max: -32000 }), fc.integer());
  fc.assert(
    fc.property(codes, value, (code, data) => {
      const legacy = envelope(`{"jsonrpc":"2.0","id":1,"error":{"data":${data},"code":${code},"message":"m"}}`);
      const edits = modernErrorEdits(legacy);
      const isReserved = (code <= -32020 && code >= -32099) || code === -32002;
      assert.equal(edits.length, isReserved ? 1 : 0);
      const error = spanValue(edited(legacy, edits), "error") as { data: unknown };
      assert.deepEqual(JSON.stringify(error.data), JSON.stringify(JSON.parse(data)));
    }),
    runs(500),
  );
});

test("bridge: the error that asks to open a URL is a request for input", () => {
  const one = { mode: "url", elicitationId: "e1", url: "https://a.example/", message: "Sign in", more: { x: 1 } };
  const requests = readUrlElicitations(failure(-32042, { elicitations: [one, { url: 3 }] }));
  assert.equal(requests?.length, 1);
  const [first] = requests ?? [];
  assert(first?.params);
  assert.deepEqual([first.key, first.method], ["url-1", "elicitation/create"]);
  assert.deepEqual(valueOf(first.params), {
    mode: "url",
    url: "https://a.example/",
    message: "Sign in",
    more: { x: 1 },
  });
  assert.equal(readUrlElicitations(failure(-32042, { elicitations: [] })), undefined);
  assert.equal(readUrlElicitations(failure(-32603, { elicitations: [one] })), undefined);
});

const fate = (message: Envelope, least: string | undefined): string => modernCallNotification(message, least).kind;

test("bridge: a modern call hears its progress, and logs of the level it asked for", () => {
  const log = notification("notifications/message", { level: "info", data: 1 });
  assert.equal(fate(notification("notifications/progress", { progressToken: 1, progress: 1 }), undefined), "pass");
  assert.equal(fate(log, undefined), "drop");
  assert.equal(fate(log, "warning"), "drop");
  assert.equal(fate(log, "info"), "pass");
  assert.equal(fate(log, "debug"), "pass");
  assert.equal(fate(notification("notifications/tools/list_changed"), "debug"), "drop");
  assert.equal(fate(notification("notifications/elicitation/complete", { elicitationId: "e" }), "debug"), "drop");
  assert.equal(fate(notification("notifications/tasks/status", {}), "debug"), "drop");
  assert.equal(fate(notification("notifications/custom", {}), undefined), "pass");
});

test("bridge: a legacy client hears what a modern server says, but for what opens and closes streams", () => {
  for (const name of ["subscriptions/acknowledged", "cancelled", "tasks"]) {
    assert.equal(legacyNotification(notification(`notifications/${name}`, {})).kind, "drop");
  }
  const progress = notification("notifications/progress", { progressToken: 1, progress: 0.5 });
  assert.deepEqual(legacyNotification(progress), { kind: "pass", edits: [] });
  const tagged = notification("notifications/resources/updated", { _meta: { [metaKeys.subscriptionId]: 1 }, uri: "a" });
  const verdict = legacyNotification(tagged);
  assert(verdict.kind === "pass");
  assert.deepEqual(spanValue(edited(tagged, verdict.edits), "params"), { uri: "a" });
});

test("bridge: log levels are compared as syslog orders them", () => {
  assert(passesLevel("emergency", "alert"));
  assert(!passesLevel("debug", "info"));
  assert(passesLevel("unheard-of", "info"));
  assert.equal(leastLevel(["error", undefined, "notice"]), "notice");
  assert.equal(leastLevel([undefined]), undefined);
});

test("bridge: the eras share the requests that differ by metadata alone", () => {
  assert.deepEqual(shared.toSorted(), [
    "completion/complete",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "tools/call",
    "tools/list",
  ]);
  for (const name of shared) assert(legacyCodec.requests.has(name));
  for (const name of ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "tasks/result"]) {
    assert(!modernCodec.requests.has(name), name);
  }
  assert(isLegacyOnly("notifications/roots/list_changed") && !isLegacyOnly("notifications/progress"));
});
