// Requests for input between the eras: results that ask, requests that ask, and the answers to both.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { spanValue } from "../../lib/core/envelope.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import {
  discoverOf,
  legacyClientCapabilities,
  legacyServerCapabilities,
  modernClientCapabilities,
  modernServerCapabilities,
} from "../../lib/protocol/bridge-capabilities.ts";
import { legacyAnswer, legacyAsk, modernAsk, readLegacyAnswer } from "../../lib/protocol/bridge-input.ts";
import {
  type InputRequest,
  inputRequiredResult,
  lackedCapability,
  neededCapability,
  readInputRequired,
  readInputRetry,
  retryEdits,
  withoutRetryEdits,
} from "../../lib/protocol/modern-input.ts";
import { tasksCapability } from "../../lib/protocol/modern.ts";
import { objectText, runs, stringText, value } from "../core/messages.ts";
import {
  bytesOf,
  edited,
  envelope,
  failure,
  modernVersion,
  reply,
  request,
  textOf,
  validMeta,
  valueOf,
} from "./wire.ts";

const asks = fc.uniqueArray(
  fc.record({
    key: fc.string({ unit: "binary" }).map((key) => key.toWellFormed()),
    method: fc.constantFrom("elicitation/create", "sampling/createMessage", "roots/list"),
    params: objectText([["message", stringText]], [["x", value]]).map(bytesOf),
  }),
  { minLength: 1, maxLength: 4, selector: ({ key }) => key },
);

const wrap = (result: Uint8Array): Uint8Array => bytesOf(`{"jsonrpc":"2.0","id":1,"result":${textOf(result)}}`);

test("input: a result that is written is read again, its questions byte by byte", () => {
  fc.assert(
    fc.property(asks, fc.string(), (requests: InputRequest[], state) => {
      const read = readInputRequired(envelope(wrap(inputRequiredResult(requests, state))));
      assert(!(read instanceof GatewayError));
      assert.deepEqual(
        read.requests.map(({ key, method, params }) => [key, method, params && textOf(params)]),
        requests.map(({ key, method, params }) => [key, method, params && textOf(params)]),
      );
      assert.equal(read.state && valueOf(read.state), state);
    }),
    runs(500),
  );
});

test("input: a question goes to a legacy client and comes back as it was", () => {
  fc.assert(
    fc.property(asks, (requests: InputRequest[]) => {
      for (const ask of requests) {
        const legacy = envelope(legacyAsk(ask, bytesOf("17"), "e-1"));
        assert.equal(legacy.method, ask.method);
        assert.equal(spanValue(legacy, "id"), 17);
        const back = modernAsk(legacy, ask.key);
        assert(back?.params && ask.params);
        assert.equal(textOf(back.params), textOf(ask.params));
      }
    }),
    runs(500),
  );
});

test("input: a URL question has a name in the legacy era only", () => {
  const params = bytesOf('{"mode":"url","message":"m","url":"https://a.example/"}');
  const legacy = envelope(legacyAsk({ key: "k", method: "elicitation/create", params }, bytesOf('"a"'), "e-1"));
  assert.equal(spanValue(legacy, "params.elicitationId"), "e-1");
  const back = modernAsk(legacy, "k");
  assert.equal(back?.params && textOf(back.params), textOf(params));
  const form = bytesOf('{"message":"m","elicitationId":"mine"}');
  const asked = envelope(legacyAsk({ key: "k", method: "elicitation/create", params: form }, bytesOf("1"), "e-1"));
  assert.deepEqual(spanValue(asked, "params"), { message: "m", elicitationId: "mine" });
});

test("input: what a legacy request has for itself is no part of the question", () => {
  const legacy = request("sampling/createMessage", { messages: [], _meta: { progressToken: 1 }, task: { ttl: 1 } });
  const ask = modernAsk(legacy, "k");
  assert.deepEqual(ask?.params && valueOf(ask.params), { messages: [] });
  assert.deepEqual(modernAsk(request("roots/list"), "r"), { key: "r", method: "roots/list", params: undefined });
  assert.equal(modernAsk(request("ping"), "p"), undefined);
});

test("input: results that ask wrongly are refused", () => {
  for (const result of [
    {},
    { inputRequests: {} },
    { inputRequests: [] },
    { inputRequests: { a: { method: "ping" } } },
    { inputRequests: { a: { method: "elicitation/create" } } },
    { inputRequests: { a: 1 }, requestState: "s" },
    { requestState: 1 },
  ]) {
    const read = readInputRequired(reply({ resultType: "input_required", ...result }));
    assert(read instanceof GatewayError, JSON.stringify(result));
  }
  const stateOnly = readInputRequired(reply({ requestState: "s" }));
  assert(!(stateOnly instanceof GatewayError) && stateOnly.requests.length === 0);
});

test("input: a retry carries the state as it was written, and the answers as they came", () => {
  const asking = envelope(
    '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"\\u0061\\/b","inputRequests":{"k":{"method":"roots/list"}}}}',
  );
  const read = readInputRequired(asking);
  assert(!(read instanceof GatewayError));
  const answer = readLegacyAnswer(envelope('{"jsonrpc":"2.0","id":9,"result":{"roots":[],"n":1.0}}'), "roots/list");
  assert(answer.kind === "result");
  const first = envelope('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "name":"t","requestState":"old"}}');
  const retry = edited(first, retryEdits(first, [["k", answer.result]], read.state));
  assert.equal(
    textOf(retry.bytes),
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "inputResponses":{"k":{"roots":[],"n":1.0}},"requestState":"\\u0061\\/b","name":"t"}}',
  );
  const given = readInputRetry(retry);
  assert(!(given instanceof GatewayError));
  assert.equal(given.state, "a/b");
  const result = given.responses.get("k");
  assert(result);
  assert.equal(textOf(legacyAnswer(bytesOf("5"), result)), '{"jsonrpc":"2.0","id":5,"result":{"roots":[],"n":1.0}}');
  const plain = edited(retry, withoutRetryEdits(retry));
  assert.deepEqual(spanValue(plain, "params"), { name: "t" });
  // A server that gave no state gets none.
  const stateless = edited(first, retryEdits(first, [["k", answer.result]], undefined));
  assert.equal(spanValue(stateless, "params.requestState"), undefined);
});

test("input: retries of the wrong shape are refused, and a first request is none", () => {
  for (const wrong of [{ inputResponses: null }, { inputResponses: { a: 12345 } }, { requestState: 1 }]) {
    assert(readInputRetry(request("tools/call", { name: "t", ...wrong })) instanceof GatewayError);
  }
  const first = readInputRetry(request("tools/call", { name: "t", _meta: validMeta }));
  assert(!(first instanceof GatewayError));
  assert.deepEqual([first.state, first.responses.size], [undefined, 0]);
});

test("input: a client that refuses ends the call with its own words", () => {
  const answer = readLegacyAnswer(failure(-1), "sampling/createMessage");
  assert(answer.kind === "refused");
  assert.match(answer.error.message, /refused sampling\/createMessage: no/);
  assert.equal(answer.error.data["clientCode"], -1);
});

test("capabilities: what a question needs, and what of it a client lacks", () => {
  const lacks = (declared: object, method: Parameters<typeof neededCapability>[0], params: object = {}): unknown =>
    lackedCapability({ ...declared }, neededCapability(method, params));
  assert.deepEqual(lacks({}, "roots/list"), { roots: {} });
  assert.equal(lacks({ roots: {} }, "roots/list"), undefined);
  assert.equal(lacks({ sampling: {} }, "sampling/createMessage"), undefined);
  assert.deepEqual(lacks({ sampling: {} }, "sampling/createMessage", { tools: [] }), { sampling: { tools: {} } });
  assert.equal(lacks({ sampling: { tools: {} } }, "sampling/createMessage", { tools: [] }), undefined);
  assert.equal(lacks({ elicitation: {} }, "elicitation/create"), undefined);
  assert.deepEqual(lacks({ elicitation: {} }, "elicitation/create", { mode: "url" }), { elicitation: { url: {} } });
  assert.deepEqual(lacks({ elicitation: { url: {} } }, "elicitation/create"), { elicitation: { form: {} } });
  assert.equal(lacks({ elicitation: { url: {}, form: {} } }, "elicitation/create", { mode: "url" }), undefined);
});

test("capabilities: an extension is declared by its name", () => {
  assert.deepEqual(lackedCapability({ extensions: {} }, tasksCapability), tasksCapability);
  assert.equal(lackedCapability({ extensions: { "io.modelcontextprotocol/tasks": {} } }, tasksCapability), undefined);
});

test("capabilities: tasks of one era are not declared to the other, everything else is", () => {
  const tasks = { "io.modelcontextprotocol/tasks": {} };
  const apps = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
  assert.deepEqual(
    modernClientCapabilities({ roots: { listChanged: true }, tasks: {}, extensions: apps, x: { y: 1 } }),
    {
      roots: {},
      extensions: apps,
      x: { y: 1 },
    },
  );
  assert.deepEqual(legacyClientCapabilities({ elicitation: { url: {} }, extensions: { ...tasks, ...apps } }), {
    elicitation: { url: {} },
    extensions: apps,
  });
  assert.deepEqual(modernServerCapabilities({ tools: {}, tasks: { list: {} }, logging: {} }), {
    tools: {},
    logging: {},
  });
  assert.deepEqual(legacyServerCapabilities({ tools: {}, extensions: tasks }), { tools: {} });
});

test("capabilities: those that both eras can declare go there and back", () => {
  const object = fc.constantFrom({}, { x: 1 });
  const server = fc.record(
    { tools: object, prompts: object, resources: object, logging: object, completions: object, experimental: object },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(server, (capabilities) => {
      assert.deepEqual(legacyServerCapabilities(modernServerCapabilities(capabilities)), capabilities);
      assert.deepEqual(legacyClientCapabilities(modernClientCapabilities(capabilities)), capabilities);
    }),
    runs(200),
  );
  const facts = {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {}, tasks: {} },
    serverInfo: { name: "s" },
    instructions: "i",
  };
  assert.deepEqual(discoverOf(facts, [modernVersion]).capabilities, { tools: {} });
});
