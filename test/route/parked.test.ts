// The states under which calls wait for input: who may use one, how often, and what it ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scan } from "../../lib/core/envelope.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { anonymous } from "../../lib/core/principal.ts";
import { Sealer } from "../../lib/core/seal.ts";
import { encodeJson } from "../../lib/core/text.ts";
import { ModernCall } from "../../lib/route/modern-call.ts";
import { type Claim, digestOf, Parked } from "../../lib/route/parked.ts";

const view = { backend: "", naming: "prefix", separator: "__" } as const;
const ada: Claim = { principal: "ada", view: "", digest: "d" };
const room = { calls: 10, ms: 60_000 };

function callOf(principal: string): ModernCall {
  const facts = { principal, who: anonymous, version: "", capabilities: {}, client: "", view, logLevel: undefined };
  return new ModernCall(facts, { deliver: () => {} });
}

function reasonOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error instanceof GatewayError ? error.data["reason"] : error;
  }
  return undefined;
}

test("parked: each state opens its call once, for its principal, endpoint and request", () => {
  const wrong: readonly [string, Claim][] = [
    ["principal", { ...ada, principal: "eve" }],
    ["endpoint", { ...ada, view: "one" }],
    ["params", { ...ada, digest: "e" }],
  ];
  for (const [reason, claim] of wrong) {
    const parked = new Parked(new Sealer(["0123456789abcdef"]));
    const call = callOf("ada");
    const state = parked.park(call, ada, room);
    assert.equal(
      reasonOf(() => parked.take(state, claim)),
      reason,
    );
    // A state in wrong hands is worth nothing any more.
    assert.deepEqual([parked.size, call.scope.cancelled], [0, true]);
    assert.equal(
      reasonOf(() => parked.take(state, ada)),
      "replayed",
    );
  }
  const parked = new Parked(new Sealer(["0123456789abcdef"]));
  const call = callOf("ada");
  const state = parked.park(call, ada, room);
  assert.equal(parked.take(state, ada), call);
  assert.deepEqual([parked.size, call.scope.cancelled], [0, false]);
  assert.equal(
    reasonOf(() => parked.take(state, ada)),
    "replayed",
  );
});

test("parked: a state of another process is refused, one of other keys may be a backend's", () => {
  const state = new Parked(new Sealer(["0123456789abcdef"])).park(callOf("ada"), ada, room);
  assert.equal(
    reasonOf(() => new Parked(new Sealer(["0123456789abcdef"])).take(state, ada)),
    "elsewhere",
  );
  assert.equal(new Parked(new Sealer(["fedcba9876543210"])).take(state, ada), undefined);
});

test("parked: the bound is one of each principal", () => {
  const parked = new Parked(new Sealer([]));
  parked.park(callOf("ada"), ada, { ...room, calls: 1 });
  const refused = callOf("ada");
  assert.throws(() => parked.park(refused, ada, { ...room, calls: 1 }), { code: "tooManyParked" });
  assert.equal(refused.scope.cancelled, true);
  parked.park(callOf("bob"), { ...ada, principal: "bob" }, { ...room, calls: 1 });
  assert.equal(parked.size, 2);
  parked.close();
  assert.equal(parked.size, 0);
});

test("parked: the digest is of the request, and not of what a retry may change", () => {
  const digest = (params: object, method = "tools/call"): string => {
    const scanned = scan(encodeJson({ jsonrpc: "2.0", id: 1, method, params }));
    assert.ok(scanned.kind === "message");
    return digestOf(scanned.envelope);
  };
  const base = digest({ name: "a", arguments: { b: 1 } });
  assert.equal(
    digest({ arguments: { b: 1 }, name: "a", _meta: { x: 1 }, requestState: "s", inputResponses: {} }),
    base,
  );
  const others = [
    digest({ name: "a", arguments: { b: 2 } }),
    digest({ name: "b", arguments: { b: 1 } }),
    digest({ name: "a" }),
    digest({ name: "a", arguments: { b: 1 }, extra: 1 }),
    digest({ name: "a", arguments: { b: 1 } }, "prompts/get"),
  ];
  assert.equal(new Set([base, ...others]).size, others.length + 1);
});
