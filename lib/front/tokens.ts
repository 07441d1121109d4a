// Access tokens of the configured issuers: signed ones by the issuer's keys, others by asking it; both become principals.

import type * as Jose from "jose";
import type { IssuerPlan } from "../config/auth.ts";
import { GatewayError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { asRecord } from "../core/text.ts";
import { ask, Authority } from "./authority.ts";
import { Introspection } from "./introspection.ts";

/** What a token says, and its issuer confirms. */
export interface Verified {
  readonly principal: Principal;
  readonly audiences: readonly string[];
  /** Thumbprint of the certificate with which alone it may be used (RFC 8705); absent for a plain bearer token. */
  readonly boundTo?: string;
}

type Claims = Readonly<Record<string, unknown>>;

/** A key that nobody knows may be new, so the keys are read again, but no more often than this. */
const keysPauseMs = 5_000;
const maxTokenChars = 16 * 1024;
/** RFC 9068, section 4: an id token, or a token of another protocol, is none for us. */
const tokenTypes: ReadonlySet<unknown> = new Set([undefined, "jwt", "at+jwt"]);

export class Tokens {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #opaque: readonly Introspection[];

  constructor(plans: readonly IssuerPlan[]) {
    const issuers = plans.map((plan) => new Issuer(plan));
    this.#issuers = new Map(issuers.map((issuer) => [issuer.plan.issuer, issuer]));
    this.#opaque = issuers.flatMap(({ introspection }) => introspection ?? []);
  }

  /** Rejects with `unauthenticated` for a token that is none, and with `authUnavailable` where nobody can tell. */
  async verify(token: string): Promise<Verified> {
    if (token.length > maxTokenChars) throw refused("the token is too long");
    const issuer = issuerOf(token);
    if (issuer === undefined) return await this.#lookUp(token);
    const known = this.#issuers.get(issuer);
    if (!known) throw refused("the token is of an issuer that is not trusted here");
    return await known.verify(token);
  }

  async #lookUp(token: string): Promise<Verified> {
    for (const introspection of this.#opaque) {
      const claims = await introspection.look(token);
      if (claims) return readClaims(claims, introspection.plan);
    }
    throw refused(this.#opaque.length > 0 ? "the token is not active" : "the token is none that can be read here");
  }
}

/** The issuer that a signed token names, unverified: it only says whose keys are tried. */
function issuerOf(token: string): string | undefined {
  const [head, body, signature, ...more] = token.split(".");
  if (!head || !body || signature === undefined || more.length > 0) return undefined;
  try {
    const { iss } = asRecord(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
    return typeof iss === "string" ? iss : "";
  } catch {
    return undefined;
  }
}

class Issuer {
  readonly plan: IssuerPlan;
  readonly introspection: Introspection | undefined;
  readonly #authority: Authority;
  #keys: Promise<Jose.JWTVerifyGetKey> | undefined;

  constructor(plan: IssuerPlan) {
    this.plan = plan;
    this.#authority = new Authority(plan.issuer);
    this.introspection = plan.introspection && new Introspection(plan, plan.introspection, this.#authority);
  }

  async verify(token: string): Promise<Verified> {
    // It takes milliseconds to load, and most gateways never need it.
    const jose = await import("jose");
    this.#keys ??= this.#openKeys(jose);
    // What failed may succeed later.
    const keys = await this.#keys.catch((error: unknown) => {
      this.#keys = undefined;
      throw error;
    });
    const { issuer, algorithms, skewMs } = this.plan;
    try {
      const options = { issuer, algorithms: [...algorithms], clockTolerance: skewMs / 1000, requiredClaims: ["exp"] };
      const { payload, protectedHeader } = await jose.jwtVerify(token, keys, options);
      const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, "");
      if (!tokenTypes.has(type)) throw refused("the token is none for access");
      return readClaims(payload, this.plan);
    } catch (error) {
      throw explain(error, jose, issuer);
    }
  }

  async #openKeys({ createRemoteJWKSet, customFetch }: typeof Jose): Promise<Jose.JWTVerifyGetKey> {
    const url = this.plan.jwks ?? (await this.#authority.endpoint("jwks_uri"));
    return createRemoteJWKSet(new URL(url), {
      cooldownDuration: keysPauseMs,
      [customFetch]: async (address: string, { method, headers }: RequestInit) => {
        const { status, bytes } = await ask(address, { method: method ?? "GET", headers: headers ?? {} });
        return new Response(bytes, { status });
      },
    });
  }
}

function explain(error: unknown, { errors }: typeof Jose, issuer: string): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof errors.JWTExpired) return refused("the token has expired", error);
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`the token has a wrong ${error.claim}`, error);
  if (error instanceof errors.JOSEAlgNotAllowed)
    return refused("the token is signed in a way that is not allowed here", error);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed)
    return refused("the token is not signed by its issuer", error);
  // The general one says that the keys could not be had; the others, that the token is no good.
  const isToken = error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC";
  if (isToken && !(error instanceof errors.JWKSTimeout) && !(error instanceof errors.JWKSInvalid))
    return refused("the token cannot be read", error);
  return new GatewayError("authUnavailable", `the keys of ${issuer} cannot be read`, { cause: error });
}

function refused(why: string, cause?: unknown): GatewayError {
  return new GatewayError("unauthenticated", why, { cause, data: { error: "invalid_token" } });
}

function readClaims(claims: Claims, plan: IssuerPlan): Verified {
  const { sub, client_id: client, azp, exp, aud, cnf } = claims;
  const subject = [sub, client, azp].find((name) => typeof name === "string" && name !== "");
  if (typeof subject !== "string") throw refused("the token names nobody");
  const bound = asRecord(cnf)["x5t#S256"];
  if (cnf !== undefined && typeof bound !== "string") throw refused("the token is bound to a key that is not shown");
  const principal: Principal = {
    // An issuer is an address without a fragment, so that no subject can look like one of another issuer.
    id: `token:${plan.issuer}#${subject}`,
    subject,
    groups: Object.hasOwn(claims, plan.groupsClaim) ? textsOf(claims[plan.groupsClaim]) : [],
    scopes: textsOf(claims["scope"] ?? claims["scp"]).flatMap((text) => text.split(" ").filter(Boolean)),
    claims,
    expiresAt: typeof exp === "number" ? exp * 1000 + plan.skewMs : Infinity,
  };
  const audiences = textsOf(aud).map((name) => (plan.audiences.includes(name) ? anyAudience : name));
  return { principal, audiences, ...(typeof bound === "string" ? { boundTo: bound } : {}) };
}

/** Stands for a name that the config accepts in place of the gateway's address; no audience of a token is empty. */
export const anyAudience = "";

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return value === "" ? [] : [value];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string" && each !== "") : [];
}
