// Tokens that only their issuer can read: it is asked (RFC 7662), and what it says is believed for a short time.

import type { IntrospectionPlan, IssuerPlan } from "../config/auth.ts";
import { GatewayError } from "../core/errors.ts";
import { askJson, type Authority, unavailable } from "./authority.ts";

type Claims = Readonly<Record<string, unknown>>;

/** A revoked token is good for no longer than this. */
const believedMs = 60_000;
/** A token that is none is not asked about again for this time. */
const refusedMs = 10_000;
const maxRefused = 10_000;
/** Strangers must not make the gateway ask more than this at a time. */
const maxAsking = 64;

export class Introspection {
  readonly plan: IssuerPlan;
  readonly #client: IntrospectionPlan;
  readonly #authority: Authority;
  readonly #refused = new Map<string, number>();
  #asking = 0;

  constructor(plan: IssuerPlan, client: IntrospectionPlan, authority: Authority) {
    this.plan = plan;
    this.#client = client;
    this.#authority = authority;
  }

  /** The claims of an active token; they end soon, however long the token is good. */
  async look(token: string): Promise<Claims | undefined> {
    if ((this.#refused.get(token) ?? 0) > Date.now()) return undefined;
    if (this.#asking >= maxAsking)
      throw new GatewayError("authUnavailable", "too many tokens are being looked up; try again");
    this.#asking += 1;
    try {
      const claims = await this.#ask(token);
      if (claims) return claims;
    } finally {
      this.#asking -= 1;
    }
    this.#refuse(token);
    return undefined;
  }

  async #ask(token: string): Promise<Claims | undefined> {
    const url = this.#client.url ?? (await this.#authority.endpoint("introspection_endpoint"));
    const { clientId, clientSecret } = this.#client;
    // RFC 6749, section 2.3.1: both are encoded before they are joined.
    const secret = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const claims = await askJson(url, {
      method: "POST",
      headers: {
        accept: "application/json",
        authorization: `Basic ${Buffer.from(secret).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString(),
    });
    if (!claims) throw unavailable(url, "refuses to say whether a token is active", undefined);
    const { active, iss, exp, nbf } = claims;
    const now = Date.now() / 1000;
    const skew = this.plan.skewMs / 1000;
    if (active !== true || (iss !== undefined && iss !== this.plan.issuer)) return undefined;
    if ((typeof exp === "number" && exp + skew <= now) || (typeof nbf === "number" && nbf - skew > now))
      return undefined;
    const until = now + believedMs / 1000 - skew;
    return { ...claims, exp: typeof exp === "number" ? Math.min(exp, until) : until };
  }

  #refuse(token: string): void {
    this.#refused.set(token, Date.now() + refusedMs);
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > maxRefused && oldest !== undefined) this.#refused.delete(oldest);
  }
}
