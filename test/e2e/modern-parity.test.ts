// Through the gateway, over HTTP and over stdio, a modern client gets from modern servers what it gets directly.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Target } from "../kit/client.ts";
import { childOf, links, modernFixture } from "../kit/conformance-gateway.ts";
import { connectModern } from "../kit/modern-client.ts";
import type { ModernTestClient } from "../kit/modern-client.ts";
import { runtimeCommand, startHttpServer } from "../kit/process.ts";
import type { HttpServerProcess } from "../kit/process.ts";
import { createStdioFront } from "../kit/servers.ts";
import type { StdioFront } from "../kit/servers.ts";
import { Gateway } from "./kit.ts";
import { modernToolSample, outcomeOf, promptSample, useTool } from "./samples.ts";

const fronts = ["HTTP", "stdio"] as const;
type Front = (typeof fronts)[number];

interface Peers {
  readonly server: HttpServerProcess;
  readonly gateway: Gateway;
  readonly stdioFront: StdioFront;
  readonly direct: Readonly<Record<(typeof links)[number], Target>>;
}

const limits = { timeout: 120_000 };
const state: { peers?: Promise<Peers> } = {};

async function startPeers(): Promise<Peers> {
  const server = await startHttpServer(modernFixture.script);
  const config = { timeouts: { list: "20s" }, backends: { http: { url: server.url }, stdio: childOf(modernFixture) } };
  const gateway = await Gateway.start(config);
  await gateway.up(...links);
  const command = runtimeCommand(modernFixture.script, "stdio");
  return {
    server,
    gateway,
    stdioFront: createStdioFront(config),
    direct: { http: { url: server.url }, stdio: { command } },
  };
}

function peers(): Promise<Peers> {
  return (state.peers ??= startPeers());
}

after(async () => {
  const { server, gateway, stdioFront } = await peers();
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  stdioFront[Symbol.dispose]();
});

async function connect(front: Front): Promise<ModernTestClient> {
  const { gateway, stdioFront } = await peers();
  return connectModern(front === "HTTP" ? { url: gateway.url() } : stdioFront.target);
}

/** Without what the gateway says of itself, and with the backend's own names. */
function asDirect(outcome: unknown, link: string): unknown {
  return JSON.parse(JSON.stringify(outcome).replaceAll(`${link}__`, ""), (key, value: unknown) => {
    if (key !== "_meta" || typeof value !== "object" || value === null) return value;
    const kept = Object.entries(value).filter(([name]) => name !== "io.modelcontextprotocol/serverInfo");
    return kept.length > 0 ? Object.fromEntries(kept) : undefined;
  });
}

for (const front of fronts) {
  for (const link of links) {
    const way = `over ${front} and a link over ${link}`;

    test(`modern parity: tools and their calls are those of the server, ${way}`, limits, async () => {
      await using through = await connect(front);
      await using direct = await connectModern((await peers()).direct[link]);
      const { tools } = await direct.client.listTools();
      const listed = (await through.client.listTools()).tools.filter(({ name }) => name.startsWith(`${link}__`));
      const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
      assert.deepEqual(asDirect(listed, link), tools.sort(byName));
      for (const { name: tool } of tools) {
        const args = modernToolSample(tool);
        if (args === undefined) continue;
        const expected = await useTool(direct, tool, args);
        const found = await useTool(through, `${link}__${tool}`, args);
        assert.deepEqual(asDirect(found, link), asDirect(expected, link), tool);
      }
    });

    test(`modern parity: prompts are those of the server, ${way}`, limits, async () => {
      await using through = await connect(front);
      await using direct = await connectModern((await peers()).direct[link]);
      const { prompts } = await direct.client.listPrompts();
      assert.ok(prompts.length > 3);
      for (const { name: prompt } of prompts) {
        const params = { arguments: { ...promptSample(prompt) } };
        const expected = await outcomeOf(direct.client.getPrompt({ name: prompt, ...params }));
        const found = await outcomeOf(through.client.getPrompt({ name: `${link}__${prompt}`, ...params }));
        assert.deepEqual(asDirect(found, link), asDirect(expected, link), prompt);
      }
    });
  }
}
