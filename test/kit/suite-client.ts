// The client that the conformance suite starts in its client scenarios: `suite-client.ts [--gateway] <url of its server>`.
import process from "node:process";
import { parseArgs } from "node:util";
import { startGateway } from "./conformance-gateway.ts";
import { connectModern, modernRevision } from "./modern-client.ts";
import type { ModernTestClient } from "./modern-client.ts";
import { recordOf } from "./fixture-world.ts";

type Arguments = Readonly<Record<string, unknown>>;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** Puts the gateway between this client and the suite's server. */
    gateway: { type: "boolean", default: false },
    /** The era of this client; by default that of the scenario. */
    era: { type: "string" },
  },
});

const [url = ""] = positionals;
const version = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? modernRevision;
const context: unknown = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}");

/** The calls that the scenario names in its context: tool and arguments. */
function namedCalls(): readonly (readonly [string, Arguments])[] {
  const calls = recordOf(context)["toolCalls"];
  if (!Array.isArray(calls)) return [];
  return calls.map((call: unknown) => [String(recordOf(call)["name"]), recordOf(recordOf(call)["arguments"])]);
}

/** Says what was refused, and goes on: some servers of the suite list what they do not serve. */
async function attempt(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.stderr.write(`${what}: ${String(error)}\n`);
  }
}

/** Lists all tools and calls each of them, in the order of the listing. */
async function useTools(one: ModernTestClient): Promise<void> {
  const { tools } = await one.client.listTools();
  const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema;
  const samples: Readonly<Record<string, Arguments>> = {
    add_numbers: { a: 2, b: 3 },
    valid_tool: { region: "eu" },
    json_schema_echo: { schema },
  };
  const named = namedCalls();
  const calls = named.length > 0 ? named : tools.map(({ name }) => [name, samples[name] ?? {}] as const);
  for (const [name, args] of calls) await attempt(name, () => one.call(name, args, { timeoutMs: 10_000 }));
}

async function useContent({ client }: ModernTestClient): Promise<void> {
  const { resources, prompts } = client.getServerCapabilities() ?? {};
  if (resources !== undefined) {
    const listed = await client.listResources();
    for (const { uri } of listed.resources) await attempt(uri, () => client.readResource({ uri }));
  }
  if (prompts === undefined) return;
  const listed = await client.listPrompts();
  for (const { name } of listed.prompts) await attempt(name, () => client.getPrompt({ name }));
}

async function run(target: string): Promise<void> {
  const { era = version === modernRevision ? "modern" : "legacy" } = values;
  const isDefaults = process.env["MCP_CONFORMANCE_SCENARIO"] === "elicitation-sep1034-client-defaults";
  await using one = await connectModern(
    { url: target },
    {
      era: era === "modern" ? "modern" : "legacy",
      capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
      formContent: isDefaults ? {} : { confirmed: true },
    },
  );
  await useTools(one);
  await useContent(one);
}

if (values.gateway) {
  await using gateway = await startGateway({ url });
  await run(gateway.url);
} else await run(url);
process.exit(0);
