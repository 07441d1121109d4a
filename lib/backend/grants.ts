// Token requests: for a code, for a refresh token, for the gateway itself, and for a caller's token; and the end of a token.

import type * as Sdk from "@modelcontextprotocol/client";
import { GatewayError } from "../core/errors.ts";
import { asRecord } from "../core/text.ts";
import {
  type AuthorizationServer,
  loadSdk,
  loginFailed,
  noProvider,
  type OAuthSite,
  readServer,
  reasonOf,
  trustedBy,
} from "./authorization.ts";
import { scopesOf } from "./challenge.ts";
import type { Login, LoginClient, LoginTokens } from "./login.ts";
import { fetchFor } from "./peer-fetch.ts";

/** What is asked of a token endpoint. */
export interface TokenWish {
  readonly server: AuthorizationServer;
  readonly client: LoginClient;
  readonly params: Readonly<Record<string, string>>;
  readonly resource: string;
  /** That the token has where the answer does not say. */
  readonly scopes: readonly string[];
}

/** One token request. Rejects with `loginFailed`; `data.ended` says that what was shown is good no more. */
export async function requestTokens(site: OAuthSite, wish: TokenWish): Promise<LoginTokens> {
  const sdk = await loadSdk();
  const { server, client, params, resource, scopes } = wish;
  const provider: Sdk.OAuthClientProvider = {
    ...noProvider,
    clientInformation: () => informationOf(client),
    prepareTokenRequest: () => new URLSearchParams({ ...params, resource }),
  };
  try {
    const metadata = server.metadata;
    const fetchFn = fetchFor(trustedBy(site));
    const tokens = await sdk.fetchToken(provider, server.url, { fetchFn, ...(metadata ? { metadata } : {}) });
    return tokensOf(site, tokens, scopes);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const ended = error instanceof sdk.OAuthError && endings.has(error.code);
    const failure = loginFailed(site, reasonOf(sdk, error), error);
    throw ended
      ? new GatewayError("loginFailed", failure.message, { ...contextOf(failure), data: { sent: false, ended } })
      : failure;
  }
}

const endings: ReadonlySet<string> = new Set(["invalid_grant", "invalid_client", "unauthorized_client"]);

function contextOf({ backend = "", cause }: GatewayError): { readonly backend: string; readonly cause: unknown } {
  return { backend, cause };
}

function informationOf({ id, secret, method }: LoginClient): Sdk.OAuthClientInformationMixed {
  return {
    client_id: id,
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
  };
}

/** Nothing but a token may come into a header. */
function tokensOf(site: OAuthSite, tokens: Sdk.OAuthTokens, asked: readonly string[]): LoginTokens {
  const { access_token: access, refresh_token: refresh, token_type: type, expires_in: seconds, scope } = tokens;
  if (type.toLowerCase() !== "bearer") throw loginFailed(site, "it gave no bearer token");
  if (!/^[\x21-\x7e]{1,16384}$/.test(access)) throw loginFailed(site, "what it gave is no token");
  return {
    access,
    ...(refresh === undefined ? {} : { refresh }),
    ...(seconds === undefined ? {} : { expiresAt: Date.now() + Math.max(1, seconds) * 1000 }),
    scopes: scope === undefined ? asked : scopesOf(scope),
  };
}

/** The authorization server of a login, asked again for what it can do: nothing of a login is shown to another one. */
export async function serverOf(
  site: OAuthSite,
  { server, issuer }: Pick<Login, "server" | "issuer">,
): Promise<AuthorizationServer> {
  const sdk = await loadSdk();
  let found: AuthorizationServer;
  try {
    found = await readServer(sdk, site, server, fetchFor(trustedBy(site)));
  } catch (error) {
    throw error instanceof GatewayError ? error : loginFailed(site, reasonOf(sdk, error), error);
  }
  if (found.issuer !== issuer) throw loginFailed(site, "its authorization server is another one now");
  return found;
}

/** Renewed tokens; a refresh token that is not replaced stays good. */
export async function refreshTokens(site: OAuthSite, login: Login): Promise<LoginTokens> {
  const { tokens, client, resource } = login;
  if (tokens?.refresh === undefined) throw loginFailed(site, "there is nothing to renew it with");
  const server = await serverOf(site, login);
  const params = { grant_type: "refresh_token", refresh_token: tokens.refresh };
  const renewed = await requestTokens(site, { server, client, params, resource, scopes: tokens.scopes });
  return { refresh: tokens.refresh, ...renewed };
}

/** Tells the authorization server that a login is over (RFC 7009); false where it cannot be told. */
export async function revokeTokens(site: OAuthSite, login: Login): Promise<boolean> {
  const { tokens, client } = login;
  const { metadata } = await serverOf(site, login).catch(() => ({ metadata: undefined }));
  const endpoint: unknown = asRecord(metadata)["revocation_endpoint"];
  const token = tokens?.refresh ?? tokens?.access;
  if (typeof endpoint !== "string" || token === undefined) return false;
  const hint = tokens?.refresh === undefined ? "access_token" : "refresh_token";
  const form = new URLSearchParams({ token, token_type_hint: hint });
  const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded" };
  if (client.secret === undefined || client.method === "client_secret_post") {
    form.set("client_id", client.id);
    if (client.secret !== undefined) form.set("client_secret", client.secret);
  } else {
    const pair = `${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`;
    headers["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  const fetchFn = fetchFor(trustedBy(site));
  const answer = await fetchFn(endpoint, { method: "POST", headers, body: form.toString() }).catch(() => undefined);
  return answer?.status === 200;
}
