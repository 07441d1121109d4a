// Names and values that want to be more: a header, a line of a log, a code of a terminal, a part of every object.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { after, test } from "node:test";
import { Gateway, recordOf, until } from "../e2e/kit.ts";
import { headerValue, modernRequest } from "../kit/modern-raw.ts";
import { RawClient } from "../kit/raw-client.ts";

const limits = { timeout: 120_000 };
const evil = [
  "a\r\nX-Evil: 1",
  "a\nX-Evil: 1",
  "a\r\n\r\nHTTP/1.1 200 OK",
  "a\u0000b",
  "\u001b]0;owned\u0007",
  "a\u2028\u2029b",
  " \t ",
  "=?base64?WA==?=",
];
const keys = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"];

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly message: Readonly<Record<string, unknown>>;
}

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly got: Got[];
}

const resultOf = (method: unknown, params: Readonly<Record<string, unknown>>): object => {
  const cached = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  if (method === "server/discover")
    return { ...cached, supportedVersions: ["2026-07-28"], capabilities: { tools: {} } };
  const schema = { type: "object", properties: { region: { type: "string", "x-mcp-header": "region" } } };
  const tools = ["t", ...keys, ...evil].map((name) => ({ name, inputSchema: schema }));
  if (method === "tools/list") return { ...cached, tools };
  return { resultType: "complete", content: [{ type: "text", text: JSON.stringify(params) }] };
};

/** A modern server that notes what it is sent. */
async function serveModern(): Promise<Server> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Uint8Array) => void (text += Buffer.from(chunk).toString()));
    request.on("end", () => {
      const message = recordOf(JSON.parse(text || "{}"));
      got.push({ headers: request.headers, message });
      const result = resultOf(message["method"], recordOf(message["params"]));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: message["id"], result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    got,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface World {
  readonly server: Server;
  readonly gateway: Gateway;
}

const state: { world?: Promise<World> } = {};

async function start(): Promise<World> {
  const server = await serveModern();
  const gateway = await Gateway.start({
    backends: { b: { url: server.url, protocol: "modern", forwardHeaders: ["x-tenant"] } },
    naming: "none",
    log: { requests: "all", level: "debug" },
  });
  await gateway.up("b");
  return { server, gateway };
}

const world = (): Promise<World> => (state.world ??= start());

after(async () => {
  const all = await state.world;
  await all?.gateway[Symbol.asyncDispose]();
  await all?.server[Symbol.asyncDispose]();
});

const callsOf = ({ got }: Server): readonly Got[] => got.filter(({ message }) => message["method"] === "tools/call");

test(
  "injection: names and arguments come to the server as they are, and end no header on the way",
  limits,
  async () => {
    const { server, gateway } = await world();
    const legacy = new RawClient(gateway.url());
    await legacy.initialize();
    const modern = new RawClient(gateway.url());
    for (const text of evil) {
      const before = callsOf(server).length;
      const params = { name: text, arguments: { region: text } };
      await legacy.request("tools/call", params);
      const { body, headers } = modernRequest("tools/call", params, { paramHeaders: { region: text } });
      const answer = await modern.post(body, headers);
      assert.match(answer.text, /"result"/, `${JSON.stringify(text)}: ${answer.text}`);
      const calls = callsOf(server).slice(before);
      assert.equal(calls.length, 2, JSON.stringify(text));
      for (const { headers: sent, message } of calls) {
        assert.equal(recordOf(message["params"])["name"], text);
        assert.deepEqual([sent["mcp-name"], sent["mcp-param-region"]], [headerValue(text), headerValue(text)]);
        assert.equal(sent["x-evil"], undefined);
      }
    }
    assert.ok(server.got.every(({ headers }) => headers["x-evil"] === undefined));
  },
);

test(
  "injection: a line of the log is one line, whatever is called, and says nothing to a terminal",
  limits,
  async () => {
    const { server, gateway } = await world();
    const client = new RawClient(gateway.url());
    await client.initialize("2025-11-25", { "\u001b[31m\nX-Evil: client": {} });
    for (const text of evil) {
      await client.post({ jsonrpc: "2.0", id: text, method: "tools/call", params: { name: text, arguments: {} } });
      await client.post({ jsonrpc: "2.0", id: text, method: text });
    }
    await client.request("tools/call", { name: "t", arguments: {} }, "the-last-one");
    await until(() => gateway.proc.stderr.includes("the-last-one"), "the log has the last call");
    const { stderr } = gateway.proc;
    assert.doesNotMatch(stderr, /^X-Evil|^HTTP\/1\.1/m);
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    assert.doesNotMatch(stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    assert.ok(callsOf(server).length > 0);
  },
);

test("injection: keys of prototypes are data, in arguments, names, ids and capabilities", limits, async () => {
  const { server, gateway } = await world();
  const client = new RawClient(gateway.url());
  const polluting = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as object;
  await client.initialize("2025-11-25", polluting);
  for (const key of keys) {
    const args = `{"region":"r","${key}":{"polluted":true}}`;
    const text = `{"jsonrpc":"2.0","id":"${key}","method":"tools/call","params":{"name":"${key}","arguments":${args},"_meta":{"${key}":{"polluted":1},"progressToken":"${key}"}}}`;
    const { text: answer } = await client.post(text);
    assert.match(answer, new RegExp(`"id":"${key}"`), answer);
    assert.match(answer, /"result"/, `${key}: ${answer}`);
    assert.equal(recordOf(callsOf(server).at(-1)?.message["params"])["name"], key);
    const { body, headers } = modernRequest(
      "tools/call",
      { name: key, arguments: {} },
      { id: key, meta: { [key]: { polluted: 1 } } },
    );
    assert.match((await client.post(body, { ...headers, "mcp-session-id": undefined })).text, /"result"/, key);
    for (const method of [key, `tools/${key}`]) assert.match(await client.request(method), /"id":1/, method);
    for (const path of [`/mcp/${key}`, `/why/${key}`, `/${key}`, `/admin/${key}`])
      assert.ok([200, 404].includes((await fetch(new URL(path, gateway.url()))).status), path);
  }
  const { tools } = recordOf(recordOf(JSON.parse(await client.request("tools/list")))["result"]);
  assert.ok(Array.isArray(tools) && keys.every((key) => tools.some((tool: unknown) => recordOf(tool)["name"] === key)));
  assert.doesNotMatch(gateway.proc.stderr, /E7001|polluted/);
});

test("injection: headers that are handed on are those that came, and no others", limits, async () => {
  const { server, gateway } = await world();
  const client = new RawClient(gateway.url());
  await client.initialize();
  const shown = {
    "x-tenant": "acme\tumbrella",
    authorization: "Bearer x",
    cookie: "a=b",
    "x-other": "1",
    "x-forwarded-for": "1.2.3.4",
    forwarded: "for=1.2.3.4",
  };
  await (
    await client.send(
      "POST",
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", arguments: {} } },
      shown,
    )
  ).text();
  const { headers = {} } = callsOf(server).at(-1) ?? {};
  assert.equal(headers["x-tenant"], "acme\tumbrella");
  for (const name of ["authorization", "cookie", "x-other", "x-forwarded-for", "forwarded", "mcp-session-id"])
    assert.equal(headers[name], undefined, name);
});
