// The client that the conformance suite starts in its authorization scenarios: somebody who signs in on the gateway's page.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Browser } from "./browser.ts";
import { startGateway } from "./conformance-gateway.ts";
import { recordOf } from "./fixture-world.ts";
import { connectModern, type ModernTestClient, modernRevision } from "./modern-client.ts";
import { signIn } from "./oauth-world.ts";

const url = process.argv.at(-1) ?? "";
const version = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? modernRevision;
const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? "";
const context = recordOf(JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}"));
/** Who is refused again and again stops. */
const maxLogins = 3;

/** The issuer that the server names: an operator with a secret knows it. */
async function issuerOf(server: string): Promise<string> {
  const response = await fetch(new URL("/.well-known/oauth-protected-resource/mcp", server));
  const { authorization_servers: servers } = recordOf(await response.json());
  return Array.isArray(servers) ? String(servers[0]) : "";
}

async function authOf(): Promise<Readonly<Record<string, unknown>>> {
  const { client_id: clientId, client_secret: clientSecret } = context;
  const grant = scenario.includes("client-credentials") ? "client_credentials" : "authorization_code";
  if (typeof clientId === "string") return { grant, clientId, clientSecret, issuer: await issuerOf(url) };
  return { grant, clientMetadataUrl: "https://conformance-test.local/client-metadata.json" };
}

function needsLogin(error: unknown): boolean {
  return String(error).includes("needs a login") || String(error).includes("needs a new login");
}

/** Signs in where the work fails for want of it. */
async function persist(origin: string, browser: Browser, work: () => Promise<unknown>): Promise<void> {
  for (let logins = 0; ; logins += 1) {
    try {
      await work();
      return;
    } catch (error) {
      process.stderr.write(`${String(error)}\n`);
      if (!needsLogin(error) || logins >= maxLogins) return;
      const page = await signIn(browser, origin, "fixture").catch((failure: unknown) => failure);
      const text = page instanceof Error ? page.message : recordOf(page)["html"];
      process.stderr.write(`${String(text).replaceAll(/<style>.*?<\/style>/gs, "")}\n`);
      // What the page has refused is refused the next time, too.
      if (page instanceof Error || String(text).includes("notice failed")) return;
    }
  }
}

/** Lists, and says so where the server could not be asked. */
async function list({ client }: ModernTestClient): Promise<readonly string[]> {
  const { tools, _meta } = await client.listTools(undefined, { cacheMode: "refresh" });
  const partial = recordOf(_meta)["mcpctl/partial"];
  if (Array.isArray(partial) && partial.length > 0) throw new Error(JSON.stringify(partial));
  return tools.map(({ name }) => name);
}

async function main(): Promise<void> {
  await using gateway = await startGateway({ url, auth: await authOf() });
  const browser = new Browser();
  const origin = new URL(gateway.url).origin;
  const era = version === modernRevision ? "modern" : "legacy";
  const capabilities = {};
  const open = (): Promise<ModernTestClient> => connectModern({ url: gateway.url }, { era, capabilities });
  await persist(origin, browser, async () => {
    await using one = await open();
    await list(one);
  });
  await using one = await open();
  const found: string[] = [];
  await persist(origin, browser, async () => void found.push(...(await list(one))));
  for (const name of new Set(found)) await persist(origin, browser, () => one.call(name, {}, { timeoutMs: 10_000 }));
}

process.env["XDG_STATE_HOME"] = mkdtempSync(join(tmpdir(), "suite-login-"));
await main();
rmSync(process.env["XDG_STATE_HOME"], { recursive: true, force: true });
process.exit(0);
