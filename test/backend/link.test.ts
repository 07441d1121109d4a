// One wire for many callers: ids and tokens are made unique and given back, and every way a call can end ends it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { decodeText } from "../../lib/core/text.ts";
import { neverSent } from "../../lib/resilience/classes.ts";
import { cancelBy, request, TestCaller, TestWire } from "./link-kit.ts";

const scope = new Scope();
const text = async (reply: Promise<Uint8Array>): Promise<string> => decodeText(await reply);
/** Lets what was settled go on. */
const turn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve));
const failure = (reply: Promise<unknown>): Promise<GatewayError> =>
  reply.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => (error instanceof GatewayError ? error : assert.fail(String(error))),
  );

test("link: any id comes back as it was written, whatever order the answers come in", async () => {
  const id = fc.oneof(
    fc.string({ unit: "binary" }).map((value) => JSON.stringify(value)),
    fc.bigInt().map(String),
    fc.constantFrom("1.0", "1e3", "-0", "9007199254740993", '"\\u0061"', '""', "0.1"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(id, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), async (ids, order) => {
      const wire = new TestWire();
      const replies = ids.map((each) => text(wire.link.call(request(each), [], new TestCaller(), scope)));
      const upstream = wire.sent.map(({ text: sent }) => (JSON.parse(sent) as { id: number }).id);
      assert.equal(new Set(upstream).size, ids.length);
      const left = upstream.map((number, at) => [number, at] as const);
      while (left.length > 0) {
        const [[number, at] = [0, 0]] = left.splice((order.next().value ?? 0) % left.length, 1);
        wire.receive(`{"jsonrpc":"2.0","result":{"n":${at}},"id":${number}}`);
      }
      assert.deepEqual(
        await Promise.all(replies),
        ids.map((each, at) => `{"jsonrpc":"2.0","result":{"n":${at}},"id":${each}}`),
      );
    }),
    { numRuns: 50 },
  );
});

test("link: equal progress tokens of two clients stay apart, and come back as they were written", async () => {
  const wire = new TestWire();
  const callers = [new TestCaller(), new TestCaller()];
  const tokens = ['"t"', '"t"'];
  const replies = callers.map((caller, at) =>
    wire.link.call(request("1", `{"_meta":{"progressToken":${tokens[at]}}}`), [], caller, scope),
  );
  for (const [at, { text: sent }] of wire.sent.entries()) {
    const { id, params } = JSON.parse(sent) as { id: number; params: { _meta: { progressToken: number } } };
    assert.equal(params._meta.progressToken, id);
    wire.receive(
      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":${at}}}`,
    );
    wire.receive(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
    wire.receive(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${id},"progress":9}}`);
  }
  await Promise.all(replies);
  for (const [at, { heard }] of callers.entries()) {
    assert.deepEqual(heard, [
      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":${at}}}`,
    ]);
  }
  assert.equal(wire.told.filter(({ kind }) => kind === "strayed").length, 2);
});

test("link: a number that comes back as text is the call's, as the SDKs take it", async () => {
  const wire = new TestWire();
  const reply = text(wire.link.call(request("7"), [], new TestCaller(), scope));
  wire.receive('{"jsonrpc":"2.0","id":"1","result":{}}');
  assert.equal(await reply, '{"jsonrpc":"2.0","id":7,"result":{}}');
});

test("link: an error without the call's id ends the call on whose stream it came, and no other", async () => {
  for (const id of ["", '"id":null,', '"id":"server-error",']) {
    const wire = new TestWire();
    const other = wire.link.call(request("1"), [], new TestCaller(), scope);
    const reply = text(wire.link.call(request('"x"'), [], new TestCaller(), scope));
    wire.receive(`{"jsonrpc":"2.0",${id}"error":{"code":-1,"message":"no"}}`, 2);
    assert.deepEqual(JSON.parse(await reply), { jsonrpc: "2.0", id: "x", error: { code: -1, message: "no" } });
    wire.receive('{"jsonrpc":"2.0","error":{"code":-1,"message":"whose?"}}');
    assert.equal(wire.told.at(-1)?.kind, "strayed");
    wire.receive('{"jsonrpc":"2.0","id":1,"result":{}}');
    await other;
  }
});

test("link: answers and notifications of a batch each find their way", async () => {
  const wire = new TestWire();
  const replies = ["1", "2"].map((id) => text(wire.link.call(request(id), [], new TestCaller(), scope)));
  wire.receive(
    '[{"jsonrpc":"2.0","id":2,"result":{"n":2}},{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":1,"result":{"n":1}}]',
  );
  assert.deepEqual(await Promise.all(replies), [
    '{"jsonrpc":"2.0","id":1,"result":{"n":1}}',
    '{"jsonrpc":"2.0","id":2,"result":{"n":2}}',
  ]);
  assert.deepEqual(
    wire.told.map(({ kind }) => kind),
    ["notified"],
  );
});

test("link: an answer that is no valid message fails its call at once, and a bad request is answered", async () => {
  const wire = new TestWire();
  const reply = failure(wire.link.call(request("1"), [], new TestCaller(), scope));
  wire.receive('{"jsonrpc":"2.0","id":1,"method":"roots/list","params":[]}');
  assert.deepEqual([wire.last["id"], (wire.last["error"] as { code: number }).code], [1, -32600]);
  wire.receive('{"jsonrpc":"2.0","id":1,"result":"text"}');
  assert.equal((await reply).code, "badProtocol");
});

test("link: something on a call's stream that is no message costs the call only if no answer follows", async () => {
  const wire = new TestWire();
  const answered = wire.link.call(request("1"), [], new TestCaller(), scope);
  wire.receive("keep-alive", 1);
  wire.receive('{"jsonrpc":"2.0","id":1,"result":{}}', 1);
  await answered;
  const unanswered = failure(wire.link.call(request("2"), [], new TestCaller(), scope));
  wire.receive("<html>", 2);
  wire.sent.at(-1)?.settle("ended");
  assert.equal((await unanswered).code, "badProtocol");
});

test("link: a cancelled call is taken back under its upstream id with the client's words, and a late answer strays", async () => {
  const wire = new TestWire();
  using own = new Scope();
  const reply = wire.link.call(request('"mine"'), [], new TestCaller(), own);
  const cancel = cancelBy(
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine","reason":"no","x":1}}',
  );
  own.cancel(cancel);
  await assert.rejects(reply, (error) => error === cancel);
  assert.equal(
    wire.sent.at(-1)?.text,
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"no","x":1}}',
  );
  wire.receive('{"jsonrpc":"2.0","id":1,"result":{}}');
  assert.equal(wire.told.at(-1)?.kind, "strayed");
});

test("link: a call on a link that ended since it was chosen was never sent, however the link ended", async () => {
  const wire = new TestWire();
  wire.link.closed(new GatewayError("exited", "it exited", { data: { sent: true } }));
  const error = await failure(wire.link.call(request("1"), [], new TestCaller(), scope));
  assert.ok(neverSent(error));
  assert.equal(wire.sent.length, 0);
});

test("link: when the wire ends, what it had not taken was never sent, and the rest may have been", async () => {
  const wire = new TestWire();
  const replies = ["1", "2"].map((id) => failure(wire.link.call(request(id), [], new TestCaller(), scope)));
  wire.link.closed(new GatewayError("exited", "it exited", { data: { sent: true } }), new Set([2]));
  assert.deepEqual((await Promise.all(replies)).map(neverSent), [false, true]);
  assert.deepEqual(
    wire.told.map(({ kind }) => kind),
    ["ended"],
  );
  await wire.link.gone;
});

test("link: one that is retired finishes its calls, takes no new ones, and then closes the wire once", async () => {
  const wire = new TestWire();
  const reply = wire.link.call(request("1"), [], new TestCaller(), scope);
  wire.link.retired(new GatewayError("unreachable", "gone"));
  assert.ok(neverSent(await failure(wire.link.call(request("2"), [], new TestCaller(), scope))));
  assert.equal(wire.closes, 0);
  wire.receive('{"jsonrpc":"2.0","id":1,"result":{}}');
  await reply;
  await wire.link.gone;
  assert.ok(wire.closes > 0);
});

test("link: a notification that could not be sent is told, and is not the end of the link", async () => {
  const wire = new TestWire();
  wire.link.send(new TextEncoder().encode('{"jsonrpc":"2.0","method":"x"}'));
  wire.sent.at(-1)?.settle(new GatewayError("lost", "reset"));
  await turn();
  assert.ok(wire.link.usable);
  assert.equal(wire.told.at(-1)?.kind, "strayed");
});

test("link: a task belongs to its caller before anything else of it comes, and keeps its token", async () => {
  const wire = new TestWire();
  const caller = new TestCaller();
  const reply = wire.link.call(request("1", '{"name":"t","task":{},"_meta":{"progressToken":"p"}}'), [], caller, scope);
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}';
  wire.receive('{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t-1"}}}');
  wire.receive(progress);
  await reply;
  assert.deepEqual(caller.heard, ["created b t-1", progress.replace(":1,", ':"p",')]);
  wire.link.forget(caller.session);
  wire.receive(progress);
  assert.equal(caller.heard.length, 2);
});

test("link: calls leave nothing behind on a link that lives long", async () => {
  const wire = new TestWire();
  for (let id = 1; id <= 100; id += 1) {
    const reply = wire.link.call(request("1"), [], new TestCaller(), scope);
    wire.receive(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
    wire.sent.at(-1)?.settle("ended");
    await reply;
  }
  assert.deepEqual([wire.link.calls.size, wire.link.calls.callers().length, wire.told.length], [0, 0, 0]);
  // The scope of each exchange has left that of the wire: it does not hear of its end.
  await turn();
  await wire.link.close();
  assert.ok(wire.sent.every(({ scope: own }) => !own.cancelled));
});

test("link: a ping is answered, and a request keeps its id of any kind for the answer", () => {
  const wire = new TestWire();
  wire.receive('{"jsonrpc":"2.0","id":"p","method":"ping"}');
  assert.equal(wire.sent.at(-1)?.text, '{"jsonrpc":"2.0","id":"p","result":{}}');
  wire.receive('{"jsonrpc":"2.0","id":1.50,"method":"roots/list"}');
  assert.deepEqual(
    wire.told.map(({ kind, text: told }) => [kind, told]),
    [["asked", '{"jsonrpc":"2.0","id":1.50,"method":"roots/list"}']],
  );
});
