// A modern server behind a link, on a wire that the test holds: what goes out for what a link says, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, type LinkPeer } from "../../lib/backend/link.ts";
import { ModernTransport } from "../../lib/backend/modern.ts";
import type { MessageHeaders, SendOutcome, Transport } from "../../lib/backend/transport.ts";
import { GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { decodeText, encodeText } from "../../lib/core/text.ts";
import { envelopeOf, TestCaller } from "./link-kit.ts";
import { until } from "./raw-server.ts";

interface Sent {
  readonly body: Readonly<Record<string, unknown>>;
  readonly method: string;
  readonly id: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly scope: Scope;
  readonly end: (error?: Error) => void;
}

class Peers implements Transport, LinkPeer {
  readonly link: Link = new Link("b", "owner", this);
  readonly modern: ModernTransport;
  readonly sent: Sent[] = [];
  readonly heard: string[] = [];
  readonly warned: string[] = [];
  changed = 0;
  /** What the client of the link answers to a request of the server. */
  reply: (id: unknown, method: string) => string | undefined = (id) =>
    `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"action":"accept"}}`;

  constructor(kind: "http" | "stdio" = "http", capabilities: Readonly<Record<string, unknown>> = {}) {
    const facts = {
      backend: "b",
      version: "2026-07-28",
      kind,
      capabilities,
      client: { name: "c", version: "1", capabilities: {} },
      keepsReads: false,
      warn: (what: string): void => void this.warned.push(what),
    };
    this.modern = new ModernTransport(this, this.link, facts, () => {
      this.changed += 1;
    });
    this.link.attach(this.modern);
    this.link.negotiated({ protocolVersion: "2026-07-28", capabilities, serverInfo: {}, instructions: undefined });
    this.link.opened();
  }

  send(
    message: Uint8Array,
    _call: number | undefined,
    scope: Scope,
    headers: MessageHeaders = [],
  ): Promise<SendOutcome> {
    const body = JSON.parse(decodeText(message)) as Record<string, unknown>;
    const { promise, resolve, reject } = Promise.withResolvers<SendOutcome>();
    scope.onCancel(reject);
    const end = (error?: Error): void => (error ? reject(error) : resolve("ended"));
    const params = (body["params"] ?? {}) as Record<string, unknown>;
    const [method, id] = [String(body["method"]), Number(body["id"])];
    this.sent.push({ body, method, id, params, headers: Object.fromEntries(headers), scope, end });
    return promise;
  }
  negotiated(): void {}
  opened(): void {}
  close(): Promise<void> {
    return Promise.resolve();
  }

  notified(_link: Link, { bytes }: { readonly bytes: Uint8Array }): void {
    this.heard.push(decodeText(bytes));
  }
  asked(_link: Link, request: { readonly bytes: Uint8Array }): void {
    const text = decodeText(request.bytes);
    this.heard.push(text);
    const { id, method } = JSON.parse(text) as { id: unknown; method: string };
    const answer = this.reply(id, method);
    if (answer !== undefined) this.link.send(encodeText(answer));
  }
  strayed(): void {}
  missed(): void {
    this.heard.push("missed");
  }
  ended(): void {}

  /** The server's answer to what it was sent last with this method. */
  answer(sent: Sent, member: string): void {
    this.modern.message(encodeText(`{"jsonrpc":"2.0","id":${sent.id},${member}}`), sent.id, true);
    sent.end();
  }

  async next(method: string, nth = 1): Promise<Sent> {
    const all = (): Sent[] => this.sent.filter((each) => each.method === method);
    await until(() => all().length >= nth, `${method} number ${nth}`);
    const found = all()[nth - 1];
    assert.ok(found);
    return found;
  }

  call(text: string): Promise<Readonly<Record<string, unknown>>> {
    const caller = Object.assign(new TestCaller(), { capabilities: { elicitation: {} }, logLevel: "error" });
    const reply = this.link.call(envelopeOf(text), [], caller, new Scope());
    return reply.then((bytes) => JSON.parse(decodeText(bytes)) as Record<string, unknown>);
  }
}

const callTool = '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"t","arguments":{"a":"v"}}}';
const discovered =
  '"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}';
const ask = (state: string): string =>
  `"result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}},"requestState":"${state}"}`;

test("modern: a call says who asks, what it can, and how much it wants to hear", async () => {
  const peers = new Peers("http", { logging: {} });
  const reply = peers.call(callTool);
  const sent = await peers.next("tools/call");
  assert.deepEqual(sent.params["_meta"], {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
    "io.modelcontextprotocol/logLevel": "error",
  });
  assert.deepEqual(sent.headers, {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "t",
  });
  peers.answer(sent, '"result":{"resultType":"complete","content":[]}');
  assert.deepEqual(await reply, { jsonrpc: "2.0", id: "x", result: { content: [] } });
});

test("modern: each round is sent again with its answers alone and the state as it came", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  const first = await peers.next("tools/call");
  peers.answer(first, ask("s\\u0031"));
  const second = await peers.next("tools/call", 2);
  assert.notEqual(second.id, first.id);
  assert.deepEqual(second.params["inputResponses"], { k: { action: "accept" } });
  assert.equal(second.params["requestState"], "s1");
  // A state alone: the server only wants time.
  peers.answer(second, '"result":{"resultType":"input_required","requestState":"s2"}');
  const third = await peers.next("tools/call", 3);
  assert.equal(third.params["inputResponses"], undefined);
  assert.equal(third.params["requestState"], "s2");
  peers.answer(third, '"result":{"content":[]}');
  assert.deepEqual((await reply)["result"], { content: [] });
});

test("modern: a server that asks on and on is stopped", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  for (let round = 1; round <= 21; round += 1) peers.answer(await peers.next("tools/call", round), ask("s"));
  assert.match(JSON.stringify((await reply)["error"]), /asked for input more than 20 times/);
  assert.equal(peers.sent.length, 21);
});

test("modern: what a client did not declare is not asked of it", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  const sampling = '{"k":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}}';
  peers.answer(await peers.next("tools/call"), `"result":{"resultType":"input_required","inputRequests":${sampling}}`);
  assert.match(JSON.stringify((await reply)["error"]), /sampling\/createMessage.*did not declare/);
  assert.deepEqual(peers.heard, []);
});

test("modern: stale header parameters are looked up again, once", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  const mismatch = '"error":{"code":-32020,"message":"header Mcp-Param-A is missing"}';
  peers.answer(await peers.next("tools/call"), mismatch);
  const schema = '{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}';
  peers.answer(await peers.next("tools/list"), `"result":{"tools":[{"name":"t","inputSchema":${schema}}]}`);
  const again = await peers.next("tools/call", 2);
  assert.equal(again.headers["mcp-param-a"], "v");
  peers.answer(again, mismatch);
  assert.match(JSON.stringify((await reply)["error"]), /-32020/);
});

test("modern: what is refused in a later round is sent again with the answers that it had", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  peers.answer(await peers.next("tools/call"), ask("s"));
  peers.answer(await peers.next("tools/call", 2), '"error":{"code":-32020,"message":"no"}');
  peers.answer(await peers.next("tools/list"), '"result":{"tools":[]}');
  const third = await peers.next("tools/call", 3);
  assert.deepEqual(third.params["inputResponses"], { k: { action: "accept" } });
  assert.equal(third.params["requestState"], "s");
  peers.answer(third, '"result":{"content":[]}');
  assert.deepEqual((await reply)["result"], { content: [] });
});

test("modern: a version that is refused is tried again, once, where the server still names it", async () => {
  const peers = new Peers();
  const refusal = '"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2026-07-28"}}';
  const reply = peers.call(callTool);
  peers.answer(await peers.next("tools/call"), refusal);
  peers.answer(await peers.next("server/discover"), discovered);
  peers.answer(await peers.next("tools/call", 2), refusal);
  assert.match(JSON.stringify((await reply)["error"]), /-32022/);
  assert.equal(peers.sent.length, 3);
});

test("modern: a listen stream that ends is opened again, and may have missed something", async () => {
  const peers = new Peers("http", { resources: { subscribe: true } });
  assert.equal(peers.sent.length, 0);
  const subscribed = peers.call('{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://a"}}');
  const first = await peers.next("subscriptions/listen");
  assert.deepEqual(first.params["notifications"], { resourceSubscriptions: ["test://a"] });
  const acknowledge = ({ id }: Sent): void =>
    peers.modern.message(
      encodeText(
        `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":${id}},"notifications":{"resourceSubscriptions":["test://a"]}}}`,
      ),
      id,
    );
  acknowledge(first);
  assert.deepEqual((await subscribed)["result"], {});
  first.end();
  const second = await peers.next("subscriptions/listen", 2);
  assert.ok(!peers.link.hears);
  acknowledge(second);
  assert.ok(peers.link.hears);
  assert.deepEqual(peers.heard, ["missed"]);
  const dropped = peers.call('{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"test://a"}}');
  assert.deepEqual((await dropped)["result"], {});
  await until(() => second.scope.cancelled, "the stream that nobody needs is closed");
});

test("modern: a subscription on a link that is closed is a failure of the link, not the server's word", async () => {
  const peers = new Peers("http", { resources: { subscribe: true } });
  const subscribed = peers.call('{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://a"}}');
  await peers.next("subscriptions/listen");
  peers.modern.retired(new GatewayError("draining", "the link was closed", { data: { sent: false } }));
  await assert.rejects(subscribed, (error) => error instanceof GatewayError && error.data["sent"] === false);
});

test("modern: a server that speaks another era after a restart loses its link at once", async () => {
  const peers = new Peers();
  const reply = peers.call(callTool);
  const error = new GatewayError("badProtocol", "answered with HTTP 404", { data: { sent: false } });
  (await peers.next("tools/call")).end(error);
  peers.answer(await peers.next("server/discover"), '"error":{"code":-32601,"message":"no such method"}');
  // Nothing was executed: the call may be made again on another link.
  await assert.rejects(reply, { code: "sessionLost", data: { sent: false } });
  await until(() => peers.link.life.cancelled, "the link is retired");
  assert.equal(peers.changed, 1);
});

test("modern: a server that wants a handshake is another one now, unless it is still the modern one", async () => {
  const refusal = '"error":{"code":-32000,"message":"Bad Request: Server not initialized"}';
  const peers = new Peers();
  const first = peers.call(callTool);
  peers.answer(await peers.next("tools/call"), refusal);
  peers.answer(await peers.next("server/discover"), discovered);
  assert.match(JSON.stringify((await first)["error"]), /-32000.*not initialized/);
  const second = peers.call(callTool);
  peers.answer(await peers.next("tools/call", 2), refusal);
  peers.answer(await peers.next("server/discover", 2), refusal);
  await assert.rejects(second, { code: "sessionLost" });
  assert.equal(peers.changed, 1);
});

test("modern: legacy tasks are not asked for, and what the era has not is refused here", async () => {
  const peers = new Peers();
  const augmented = peers.call(callTool.replace('"name"', '"task":{"ttl":1},"name"'));
  const sent = await peers.next("tools/call");
  assert.equal(sent.params["task"], undefined);
  peers.answer(sent, '"result":{"resultType":"task","taskId":"1"}');
  assert.match(JSON.stringify((await augmented)["error"]), /a task, which was not offered/);
  const listed = await peers.call('{"jsonrpc":"2.0","id":1,"method":"tasks/list"}');
  assert.match(JSON.stringify(listed["error"]), /-32601/);
  assert.equal(peers.sent.length, 1);
});

test("modern: on stdio a call is taken back under the id that the server works on", async () => {
  const peers = new Peers("stdio");
  const scope = new Scope();
  const caller = Object.assign(new TestCaller(), { capabilities: { elicitation: {} } });
  const reply = peers.link.call(envelopeOf(callTool), [], caller, scope);
  const first = await peers.next("tools/call");
  peers.modern.message(encodeText(`{"jsonrpc":"2.0","id":${first.id},${ask("s")}}`), undefined);
  const second = await peers.next("tools/call", 2);
  scope.cancel(new Error("enough"));
  await assert.rejects(reply, /enough/);
  const notice = await peers.next("notifications/cancelled");
  assert.equal(notice.params["requestId"], second.id);
});
