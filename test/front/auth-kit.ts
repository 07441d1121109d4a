// A gateway that lets in some: its plan, and requests with and without credentials.
import assert from "node:assert/strict";
import { type AuthPlan, authDefaults, type IssuerPlan, type KeyPlan } from "../../lib/config/auth.ts";
import { algorithms } from "../../lib/config/rules-auth.ts";
import { createApiKey, hashApiKey } from "../../lib/core/api-key.ts";
import { TestAuthority } from "../kit/authority.ts";
import { type Answer, type Bench, type Changes, FrontClient, read, type Settings, startBench } from "./kit.ts";

/** Under which the kit's requests reach the gateway. */
export const base = "http://127.0.0.1:7337";
/** The endpoint, for which good tokens are made. */
export const audience: string = `${base}/mcp`;

export interface TestKey extends KeyPlan {
  /** The key itself, which no plan holds. */
  readonly key: string;
}

export function keyOf(name: string, more: Partial<KeyPlan> = {}): TestKey {
  const key = createApiKey();
  return { name, key, hash: hashApiKey(key), groups: [], scopes: [], expiresAt: Infinity, ...more };
}

export function issuerPlan({ issuer }: TestAuthority, more: Partial<IssuerPlan> = {}): IssuerPlan {
  const { groupsClaim, skewMs } = authDefaults;
  return { issuer, audiences: [], algorithms, groupsClaim, skewMs, ...more };
}

export function authPlan(more: Partial<AuthPlan>): AuthPlan {
  return { keys: [], issuers: [], scopes: [], certificates: false, ...more };
}

export function startLocked(auth: Partial<AuthPlan>, settings: Settings = {}): Promise<Bench> {
  return startBench({ ...settings, plan: { ...settings.plan, auth: authPlan(auth) } });
}

/** A client that shows a token or key. */
export function clientWith({ gateway }: Bench, token: string | undefined): FrontClient {
  const client = new FrontClient(gateway);
  client.token = token;
  return client;
}

const greeting = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

/** The answer to an initialize with this token. */
export function knock(bench: Bench, token: string | undefined, path = "/mcp", changes: Changes = {}): Promise<Answer> {
  const client = clientWith(bench, token);
  client.path = path;
  return client.post(greeting, changes);
}

export async function get(bench: Bench, path: string, token?: string): Promise<Answer> {
  const client = clientWith(bench, token);
  client.path = path;
  return read(await client.send("GET"));
}

/** The parameters of a challenge. */
export function challengeOf({ headers }: Answer): Readonly<Record<string, string>> {
  const header = headers.get("www-authenticate") ?? "";
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]));
}

export interface Protected extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly bench: Bench;
}

/** A gateway that trusts an authority of its own. */
export async function startProtected(
  more: Partial<IssuerPlan> = {},
  scopes: readonly string[] = [],
): Promise<Protected> {
  const authority = await TestAuthority.start();
  const bench = await startLocked({ issuers: [issuerPlan(authority, more)], scopes });
  return {
    authority,
    bench,
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await authority[Symbol.asyncDispose]();
    },
  };
}

/** The token is refused as one that is no good, and is not said again. */
export async function refusedWith(bench: Bench, token: string, about: string): Promise<void> {
  const answer = await knock(bench, token);
  assert.equal(answer.status, 401, about);
  const { error, resource_metadata: metadata } = challengeOf(answer);
  assert.deepEqual([error, metadata], ["invalid_token", `${base}/.well-known/oauth-protected-resource/mcp`], about);
  assert.ok(!answer.text.includes(token) && !answer.headers.get("www-authenticate")?.includes(token), about);
}
