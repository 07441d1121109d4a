// What the gateway shows a backend that wants OAuth: the token of a login, renewed once for all who wait for it.

import type { OAuthPlan } from "../config/outbound.ts";
import type { HttpReplicaPlan } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import type { OAuthSite } from "./authorization.ts";
import { readChallenge, unionOf } from "./challenge.ts";
import type { Asker, Credential } from "./shown.ts";
import { GrantCredential } from "./grant-credential.ts";
import {
  entryOf,
  type Login,
  loginName,
  type LoginTokens,
  readLogin,
  sharedWho,
  wishName,
  withoutTokens,
} from "./login.ts";
import { type Entry, Vault } from "./vault.ts";

/** How soon it is looked at again what others have done to a login. */
const lookMs = 1_000;
/** A token that is about to end is not used any more. */
const marginMs = 30_000;
/** How soon an issuer that gave no token is asked again. */
const pauseMs = 1_000;
/** A token that is younger than this, and not accepted, is not renewed: the next one would not be either. */
const youngMs = 10_000;
const lockMs = 30_000;

/** Whose login it is. */
export function siteOf(backend: string, url: string, plan: OAuthPlan, who: string): OAuthSite {
  return { login: { backend, url, who: plan.shared ? sharedWho : who }, plan };
}

export function openCredential({ auth, url }: HttpReplicaPlan, asker: Asker): Credential {
  if (auth?.kind !== "oauth") throw new GatewayError("internal", "this backend has no login");
  const site = siteOf(asker.backend, url, auth, asker.who);
  return auth.grant === "authorization_code" ? new LoginCredential(site, asker) : new GrantCredential(site, asker);
}

class LoginCredential implements Credential {
  readonly #site: OAuthSite;
  readonly #asker: Asker;
  readonly #vault: Vault;
  readonly #name: string;
  #login: Login | undefined;
  #stamp: string | undefined;
  #shown: { readonly value: string; readonly until: number } | undefined;
  /** Until when nothing is shown: nobody has signed in, and the backend has not asked for it. */
  #bareUntil = 0;
  #isWanted = false;
  /** What the backend did not accept. */
  #refused: string | undefined;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: GatewayError; readonly at: number } | undefined;

  constructor(site: OAuthSite, asker: Asker) {
    this.#site = site;
    this.#asker = asker;
    this.#vault = new Vault(site.plan.sealKeys);
    this.#name = loginName(site.login);
  }

  current(): string | undefined {
    const shown = this.#shown;
    return shown && shown.until > Date.now() ? shown.value : undefined;
  }

  get isNeeded(): boolean {
    return this.current() === undefined && this.#bareUntil <= Date.now();
  }

  acquire(): Promise<void> {
    if (!this.isNeeded) return Promise.resolve();
    if (this.#failed && Date.now() - this.#failed.at < pauseMs) return Promise.reject(this.#failed.error);
    this.#asking ??= this.#look().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  refuse(value: string | undefined, header?: string): void {
    const challenge = readChallenge(header);
    if (challenge && value === undefined && !this.#isWanted) this.#wish({ ...challenge });
    this.#isWanted = true;
    this.#bareUntil = 0;
    if (value === undefined || this.#shown?.value !== value) return;
    this.#refused = value;
    this.#shown = undefined;
  }

  /** Whoever signs in should ask for what the backend wants; where that cannot be kept, it is asked for again. */
  #wish(wish: Entry): void {
    try {
      this.#vault.write(wishName(this.#site.login), wish);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  /** More rights are somebody's to give: what is wanted is kept until they sign in again. */
  async widen(value: string | undefined, header: string | undefined): Promise<boolean> {
    const challenge = readChallenge(header);
    if (challenge?.error !== "insufficient_scope") return false;
    const known = this.#read();
    const held = known?.tokens;
    if (held && bearer(held) !== value) return this.#show(known, held);
    const lacking = challenge.scopes.filter((scope) => !held?.scopes.includes(scope));
    if (!known || lacking.length === 0) return false;
    await this.#exclusive(() => {
      const login = this.#read() ?? known;
      this.#write({ ...login, wanted: unionOf(login.wanted, lacking) });
    });
    throw this.#loginRequired(`has no right to this (${lacking.join(" ")})`);
  }

  async #look(): Promise<void> {
    const login = this.#read();
    const { tokens } = login ?? {};
    if (login && tokens && this.#isGood(login, tokens)) return void this.#show(login, tokens);
    if (!login || !tokens) {
      if (this.#isWanted || login?.ended !== undefined) throw this.#loginRequired(this.#why(login));
      this.#bareUntil = Date.now() + lookMs;
      return;
    }
    const isYoung = Date.now() - login.at < youngMs && bearer(tokens) === this.#refused;
    if (tokens.refresh === undefined || isYoung) throw this.#loginRequired(isYoung ? "is not accepted" : "has ended");
    await this.#renew(login, tokens);
  }

  #why(login: Login | undefined): string {
    if (login?.ended !== undefined) return `has ended (${login.ended})`;
    return "";
  }

  #isGood(login: Login, tokens: LoginTokens): boolean {
    return bearer(tokens) !== this.#refused && usableUntil(login, tokens) > Date.now();
  }

  #show(login: Login, tokens: LoginTokens): true {
    this.#shown = { value: bearer(tokens), until: Math.min(Date.now() + lookMs, usableUntil(login, tokens)) };
    this.#failed = undefined;
    this.#isWanted = false;
    return true;
  }

  /** One token request, whoever waits for it, in this process or in another that keeps its logins in the same place. */
  async #renew(before: Login, stale: LoginTokens): Promise<void> {
    const { refreshTokens } = await import("./grants.ts");
    await this.#exclusive(async () => {
      const login = this.#read() ?? before;
      const { tokens } = login;
      if (tokens && tokens.access !== stale.access && this.#isGood(login, tokens))
        return void this.#show(login, tokens);
      if (!tokens) throw this.#loginRequired(this.#why(login));
      try {
        const renewed: Login = { ...login, tokens: await refreshTokens(this.#site, login), at: Date.now() };
        this.#write(renewed);
        this.#show(renewed, renewed.tokens ?? tokens);
      } catch (error) {
        throw this.#notRenewed(login, asGatewayError(error));
      }
    });
  }

  #notRenewed(login: Login, error: GatewayError): GatewayError {
    if (error.data["ended"] === true) {
      const [, ended = "it was refused"] = /: (it says .*)$/.exec(error.message) ?? [];
      this.#write({ ...withoutTokens(login), ended });
      return this.#loginRequired(`has ended (${ended})`);
    }
    const { code, message, cause } = error;
    const failure = new GatewayError(code, message, { backend: this.#asker.backend, cause, data: { sent: false } });
    this.#failed = { error: failure, at: Date.now() };
    return failure;
  }

  async #exclusive(work: () => Promise<void> | void): Promise<void> {
    const late = (): GatewayError => {
      const text = `backend "${this.#asker.backend}": somebody else works on its login for more than ${lockMs} ms`;
      return new GatewayError("loginFailed", text, { backend: this.#asker.backend, data: { sent: false } });
    };
    using scope = new Scope(undefined, lockMs, late);
    await this.#vault.exclusive(this.#name, scope, async () => {
      await work();
    });
  }

  #read(): Login | undefined {
    const stamp = this.#vault.stamp(this.#name);
    if (stamp !== this.#stamp || stamp === undefined)
      this.#login = stamp === undefined ? undefined : readLogin(this.#vault.read(this.#name), this.#site.login);
    this.#stamp = stamp;
    return this.#login;
  }

  #write(login: Login): void {
    this.#vault.write(this.#name, entryOf(login));
  }

  #loginRequired(why: string): GatewayError {
    const { backend, loginPage } = this.#asker;
    const { who } = this.#site.login;
    const page = loginPage?.();
    const url = page === undefined ? undefined : `${page}?backend=${encodeURIComponent(backend)}`;
    const isOwn = who !== "anonymous" && who !== sharedWho;
    const command = `mcpctl auth login ${backend}${isOwn ? ` --principal ${who}` : ""}`;
    // The command is for whoever runs the gateway.
    const ways = [
      ...(url === undefined ? [] : [`open ${url}`]),
      ...(isOwn && url !== undefined ? [] : [`run ${command}`]),
    ];
    const what = why === "" ? "needs a login" : `needs a new login: the one that there is ${why}`;
    return new GatewayError("loginRequired", `backend "${backend}" ${what}; ${ways.join(", or ")}`, {
      backend,
      data: { sent: false, ...(url === undefined ? {} : { login: url }) },
    });
  }
}

function bearer({ access }: LoginTokens): string {
  return `Bearer ${access}`;
}

/** One with a short life is used for half of it. */
function usableUntil({ at }: Login, { expiresAt = Infinity }: LoginTokens): number {
  return expiresAt - Math.min(marginMs, (expiresAt - at) / 2);
}
