// The logins of backends: which there are, how they are, and what may be done to them.

import type { BackendPlan } from "../config/plan.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { loginFailed, type OAuthSite } from "./authorization.ts";
import { entryOf, type Login, loginName, readLogin } from "./login.ts";
import { siteOf } from "./oauth-credential.ts";
import { Vault } from "./vault.ts";

const lockMs = 30_000;

/** A backend that somebody can sign in to. */
export interface LoginPlace {
  readonly site: OAuthSite;
  readonly vault: Vault;
  /** Sent with every request to it. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the login of this principal at a backend is; undefined for a backend that nobody signs in to. */
export function loginPlaceOf(plan: BackendPlan, who: string): LoginPlace | undefined {
  for (const replica of plan.replicas) {
    if (replica.kind !== "http" || replica.auth?.kind !== "oauth") continue;
    if (replica.auth.grant !== "authorization_code") return undefined;
    const shared = replica.auth.shared || plan.isolation === "shared";
    const site = siteOf(plan.name, replica.url, { ...replica.auth, shared }, who);
    return { site, vault: new Vault(replica.auth.sealKeys), headers: replica.headers };
  }
  return undefined;
}

export type LoginState = "none" | "active" | "expired" | "ended";

/** How a login is, without anything that could be used. */
export interface LoginStatus {
  readonly state: LoginState;
  readonly who: string;
  readonly issuer?: string;
  /** Of the tokens, ISO 8601. */
  readonly since?: string;
  readonly expiresAt?: string;
  /** It is renewed without anybody signing in. */
  readonly renewable: boolean;
  readonly scopes: readonly string[];
  /** That calls have wanted since, and it has not. */
  readonly wanted: readonly string[];
  readonly why?: string;
}

export function readPlace({ site, vault }: LoginPlace): Login | undefined {
  return readLogin(vault.read(loginName(site.login)), site.login);
}

export function describeLogin(login: Login | undefined, who: string): LoginStatus {
  if (!login) return { state: "none", who, renewable: false, scopes: [], wanted: [] };
  const { tokens, issuer, wanted, ended, at } = login;
  const expiresAt = tokens?.expiresAt;
  const isOver = expiresAt !== undefined && expiresAt <= Date.now() && tokens?.refresh === undefined;
  return {
    state: !tokens ? "ended" : isOver ? "expired" : "active",
    who,
    issuer,
    since: new Date(at).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
    renewable: tokens?.refresh !== undefined,
    scopes: tokens?.scopes ?? [],
    wanted: wanted.filter((scope) => !tokens?.scopes.includes(scope)),
    ...(ended === undefined ? {} : { why: ended }),
  };
}

/** Logins of others at a backend. */
export function loginsOf(place: LoginPlace): readonly Login[] {
  const { backend, url } = place.site.login;
  return place.vault.all("login").flatMap(([, entry]) => {
    const login = readLogin(entry);
    return login?.backend === backend && login.url === url ? [login] : [];
  });
}

/** Renews a login before its time. */
export async function renewLogin({ site, vault }: LoginPlace): Promise<Login> {
  const { refreshTokens } = await import("./grants.ts");
  using scope = new Scope(undefined, lockMs, () => loginFailed(site, "somebody else works on it"));
  const name = loginName(site.login);
  return await vault.exclusive(name, scope, async () => {
    const login = readLogin(vault.read(name), site.login);
    if (!login) throw new GatewayError("loginRequired", `nobody has signed in to backend "${site.login.backend}"`);
    const renewed: Login = { ...login, tokens: await refreshTokens(site, login), at: Date.now() };
    vault.write(name, entryOf(renewed));
    return renewed;
  });
}

/** What became of a login that was to end. */
export type Ending = "nothing" | "revoked" | "forgotten";

/** Forgets a login, and tells its authorization server; `forgotten`: that one could not be told. */
export async function endLogin({ site, vault }: LoginPlace): Promise<Ending> {
  const name = loginName(site.login);
  const login = readLogin(vault.read(name), site.login);
  vault.remove(name);
  if (!login) return "nothing";
  const { revokeTokens } = await import("./grants.ts");
  return (await revokeTokens(site, login)) ? "revoked" : "forgotten";
}
