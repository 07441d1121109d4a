// Signs somebody in to a backend: the address to open, and what becomes of the answer that comes back from there.

import { createHash, randomBytes } from "node:crypto";
import { ask } from "../core/ask.ts";
import { encodeText } from "../core/text.ts";
import { GatewayError } from "../core/errors.ts";
import { legacyCodec } from "../protocol/legacy.ts";
import {
  clientFor,
  type Discovered,
  discover,
  loadSdk,
  loginFailed,
  type OAuthSite,
  reasonOf,
  requirePkce,
  saidOf,
  scopesFor,
  trustedBy,
} from "./authorization.ts";
import { type Challenge, readChallenge, unionOf } from "./challenge.ts";
import { requestTokens, serverOf } from "./grants.ts";
import { entryOf, type Login, type LoginClient, loginName, readLogin, textsOf, wishName } from "./login.ts";
import { whyForeign } from "./peer-zones.ts";
import { type Entry, entryName, type Vault } from "./vault.ts";
import { asRecord } from "../core/text.ts";

/** How long somebody may take to sign in. */
const flowMs = 600_000;

export interface FlowStart {
  readonly redirectUri: string;
  /** Of the document that says who the gateway is. */
  readonly metadataUrl?: string | undefined;
  /** Who began it: nobody else can end it. */
  readonly by: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FlowBegun {
  /** To be opened by whoever signs in. */
  readonly url: string;
  readonly state: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
}

/** Finds everything out, and keeps what the answer will be held against. */
export async function beginLogin(site: OAuthSite, vault: Vault, start: FlowStart): Promise<FlowBegun> {
  // Some servers greet everybody, and want a token for what comes after that.
  const challenge = (await askChallenge(site, start.headers ?? {})) ?? readWish(vault.read(wishName(site.login)));
  const server = await discover(site, challenge);
  requirePkce(site, server);
  const before = readLogin(vault.read(loginName(site.login)), site.login);
  const same = before?.issuer === server.issuer ? before : undefined;
  if (before && !same && site.plan.clientId !== undefined && site.plan.issuer === undefined)
    throw loginFailed(
      site,
      `its authorization server was ${before.issuer} and is ${server.issuer}; set auth.issuer if that is right`,
    );
  const scopes = scopesFor(site, server, challenge, unionOf(same?.scopes ?? [], same?.wanted ?? []));
  const { redirectUri, metadataUrl } = start;
  const client = await clientFor(site, server, scopes, { redirectUri, metadataUrl, known: same?.client });
  return await authorize(site, vault, start, { server, scopes, client });
}

interface Prepared {
  readonly server: Discovered;
  readonly scopes: readonly string[];
  readonly client: LoginClient;
}

async function authorize(
  site: OAuthSite,
  vault: Vault,
  { by, redirectUri }: FlowStart,
  { server, scopes, client }: Prepared,
): Promise<FlowBegun> {
  const sdk = await loadSdk();
  const state = randomBytes(32).toString("base64url");
  const scope = scopes.join(" ");
  const begun = await sdk
    .startAuthorization(server.url, {
      clientInformation: { client_id: client.id },
      redirectUrl: redirectUri,
      state,
      ...(server.metadata ? { metadata: server.metadata } : {}),
      ...(scope === "" ? {} : { scope }),
    })
    .catch((error: unknown) => {
      throw loginFailed(site, reasonOf(sdk, error), error);
    });
  const url = begun.authorizationUrl;
  url.searchParams.set("resource", server.resource);
  const why = whyForeign(url, trustedBy(site));
  if (why !== undefined) throw loginFailed(site, `the page of its authorization server ${why}`);
  const { issuer, resource } = server;
  const { codeVerifier: verifier } = begun;
  vault.write(flowName(state), {
    ...site.login,
    by,
    issuer,
    resource,
    server: server.url,
    client,
    scopes,
    verifier,
    redirectUri,
    at: Date.now(),
  });
  prune(vault);
  return { url: url.href, state, issuer, scopes };
}

/** A flow that was begun, as it was kept. */
export interface Flow {
  readonly name: string;
  readonly by: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly login: Login;
}

/** The flow of a state, which is over with this: an answer is taken once. Undefined for a state that nobody gave. */
export function takeFlow(vault: Vault, state: string): Flow | undefined {
  if (!/^[\w-]{43}$/.test(state)) return undefined;
  const name = flowName(state);
  const flow = readFlow(name, vault.read(name));
  vault.remove(name);
  return flow && flow.login.at + flowMs > Date.now() ? flow : undefined;
}

/** Takes the answer of the authorization server, and keeps what it gives for it. */
export async function finishLogin(site: OAuthSite, vault: Vault, flow: Flow, answer: URLSearchParams): Promise<Login> {
  const sdk = await loadSdk();
  const { login, verifier, redirectUri } = flow;
  const server = await serverOf(site, login);
  checkIssuer(site, answer, server.metadata);
  const error = answer.get("error");
  if (error !== null) throw loginFailed(site, saidOf(error, answer.get("error_description")));
  const code = answer.get("code");
  if (code === null || code === "" || answer.getAll("code").length > 1)
    throw loginFailed(site, "the answer holds no code");
  const params = sdk.prepareAuthorizationCodeRequest(code, verifier, redirectUri);
  const { client, resource, scopes } = login;
  const tokens = await requestTokens(site, { server, client, resource, scopes, params: Object.fromEntries(params) });
  const done: Login = { ...login, tokens, at: Date.now() };
  vault.write(loginName(site.login), entryOf(done));
  return done;
}

/** RFC 9207, section 2.4, before anything else of the answer is believed. */
function checkIssuer(site: OAuthSite, answer: URLSearchParams, metadata: unknown): void {
  const { issuer, authorization_response_iss_parameter_supported: isNamed } = asRecord(metadata);
  if (typeof issuer !== "string") return;
  const [iss, ...more] = answer.getAll("iss");
  const isGood = iss === undefined ? isNamed !== true : iss === issuer && more.length === 0;
  if (!isGood) throw loginFailed(site, "the answer is of another issuer than the one that was asked");
}

/** What the backend says to somebody without a token; undefined where it lets that one in. */
async function askChallenge(
  { login }: OAuthSite,
  headers: Readonly<Record<string, string>>,
): Promise<Challenge | undefined> {
  const params = legacyCodec.openParams({ name: "mcpctl", version: "0", capabilities: {} });
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: legacyCodec.openMethod, params });
  const accept = "application/json, text/event-stream";
  const asked = await ask(login.url, {
    method: "POST",
    headers: { ...headers, accept, "content-type": "application/json" },
    body,
  }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("unreachable", `backend "${login.backend}" ${why}`, {
      backend: login.backend,
      cause: error,
    });
  });
  return asked.status === 401 ? readChallenge(asked.header("www-authenticate")) : undefined;
}

function readWish(entry: Entry | undefined): Challenge | undefined {
  if (!entry) return undefined;
  const { metadata } = entry;
  return { scopes: textsOf(entry["scopes"]), ...(typeof metadata === "string" ? { metadata } : {}) };
}

function flowName(state: string): string {
  return entryName("flow", createHash("sha256").update(encodeText(state)).digest("hex"));
}

function readFlow(name: string, entry: Entry | undefined): Flow | undefined {
  const login = readLogin(entry);
  const { by, verifier, redirectUri } = entry ?? {};
  if (!login || typeof by !== "string" || typeof verifier !== "string" || typeof redirectUri !== "string")
    return undefined;
  return { name, by, verifier, redirectUri, login: { ...login, scopes: textsOf(entry?.["scopes"]), wanted: [] } };
}

/** Those that nobody came back from. */
function prune(vault: Vault): void {
  for (const [name, entry] of vault.all("flow")) {
    const { at } = entry;
    if (typeof at !== "number" || at + flowMs < Date.now()) vault.remove(name);
  }
}
