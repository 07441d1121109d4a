// A login at a backend's authorization server: what was obtained, from whom, for whom, and with which scopes.

import { asRecord } from "../core/text.ts";
import type { Entry } from "./vault.ts";
import { entryName } from "./vault.ts";

/** What a login is for: it serves nothing else. */
export interface LoginSite {
  readonly backend: string;
  /** Of the backend; the token is sent nowhere else. */
  readonly url: string;
  /** Whose it is; `shared` for everybody's. */
  readonly who: string;
}

/** By which an authorization server knows the gateway. */
export interface LoginClient {
  readonly id: string;
  readonly secret?: string;
  readonly method?: string;
  readonly redirectUri?: string;
  /** That it was registered for; it may ask for no others. */
  readonly scopes?: readonly string[];
}

export interface LoginTokens {
  readonly access: string;
  readonly refresh?: string;
  /** Unix ms; absent where nobody knows. */
  readonly expiresAt?: number;
  readonly scopes: readonly string[];
}

export interface Login extends LoginSite {
  /** As its metadata name it; all that follows is good there alone. */
  readonly issuer: string;
  /** Under which its metadata were found. */
  readonly server: string;
  readonly resource: string;
  readonly client: LoginClient;
  /** Absent where they have ended, and nobody has signed in again. */
  readonly tokens?: LoginTokens;
  /** Since when the tokens are there, Unix ms. */
  readonly at: number;
  /** Scopes that were asked for, and those that the backend has wanted since. */
  readonly scopes: readonly string[];
  readonly wanted: readonly string[];
  /** Why there are no tokens any more. */
  readonly ended?: string;
}

export const sharedWho = "shared";

export function loginName({ backend, url, who }: LoginSite): string {
  return entryName("login", backend, url, who);
}

/** Of what the backend wants, as it said when it refused a call; kept for whoever signs in. */
export function wishName({ backend, url, who }: LoginSite): string {
  return entryName("wish", backend, url, who);
}

/** The entry as a login of this site; undefined where it is none, or another's. */
export function readLogin(entry: Entry | undefined, site?: LoginSite): Login | undefined {
  if (!entry) return undefined;
  const { backend, url, who, issuer, server, resource, at, ended } = entry;
  const texts = [backend, url, who, issuer, server, resource];
  const client = readClient(entry["client"]);
  if (!texts.every((text) => typeof text === "string") || typeof at !== "number" || !client) return undefined;
  const tokens = readTokens(entry["tokens"]);
  const login: Login = {
    backend: String(backend),
    url: String(url),
    who: String(who),
    issuer: String(issuer),
    server: String(server),
    resource: String(resource),
    client,
    at,
    scopes: textsOf(entry["scopes"]),
    wanted: textsOf(entry["wanted"]),
    ...(tokens ? { tokens } : {}),
    ...(typeof ended === "string" ? { ended } : {}),
  };
  const isOwn = !site || (login.backend === site.backend && login.url === site.url && login.who === site.who);
  return isOwn ? login : undefined;
}

function readClient(value: unknown): LoginClient | undefined {
  const { id, secret, method, redirectUri, scopes } = asRecord(value);
  if (typeof id !== "string") return undefined;
  return {
    id,
    ...(typeof secret === "string" ? { secret } : {}),
    ...(typeof method === "string" ? { method } : {}),
    ...(typeof redirectUri === "string" ? { redirectUri } : {}),
    ...(scopes === undefined ? {} : { scopes: textsOf(scopes) }),
  };
}

function readTokens(value: unknown): LoginTokens | undefined {
  const { access, refresh, expiresAt, scopes } = asRecord(value);
  if (typeof access !== "string") return undefined;
  return {
    access,
    ...(typeof refresh === "string" ? { refresh } : {}),
    ...(typeof expiresAt === "number" ? { expiresAt } : {}),
    scopes: textsOf(scopes),
  };
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

/** What is left of a login that is over: whoever signs in again keeps the rights and the registration. */
export function withoutTokens(login: Login): Login {
  const { backend, url, who, issuer, server, resource, client, at, scopes, wanted } = login;
  return { backend, url, who, issuer, server, resource, client, at, scopes, wanted };
}

/** As an entry of the vault. */
export function entryOf(login: Login): Entry {
  return { ...login };
}
