// Tokens that nobody signs in for: by the gateway's own credentials, or for the token that a caller has shown it.

import { GatewayError } from "../core/errors.ts";
import type { AuthorizationServer, Discovered, OAuthSite } from "./authorization.ts";
import { type Challenge, readChallenge, unionOf } from "./challenge.ts";
import type { Asker, Credential } from "./shown.ts";
import type { LoginTokens } from "./login.ts";

const marginMs = 30_000;
/** Where the issuer does not say how long a token is good. */
const defaultLifeMs = 300_000;
/** How soon an issuer that gave no token is asked again. */
const pauseMs = 1_000;
/** How long it is believed who gives tokens. */
const believedMs = 3_600_000;
const accessToken = "urn:ietf:params:oauth:token-type:access_token";

export class GrantCredential implements Credential {
  readonly #site: OAuthSite;
  readonly #asker: Asker;
  #shown: { readonly value: string; readonly until: number } | undefined;
  /** What the backend wants, as it said the last time. */
  #challenge: Challenge | undefined;
  #wanted: readonly string[] = [];
  /** Who gives tokens is not known before the backend has said it. */
  #isBare: boolean;
  #found: { readonly server: Discovered; readonly until: number } | undefined;
  #asking: Promise<void> | undefined;
  #failed: { readonly error: GatewayError; readonly at: number } | undefined;

  constructor(site: OAuthSite, asker: Asker) {
    this.#site = site;
    this.#asker = asker;
    this.#isBare = site.plan.tokenUrl === undefined && site.plan.grant === "client_credentials";
  }

  current(): string | undefined {
    const shown = this.#shown;
    return shown && shown.until > Date.now() ? shown.value : undefined;
  }

  get isNeeded(): boolean {
    return !this.#isBare && this.current() === undefined;
  }

  acquire(): Promise<void> {
    if (!this.isNeeded) return Promise.resolve();
    if (this.#failed && Date.now() - this.#failed.at < pauseMs) return Promise.reject(this.#failed.error);
    this.#asking ??= this.#request().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  refuse(value: string | undefined, header?: string): void {
    this.#isBare = false;
    this.#challenge = readChallenge(header) ?? this.#challenge;
    if (this.#shown?.value === value) this.#shown = undefined;
    this.#found = undefined;
  }

  /** 2026-07-28, Step-Up Authorization Flow: all that was asked for before, and what is wanted now. */
  widen(value: string | undefined, header: string | undefined): Promise<boolean> {
    const challenge = readChallenge(header);
    if (challenge?.error !== "insufficient_scope") return Promise.resolve(false);
    const wanted = unionOf(this.#wanted, challenge.scopes);
    const isMore = wanted.length > this.#wanted.length;
    this.#wanted = wanted;
    if (isMore && this.#shown?.value === value) this.#shown = undefined;
    return Promise.resolve(isMore);
  }

  async #request(): Promise<void> {
    try {
      const { requestTokens } = await import("./grants.ts");
      const { server, resource, scopes } = await this.#terms();
      const { plan } = this.#site;
      const client = { id: plan.clientId ?? "", secret: plan.clientSecret ?? "" };
      const scope = scopes.join(" ");
      const params = { ...this.#grant(), ...(scope === "" ? {} : { scope }) };
      const tokens = await requestTokens(this.#site, { server, client, params, resource, scopes });
      this.#wanted = unionOf(this.#wanted, scopes);
      this.#shown = { value: `Bearer ${tokens.access}`, until: untilOf(tokens) };
      this.#failed = undefined;
    } catch (error) {
      const { backend } = this.#asker;
      const why = error instanceof Error ? error.message.replace(`backend "${backend}": `, "") : String(error);
      const text = `there is no token for backend "${backend}": ${why}`;
      const failure = new GatewayError("unauthorized", text, { backend, cause: error, data: { sent: false } });
      this.#failed = { error: failure, at: Date.now() };
      throw failure;
    }
  }

  async #terms(): Promise<{
    readonly server: AuthorizationServer;
    readonly resource: string;
    readonly scopes: readonly string[];
  }> {
    const { plan, login } = this.#site;
    const { tokenUrl } = plan;
    if (tokenUrl !== undefined) {
      const server = { url: tokenUrl, issuer: tokenUrl, metadata: bareMetadata(tokenUrl) };
      return { server, resource: plan.resource ?? login.url, scopes: unionOf(plan.scopes, this.#wanted) };
    }
    const { discover, scopesFor } = await import("./authorization.ts");
    const known = this.#found && this.#found.until > Date.now() ? this.#found.server : undefined;
    const server = known ?? (await discover(this.#site, this.#challenge));
    if (server !== known) this.#found = { server, until: Date.now() + believedMs };
    return { server, resource: server.resource, scopes: scopesFor(this.#site, server, this.#challenge, this.#wanted) };
  }

  #grant(): Readonly<Record<string, string>> {
    const { grant, audience } = this.#site.plan;
    if (grant !== "token_exchange") return { grant_type: "client_credentials" };
    const { who, shownBy } = this.#asker;
    const token = shownBy?.(who);
    if (token === undefined) throw new Error("its caller has shown no token that could be traded in");
    return {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: token,
      subject_token_type: accessToken,
      requested_token_type: accessToken,
      ...(audience === undefined ? {} : { audience }),
    };
  }
}

/** Of an issuer that is known by the one address alone. */
function bareMetadata(tokenUrl: string): NonNullable<AuthorizationServer["metadata"]> {
  return { issuer: tokenUrl, authorization_endpoint: tokenUrl, token_endpoint: tokenUrl, response_types_supported: [] };
}

/** One with a short life is used for half of it. */
function untilOf({ expiresAt }: LoginTokens): number {
  const lifeMs = expiresAt === undefined ? defaultLifeMs : expiresAt - Date.now();
  return Date.now() + Math.max(lifeMs - marginMs, lifeMs / 2, pauseMs);
}
