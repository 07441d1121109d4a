// Finds a backend's authorization server and gets the gateway known there, as 2026-07-28 and 2025-11-25, Authorization, say.

import type * as Sdk from "@modelcontextprotocol/client";
import type { OAuthPlan } from "../config/outbound.ts";
import { GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import { type Challenge, unionOf } from "./challenge.ts";
import type { LoginClient, LoginSite } from "./login.ts";
import { fetchFor, type PeerFetch } from "./peer-fetch.ts";
import { whyForeign } from "./peer-zones.ts";

/** Takes 60 ms to load, and is needed to sign in and to renew alone. */
export const loadSdk = (): Promise<typeof Sdk> => import("@modelcontextprotocol/client");

export interface OAuthSite {
  readonly login: LoginSite;
  readonly plan: OAuthPlan;
}

/** An authorization server as it describes itself. */
export interface AuthorizationServer {
  /** Under which it was found. */
  readonly url: string;
  readonly issuer: string;
  /** Undefined for one of the first revisions, which has none. */
  readonly metadata: Sdk.AuthorizationServerMetadata | undefined;
}

export interface Discovered extends AuthorizationServer {
  /** What tokens are for. */
  readonly resource: string;
  /** Undefined where the backend says nothing of scopes. */
  readonly supported: readonly string[] | undefined;
}

/** What the operator has named itself: others may name what is as near. */
export function trustedBy({ login, plan: { issuer } }: OAuthSite): readonly URL[] {
  return [new URL(login.url), ...(issuer === undefined ? [] : [new URL(issuer)])];
}

export function loginFailed({ login }: OAuthSite, why: string, cause?: unknown): GatewayError {
  const text = `backend "${login.backend}": the login failed: ${why}`;
  return new GatewayError("loginFailed", text, { backend: login.backend, cause, data: { sent: false } });
}

/** What a failure of the library says that may be shown: bodies of answers are not, they may hold anything. */
export function reasonOf(sdk: typeof Sdk, error: unknown): string {
  if (error instanceof GatewayError) return error.message;
  if (error instanceof sdk.RegistrationRejectedError)
    return `the gateway could not be registered there (HTTP ${error.status}); set auth.clientId`;
  if (error instanceof sdk.OAuthError) return saidOf(error.code, error.message);
  if (error instanceof sdk.IssuerMismatchError) return "the answer is of another issuer than the one that was asked";
  if (error instanceof TypeError) return error.message.slice(0, 300);
  const text = error instanceof Error ? error.message : String(error);
  return /^(?:HTTP \d|Incompatible|Protected resource|OAuth token)/.test(text)
    ? text.slice(0, 300)
    : "its answer cannot be read";
}

/** An error as the authorization server names it (RFC 6749, section 5.2), without what could be a body. */
export function saidOf(code: string, description: string | null | undefined): string {
  const name = /^[\w.-]{1,64}$/.test(code) ? code : "an error";
  const more = (description ?? "").replaceAll(/[^\x20-\x7e]/g, " ").slice(0, 200);
  return more === "" || more === code || /raw body/i.test(more) ? `it says ${name}` : `it says ${name} (${more})`;
}

/** Asks the backend who gives tokens for it, and that one what it can do. */
export async function discover(site: OAuthSite, challenge: Challenge | undefined): Promise<Discovered> {
  const sdk = await loadSdk();
  const fetchFn = fetchFor(trustedBy(site));
  try {
    const resource = await readResource(sdk, site, challenge, fetchFn);
    const server = await findServer(sdk, site, resource?.authorization_servers ?? [], fetchFn);
    const named = resource && (await sdk.selectResourceURL(site.login.url, noProvider, resource));
    return {
      ...server,
      resource: site.plan.resource ?? (named ? exact(resource.resource) : exact(site.login.url)),
      supported: resource?.scopes_supported,
    };
  } catch (error) {
    throw error instanceof GatewayError ? error : loginFailed(site, reasonOf(sdk, error), error);
  }
}

type ResourceMetadata = Sdk.OAuthProtectedResourceMetadata;

async function readResource(
  sdk: typeof Sdk,
  site: OAuthSite,
  challenge: Challenge | undefined,
  fetchFn: PeerFetch,
): Promise<ResourceMetadata | undefined> {
  const statuses: number[] = [];
  const heard: PeerFetch = async (url, init) => {
    const response = await fetchFn(url, init);
    statuses.push(response.status);
    return response;
  };
  const place = challenge?.metadata;
  try {
    const options = place === undefined ? {} : { resourceMetadataUrl: place };
    return await sdk.discoverOAuthProtectedResourceMetadata(site.login.url, options, heard);
  } catch (error) {
    // Servers of the first revision have none; anything else must not lead to another authorization server.
    const hasNone =
      place === undefined && statuses.length > 0 && statuses.every((status) => status >= 400 && status < 500);
    if (hasNone) return undefined;
    throw error;
  }
}

async function findServer(
  sdk: typeof Sdk,
  site: OAuthSite,
  named: readonly string[],
  fetchFn: PeerFetch,
): Promise<AuthorizationServer> {
  const { issuer } = site.plan;
  if (issuer !== undefined && named.length > 0 && !named.some((each) => isSameIssuer(each, issuer)))
    throw loginFailed(site, `its server names the issuer ${show(named[0])}, and auth.issuer is ${issuer}`);
  const url = named.find((each) => issuer === undefined || isSameIssuer(each, issuer)) ?? issuer;
  const server = await readServer(sdk, site, url ?? new URL("/", site.login.url).href, fetchFn);
  if (server.metadata === undefined && url !== undefined) throw loginFailed(site, `${show(url)} has no metadata`);
  return server;
}

/** The metadata of an authorization server, which must be its own (RFC 8414, section 3.3). */
export async function readServer(
  sdk: typeof Sdk,
  site: OAuthSite,
  url: string,
  fetchFn: PeerFetch,
): Promise<AuthorizationServer> {
  const why = whyForeign(url, trustedBy(site));
  if (why !== undefined) throw loginFailed(site, `its authorization server ${show(url)} ${why}`);
  const metadata = await sdk.discoverAuthorizationServerMetadata(url, { fetchFn });
  return { url, issuer: metadata?.issuer ?? url, metadata };
}

function isSameIssuer(one: string, other: string): boolean {
  return one === other || `${one}/` === other || one === `${other}/`;
}

function show(url: string | undefined): string {
  return (url ?? "").replaceAll(/[^\x21-\x7e]/g, "").slice(0, 200);
}

/** 2026-07-28, Canonical Server URI: without the slash that URL parsers add. */
function exact(written: string): string {
  const url = new URL(written);
  url.hash = "";
  return url.pathname === "/" && url.search === "" ? url.origin : url.href;
}

/** 2026-07-28, Authorization Code Protection: what does not say that it knows S256 is taken not to. */
export function requirePkce(site: OAuthSite, { metadata, issuer }: AuthorizationServer): void {
  if (metadata && !metadata.code_challenge_methods_supported?.includes("S256"))
    throw loginFailed(site, `${show(issuer)} does not protect its codes (PKCE with S256)`);
}

/** 2026-07-28, Scope Selection Strategy; `kept`: what a login had before, or a call has wanted since. */
export function scopesFor(
  { plan }: OAuthSite,
  { supported, metadata }: Discovered,
  challenge: Challenge | undefined,
  kept: readonly string[],
): readonly string[] {
  const asked = challenge?.scopes ?? [];
  const base = plan.scopes.length > 0 ? plan.scopes : asked.length > 0 ? [] : (supported ?? []);
  const wished = unionOf(kept, base, asked);
  const isOffline = wished.length > 0 && metadata?.scopes_supported?.includes("offline_access") === true;
  return isOffline && plan.grant === "authorization_code" ? unionOf(wished, ["offline_access"]) : wished;
}

export interface Registration {
  readonly redirectUri: string;
  /** Of the document that says who the gateway is, where it serves one. */
  readonly metadataUrl?: string | undefined;
  /** By which it was known there before. */
  readonly known?: LoginClient | undefined;
}

/** 2026-07-28, Client Registration: what the operator says, a document, what is known, or a new registration. */
export async function clientFor(
  site: OAuthSite,
  server: Discovered,
  scopes: readonly string[],
  { redirectUri, metadataUrl, known }: Registration,
): Promise<LoginClient> {
  const { plan } = site;
  if (plan.clientId !== undefined)
    return {
      id: plan.clientId,
      redirectUri,
      ...(plan.clientSecret === undefined ? {} : { secret: plan.clientSecret }),
    };
  const document = plan.clientMetadataUrl ?? metadataUrl;
  if (document !== undefined && server.metadata?.client_id_metadata_document_supported === true)
    return { id: document, redirectUri };
  const isFit = known?.scopes && scopes.every((scope) => known.scopes?.includes(scope));
  if (known?.redirectUri === redirectUri && isFit) return known;
  return await register(site, server, scopes, redirectUri);
}

async function register(
  site: OAuthSite,
  { url, metadata }: Discovered,
  scopes: readonly string[],
  redirectUri: string,
): Promise<LoginClient> {
  const sdk = await loadSdk();
  const methods = metadata?.token_endpoint_auth_methods_supported;
  const method = ["client_secret_basic", "client_secret_post", "none"].find((each) => methods?.includes(each));
  const clientMetadata: Sdk.OAuthClientMetadata = {
    ...clientDocument([redirectUri]),
    application_type: isLoopback(new URL(redirectUri).hostname) ? "native" : "web",
    ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
  };
  const scope = scopes.join(" ");
  const fetchFn = fetchFor(trustedBy(site));
  try {
    const made = await sdk.registerClient(url, {
      clientMetadata,
      fetchFn,
      ...(metadata ? { metadata } : {}),
      ...(scope === "" ? {} : { scope }),
    });
    return {
      id: made.client_id,
      redirectUri,
      scopes,
      ...(made.client_secret === undefined ? {} : { secret: made.client_secret }),
      ...(made.token_endpoint_auth_method === undefined ? {} : { method: made.token_endpoint_auth_method }),
    };
  } catch (error) {
    const hint =
      metadata && !metadata.registration_endpoint ? "it registers nobody by itself; set auth.clientId" : undefined;
    throw loginFailed(site, hint ?? reasonOf(sdk, error), error);
  }
}

/** Who the gateway is, for authorization servers. */
export function clientDocument(redirectUris: readonly string[]): Sdk.OAuthClientMetadata {
  return {
    client_name: "mcpctl",
    redirect_uris: [...redirectUris],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
}

/** The library's client is made of callbacks, of which nothing is needed here. */
export const noProvider: Sdk.OAuthClientProvider = {
  redirectUrl: undefined,
  clientMetadata: { redirect_uris: [] },
  clientInformation: () => undefined,
  tokens: () => undefined,
  saveTokens: () => {},
  redirectToAuthorization: () => {},
  saveCodeVerifier: () => {},
  codeVerifier: () => "",
};
