// Through the gateway, over HTTP and over stdio, an SDK client gets from four real servers what it gets directly.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connectClient } from "../kit/client.ts";
import type { TestClient } from "../kit/client.ts";
import { createStdioFront, serverNames, startServers } from "../kit/servers.ts";
import type { ServerName, Servers, StdioFront } from "../kit/servers.ts";
import { Gateway } from "./kit.ts";
import { outcomeOf, promptSample, templateUris, toolSample, useTool } from "./samples.ts";

type Front = "HTTP" | "stdio";

interface Peers {
  readonly servers: Servers;
  readonly gateway: Gateway;
  readonly stdioFront: StdioFront;
  readonly direct: Readonly<Record<ServerName, TestClient>>;
  readonly through: Readonly<Record<Front, TestClient>>;
}

const fronts: readonly Front[] = ["HTTP", "stdio"];
const limits = { timeout: 120_000 };
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const servers = await startServers();
  const config = servers.config();
  const [gateway, stdioFront] = [await Gateway.start(config), createStdioFront(config)];
  await gateway.up(...serverNames);
  const connect = (name: ServerName): Promise<TestClient> => connectClient(servers.all[name].direct);
  const [http, stdio, fixture, fixtureHttp, everything, everythingHttp] = await Promise.all([
    connectClient({ url: gateway.url() }),
    connectClient(stdioFront.target),
    connect("fixture"),
    connect("fixture-http"),
    connect("everything"),
    connect("everything-http"),
  ]);
  const direct = { fixture, "fixture-http": fixtureHttp, everything, "everything-http": everythingHttp };
  return { servers, gateway, stdioFront, direct, through: { HTTP: http, stdio } };
}

after(async () => {
  const { servers, gateway, stdioFront, direct, through } = await peers();
  const clients = [...Object.values(direct), ...Object.values(through)];
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  await Promise.all([gateway[Symbol.asyncDispose](), servers[Symbol.asyncDispose]()]);
  stdioFront[Symbol.dispose]();
});

/** Started by the first test that needs them. */
function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

/** Runs the same check for each server, at the same time: what they are asked does not overlap. */
async function eachServer(front: Front, check: (one: Checked) => Promise<void>): Promise<void> {
  const { direct, through } = await peers();
  await Promise.all(serverNames.map((name) => check({ name, direct: direct[name], through: through[front] })));
}

interface Checked {
  readonly name: ServerName;
  readonly direct: TestClient;
  readonly through: TestClient;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** Items that carry a backend's prefix, without it. */
function ownItems<Item extends { name: string }>(items: readonly Item[], backend: ServerName): Item[] {
  const prefix = `${backend}__`;
  return items
    .filter(({ name }) => name.startsWith(prefix))
    .map((item) => ({ ...item, name: item.name.slice(prefix.length) }))
    .sort(byName);
}

/** The URI that the gateway shows: its own, or an address at the backend where an earlier backend has the same one. */
function exposedUri(server: ServerName, uri: string): string {
  return server.endsWith("-http") ? `mcpctl://${server}/${encodeURIComponent(uri)}` : uri;
}

for (const front of fronts) {
  test(`parity: tools, prompts, resources and templates are those of the servers, over ${front}`, limits, async () => {
    const { through } = await peers();
    const [{ tools }, { prompts }, { resources }, { resourceTemplates }] = await Promise.all([
      through[front].client.listTools(),
      through[front].client.listPrompts(),
      through[front].client.listResources(),
      through[front].client.listResourceTemplates(),
    ]);
    await eachServer(front, async ({ name, direct: { client } }) => {
      assert.deepEqual(ownItems(tools, name), (await client.listTools()).tools.sort(byName));
      assert.deepEqual(ownItems(prompts, name), (await client.listPrompts()).prompts.sort(byName));
      for (const resource of (await client.listResources()).resources) {
        const uri = exposedUri(name, resource.uri);
        assert.deepEqual(
          resources.find((each) => each.uri === uri),
          { ...resource, uri },
        );
      }
      for (const template of (await client.listResourceTemplates()).resourceTemplates) {
        assert.deepEqual(
          resourceTemplates.find(({ uriTemplate }) => uriTemplate === template.uriTemplate),
          template,
        );
      }
    });
    assert.ok(tools.every(({ name }) => serverNames.some((server) => name.startsWith(`${server}__`))));
    assert.equal(new Set(resources.map(({ uri }) => uri)).size, resources.length);
  });
}

// Calls may add resources, so the listings come first.
for (const front of fronts) {
  test(`parity: a call of every tool gives what a direct call gives, over ${front}`, limits, async () => {
    const { direct, through } = await peers();
    // One after the other: what one client is asked and told is not to mix.
    for (const name of serverNames) {
      for (const { name: tool } of (await direct[name].client.listTools()).tools) {
        const args = toolSample(name, tool);
        if (args === undefined) continue;
        // A switch is put back.
        for (let times = tool.startsWith("toggle-") ? 2 : 1; times > 0; times -= 1) {
          const outcomes: Promise<unknown>[] = [
            useTool(direct[name], tool, args),
            useTool(through[front], `${name}__${tool}`, args),
          ];
          const [expected, found] = await Promise.all(outcomes);
          assert.deepEqual(found, expected, `${tool} of ${name}`);
        }
      }
    }
  });

  test(`parity: every prompt is the same, over ${front}`, limits, async () => {
    await eachServer(front, async ({ name, direct, through }) => {
      for (const { name: prompt } of (await direct.client.listPrompts()).prompts) {
        const params = { arguments: promptSample(prompt) };
        const expected = await outcomeOf(direct.client.getPrompt({ name: prompt, ...params }));
        const found = await outcomeOf(through.client.getPrompt({ name: `${name}__${prompt}`, ...params }));
        assert.deepEqual(found, expected, `${prompt} of ${name}`);
      }
    });
  });

  test(`parity: every resource reads the same, listed or made by a template, over ${front}`, limits, async () => {
    await eachServer(front, async ({ name, direct, through }) => {
      const { resources } = await direct.client.listResources();
      // The reference server keeps a file for the last of its sessions that made one.
      const listed = resources.map(({ uri }) => uri).filter((uri) => !uri.startsWith("demo://resource/session/"));
      assert.ok(listed.length > 0);
      for (const uri of [...listed, ...templateUris(name)]) {
        const expected = await outcomeOf(direct.client.readResource({ uri }));
        const found = await outcomeOf(through.client.readResource({ uri: exposedUri(name, uri) }));
        assert.deepEqual(found, expected, `${uri} of ${name}`);
      }
    });
  });

  test(`parity: completions of prompts and templates are the same, over ${front}`, limits, async () => {
    const prompt = (name: string) => ({ type: "ref/prompt" as const, name });
    const template = (uri: string) => ({ type: "ref/resource" as const, uri });
    const sales = { arguments: { department: "Sales" } };
    await eachServer(front, async ({ name, direct, through }) => {
      const complete = async (own: Completion["ref"], exposed: Completion["ref"], rest: Omit<Completion, "ref">) => {
        const expected = await direct.client.complete({ ref: own, ...rest });
        assert.deepEqual(await through.client.complete({ ref: exposed, ...rest }), expected);
        assert.ok(expected.completion.values.length > 0);
      };
      if (name.startsWith("everything")) {
        const ref = [prompt("completable-prompt"), prompt(`${name}__completable-prompt`)] as const;
        await complete(...ref, { argument: { name: "department", value: "S" } });
        await complete(...ref, { argument: { name: "name", value: "" }, context: sales });
        const uri = "demo://resource/dynamic/text/{resourceId}";
        await complete(template(uri), template(uri), { argument: { name: "resourceId", value: "12" } });
      } else {
        const ref = [prompt("test_prompt_with_arguments"), prompt(`${name}__test_prompt_with_arguments`)] as const;
        await complete(...ref, { argument: { name: "arg1", value: "par" } });
        const uri = "test://template/{id}/data";
        await complete(template(uri), template(uri), { argument: { name: "id", value: "te" } });
      }
    });
  });
}

type Completion = Parameters<TestClient["client"]["complete"]>[0];

test("parity: the gateway says what the servers can do, and their instructions with their names", limits, async () => {
  const { direct, through } = await peers();
  const capabilities = through.HTTP.client.getServerCapabilities();
  for (const name of serverNames) {
    for (const capability of Object.keys(direct[name].client.getServerCapabilities() ?? {})) {
      assert.ok(capabilities && capability in capabilities, `${capability} of ${name}`);
    }
    const instructions = direct[name].client.getInstructions() ?? "";
    assert.ok(instructions.length > 0);
    assert.ok(through.HTTP.client.getInstructions()?.includes(`# ${name}\n\n${instructions.trim()}`));
  }
});

test("parity: ping is answered on both fronts", limits, async () => {
  for (const front of fronts) assert.deepEqual(await (await peers()).through[front].client.ping(), {});
});

test("parity: an unknown resource is the refusal of the server that knows best", limits, async () => {
  const { servers, direct } = await peers();
  // The reference server comes first, and has another code for a URI that it does not know.
  await using gateway = await Gateway.start(servers.config(["everything-http", "fixture-http"]));
  await gateway.up("everything-http", "fixture-http");
  await using one = await connectClient({ url: gateway.url() });
  const params = { uri: "test://no-such-thing" };
  const expected = await outcomeOf(direct["fixture-http"].client.readResource(params));
  assert.match(JSON.stringify(expected), /-32002.*no-such-thing/);
  assert.deepEqual(await outcomeOf(one.client.readResource(params)), expected);
});
