// Addresses that peers name: what is nearer than they are is not asked, whatever its name, and what need not be is never asked.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { createServer as createTcp } from "node:net";
import { test } from "node:test";
import { discover, type OAuthSite } from "../../lib/backend/authorization.ts";
import { fetchFor } from "../../lib/backend/peer-fetch.ts";
import { whyForeign, type Zone, zoneOf } from "../../lib/backend/peer-zones.ts";
import { Gateway } from "../e2e/kit.ts";
import { modernRequest } from "../kit/modern-raw.ts";
import { runtimeCommand, startProcess } from "../kit/process.ts";
import { RawClient } from "../kit/raw-client.ts";
import { servePeer } from "../route/peer.ts";

const limits = { timeout: 120_000 };

interface Trap extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly string[];
}

/** Answers everything with a document, or a redirect, and notes what was asked. */
async function serveTrap(answer: (url: string) => object | string = () => ({})): Promise<Trap> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(String(request.url));
    const said = answer(`http://${request.headers.host}`);
    if (typeof said === "string") response.writeHead(302, { location: said }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("ssrf: each address is known for where it leads, however it is written", () => {
  const zones: Readonly<Record<Zone, readonly string[]>> = {
    here: [
      "127.0.0.1",
      "127.9.9.9",
      "0.0.0.0",
      "::1",
      "::",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "::7f00:1",
      "::ffff:0:127.0.0.1",
      "localhost",
      "LOCALHOST.",
      "a.localhost",
    ],
    link: [
      "169.254.169.254",
      "fe80::1",
      "::ffff:169.254.169.254",
      "64:ff9b::a9fe:a9fe",
      "2002:a9fe:a9fe::1",
      "fd00:ec2::254",
    ],
    inside: [
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "100.64.0.1",
      "198.18.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "fc00::1",
      "fd12::1",
      "ff02::1",
      "::ffff:10.0.0.1",
      "2001::1",
      "64:ff9b::a00:1",
    ],
    world: ["93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"],
  };
  for (const [zone, hosts] of Object.entries(zones)) for (const host of hosts) assert.equal(zoneOf(host), zone, host);
  for (const name of ["example.com", "127.0.0.1.example", "localhost.example"])
    assert.equal(zoneOf(name), undefined, name);
});

test("ssrf: a peer names what is as near as itself, over TLS, and nothing nearer", () => {
  const refused = (backend: string, named: string): boolean => whyForeign(named, [new URL(backend)]) !== undefined;
  const world = "https://mcp.example.com/mcp";
  for (const named of [
    "https://127.0.0.1/",
    "http://127.0.0.1:9200/",
    "http://localhost/",
    "https://localhost./",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://[fd00::1]/",
    "https://0/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "data:application/json,{}",
    "https://user:secret@example.com/",
    "//example.com",
    "",
  ])
    assert.ok(refused(world, named), named);
  assert.ok(!refused(world, "https://id.example.com/"));
  for (const [backend, named, isRefused] of [
    ["https://10.0.0.5/mcp", "https://10.0.0.6/", false],
    ["https://10.0.0.5/mcp", "http://127.0.0.1:9200/", true],
    ["https://10.0.0.5/mcp", "https://169.254.169.254/", true],
    ["http://127.0.0.1:1/mcp", "http://127.0.0.1:2/", false],
    ["http://127.0.0.1:1/mcp", "https://169.254.169.254/", true],
    ["http://127.0.0.1:1/mcp", "https://10.0.0.1/", false],
    ["unix:/run/mcp.sock:/mcp", "http://localhost:2/", false],
  ] as const)
    assert.equal(refused(backend, named), isRefused, `${backend} names ${named}`);
  // What the operator names itself is as good as the backend.
  assert.equal(whyForeign("https://10.0.0.9/token", [new URL(world), new URL("https://10.0.0.8/")]), undefined);
});

test("ssrf: a name is looked up once, for the connection itself, and where it leads counts", async () => {
  let connections = 0;
  const server = createTcp((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const looked: string[] = [];
  /** Leads out into the world whenever it is asked first, and to this machine when it is asked again. */
  const rebinding = (first: string) => (host: string) => {
    const isFirst = !looked.includes(host);
    looked.push(host);
    return Promise.resolve([{ address: isFirst ? first : "127.0.0.1", family: 4 }]);
  };
  const world = [new URL("https://93.184.216.34/mcp")];
  for (const near of ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"]) {
    looked.length = 0;
    await assert.rejects(
      fetchFor(world, rebinding(near))(`https://evil.example:${port}/`),
      /is inside this network/,
      near,
    );
  }
  // One of several is enough: the fastest would be taken.
  const both = (): Promise<{ address: string; family: number }[]> =>
    Promise.resolve([
      { address: "93.184.216.34", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ]);
  await assert.rejects(fetchFor(world, both)(`https://evil.example:${port}/`), /is inside this network/);
  assert.equal(connections, 0);
  looked.length = 0;
  // A peer of this machine may; what was looked up is what is connected to.
  await assert.rejects(
    fetchFor([new URL("http://127.0.0.1:1/mcp")], rebinding("127.0.0.1"))(`https://near.example:${port}/`),
  );
  assert.deepEqual([looked, connections], [["near.example"], 1]);
  await new Promise((resolve) => server.close(resolve));
});

test("ssrf: metadata that leads to a nearer place, or elsewhere by a redirect, is not followed", limits, async () => {
  await using elsewhere = await serveTrap();
  const siteOf = (url: string): OAuthSite => ({
    login: { backend: "b", url: `${url}/mcp`, who: "ada" },
    plan: { kind: "oauth", grant: "authorization_code", scopes: [], shared: false, sealKeys: [] },
  });
  for (const server of [
    "https://169.254.169.254/",
    "http://evil.example/",
    "https://a:b@127.0.0.1/",
    "file:///etc/passwd",
  ]) {
    await using backend = await serveTrap((url) => ({ resource: `${url}/mcp`, authorization_servers: [server] }));
    await assert.rejects(
      discover(siteOf(backend.url), undefined),
      /inside this network|not over TLS|holds credentials|cannot be read/,
      server,
    );
  }
  await using moved = await serveTrap(() => `${elsewhere.url}/secret`);
  await assert.rejects(discover(siteOf(moved.url), undefined));
  await using honest = await serveTrap();
  for (const metadata of ["https://169.254.169.254/latest", "http://evil.example/", "file:///etc/passwd"])
    await assert.rejects(discover(siteOf(honest.url), { metadata: new URL(metadata), scopes: [] } as never), metadata);
  assert.deepEqual([elsewhere.asked, honest.asked], [[], []]);
});

test("ssrf: icons, links, and schemas that lie elsewhere are handed on, and nobody asks for them", limits, async () => {
  await using trap = await serveTrap();
  const at = (path: string): string => `${trap.url}/${path}`;
  const icons = [{ src: at("icon.png"), mimeType: "image/png", sizes: ["any"] }];
  const tool = {
    name: "t",
    description: "d",
    icons,
    inputSchema: { $schema: at("dialect"), type: "object", properties: { a: { $ref: at("schema") } }, $ref: at("all") },
    outputSchema: { type: "object", $ref: at("out") },
    _meta: { ui: { resourceUri: at("ui") } },
  };
  const links = [
    { type: "resource_link", uri: at("resource"), name: "r", icons },
    { type: "text", text: `![x](${at("markdown")})` },
  ];
  await using peer = await servePeer(
    { tools: {}, resources: {}, prompts: {} },
    {
      "tools/list": (exchange) => exchange.reply({ tools: [tool] }),
      "resources/list": (exchange) => exchange.reply({ resources: [{ uri: at("listed"), name: "l", icons }] }),
      "resources/templates/list": (exchange) => exchange.reply({ resourceTemplates: [] }),
      "prompts/list": (exchange) => exchange.reply({ prompts: [{ name: "p", icons }] }),
      "tools/call": (exchange) => exchange.reply({ content: links, structuredContent: { $ref: at("value") } }),
    },
  );
  const rule = { effect: "allow", arguments: { "/a": { $ref: at("policy") } } };
  await using gateway = await Gateway.start({ backends: { peer: { url: peer.url } } });
  await using strict = await Gateway.start({
    backends: { peer: { url: peer.url } },
    policy: { default: "deny", rules: [rule] },
  });
  await Promise.all([gateway.up("peer"), strict.up("peer")]);
  const client = new RawClient(gateway.url());
  await client.initialize();
  for (const method of ["tools/list", "resources/list", "prompts/list"])
    assert.match(await client.request(method), /icon\.png/);
  assert.match(await client.request("tools/call", { name: "peer__t", arguments: { a: 1 } }), /markdown/);
  for (const method of ["tools/list", "resources/list"]) {
    const { body, headers } = modernRequest(method);
    assert.match((await client.post(body, headers)).text, /icon\.png/);
  }
  const judged = new RawClient(strict.url());
  await judged.initialize();
  // What cannot be judged is not allowed.
  assert.match(await judged.request("tools/call", { name: "peer__t", arguments: { a: 1 } }), /E5105/);
  for (const words of [
    ["list", peer.url, "--check"],
    ["probe", peer.url, "--deep"],
    ["call", peer.url, "t", "a=1", "--no-input"],
  ]) {
    const proc = startProcess(...runtimeCommand("cli/main.ts", ...words));
    const { code } = await proc.exited;
    assert.ok(code === 0 || code === 1, `${words.join(" ")}: ${code} ${proc.stderr}`);
    assert.doesNotMatch(proc.stderr, /E7001/, `${words.join(" ")}: ${proc.stderr}`);
  }
  assert.deepEqual(trap.asked, []);
});
