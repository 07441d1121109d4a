// Who is let in: each request shows a key, a token or a certificate before anything else of it is looked at.

import type { AuthPlan, KeyPlan } from "../config/auth.ts";
import type { Plan } from "../config/plan.ts";
import { hashApiKey } from "../core/api-key.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { Observer } from "../core/observer.ts";
import type { Principal } from "../core/principal.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { errorReply, quoted } from "./reply.ts";
import { Resources } from "./resources.ts";
import { anyAudience, Tokens, type Verified } from "./tokens.ts";

/** Goes on with a request; nobody is known where a path is open, and tells strangers less. */
export type Route = (request: HttpRequest, path: string, who: Principal | undefined) => HttpReply | Promise<HttpReply>;

/** For load balancers, which have no credentials; they say nothing but yes or no. */
const openPaths: ReadonlySet<string> = new Set(["/livez", "/readyz"]);
const healthPath = "/health";
const maxVerified = 4096;

/** Hears of those who were not let in. */
export interface Witness {
  refused(path: string, code: string, why: string): void;
}

/** The gate of a plan that has one. */
export function openGate(
  plan: Plan,
  ...rest: [observer: Observer, listensAt: string | undefined, witness?: Witness, shown?: Shown]
): Gate | undefined {
  return plan.auth && new Gate(plan, plan.auth, ...rest);
}

/** Hears of tokens that are good, and until when, Unix ms. */
type Shown = (who: string, token: string, until: number) => void;

export class Gate {
  readonly #auth: AuthPlan;
  readonly #observer: Observer;
  readonly #resources: Resources;
  readonly #tokens: Tokens;
  readonly #witness: Witness | undefined;
  readonly #shown: Shown | undefined;
  readonly #stepsUp: boolean;
  readonly #keys: ReadonlyMap<string, KeyPlan>;
  /** By heads of requests: those of one connection mostly look the same. */
  readonly #admitted = new WeakMap<object, Principal>();
  readonly #verified = new Map<string, Verified>();
  readonly #verifying = new Map<string, Promise<Verified>>();

  /** `shown` hears of tokens that are good; absent where nobody needs them any more. */
  constructor(
    plan: Plan,
    auth: AuthPlan,
    observer: Observer,
    listensAt: string | undefined,
    witness?: Witness,
    shown?: Shown,
  ) {
    this.#witness = witness;
    this.#shown = shown;
    this.#auth = auth;
    this.#observer = observer;
    this.#resources = new Resources(plan, listensAt);
    this.#stepsUp = auth.issuers.length > 0 && plan.policy?.rules.some(({ scopes }) => scopes) === true;
    this.#tokens = new Tokens(auth.issuers);
    this.#keys = new Map(auth.keys.map((key) => [key.hash, key]));
  }

  /** Hands a request on with who sent it, or answers it. */
  pass(request: HttpRequest, path: string, route: Route): HttpReply | Promise<HttpReply> {
    const known = this.#admitted.get(request.head);
    if (known && known.expiresAt > Date.now()) return this.#go(request, path, known, route);
    if (openPaths.has(path)) return route(request, path, undefined);
    const metadata = this.#resources.metadata(request, path);
    if (metadata) return metadata;
    const who = this.who(request, path);
    if (who instanceof Promise) return who.then((late) => this.#enter(request, path, late, route));
    return this.#enter(request, path, who, route);
  }

  #enter(request: HttpRequest, path: string, who: Principal | GatewayError, route: Route) {
    if (who instanceof GatewayError) {
      const isStranger = who.data["error"] === undefined && who.code === "unauthenticated";
      return isStranger && path === healthPath ? route(request, path, undefined) : this.#refuse(request, path, who);
    }
    this.#admitted.set(request.head, who);
    return this.#go(request, path, who, route);
  }

  /** Only where the policy may ask for better tokens are answers looked at. */
  #go(request: HttpRequest, path: string, who: Principal, route: Route): HttpReply | Promise<HttpReply> {
    const reply = route(request, path, who);
    if (!this.#stepsUp) return reply;
    const complete = (answer: HttpReply): HttpReply => {
      const challenge = answer.status === 403 ? answer.headers["www-authenticate"] : undefined;
      // One that was judged again has come by here before.
      if (challenge === undefined || challenge.includes('resource_metadata="')) return answer;
      const metadata = quoted(this.#resources.metadataUrl(request, path));
      const headers = { ...answer.headers, "www-authenticate": `${challenge}, resource_metadata="${metadata}"` };
      return { ...answer, headers };
    };
    return reply instanceof Promise ? reply.then(complete) : complete(reply);
  }

  /** Who sends a request to this path, or why that is nobody. */
  who(request: HttpRequest, path: string): Principal | GatewayError | Promise<Principal | GatewayError> {
    // 2026-07-28, Authorization, "Token Requirements": an address is logged, shown and kept by everything in between.
    if (/(?:^|&)access_token=/i.test(request.query))
      return new GatewayError("badCredentials", "a token in the address is not accepted", invalidRequest);
    const written = request.header("authorization");
    if (written === undefined) return this.#certified(request);
    const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(written) ?? [];
    if (token === undefined) {
      const isBearer = /^Bearer\b/i.test(written);
      return isBearer
        ? new GatewayError("badCredentials", "the Authorization header holds no single bearer token", invalidRequest)
        : new GatewayError("unauthenticated", "the Authorization header is not of the Bearer scheme");
    }
    const known = this.#verified.get(token);
    if (known && known.principal.expiresAt > Date.now()) return this.#fit(known, request, path);
    const key = this.#keys.size > 0 ? this.#keys.get(hashApiKey(token)) : undefined;
    if (key) return this.#holder(key);
    if (this.#auth.issuers.length === 0) return refused("the key is not known here");
    return this.#verify(token).then(
      (verified) => this.#fit(verified, request, path),
      (error: unknown) => asGatewayError(error),
    );
  }

  #holder({ name, groups, scopes, expiresAt }: KeyPlan): Principal | GatewayError {
    if (expiresAt <= Date.now()) return refused("the key has expired");
    return { id: `key:${name}`, subject: name, groups, scopes, claims: {}, expiresAt };
  }

  #certified({ certificate }: HttpRequest): Principal | GatewayError {
    if (!this.#auth.certificates || !certificate)
      return new GatewayError("unauthenticated", "nobody is let in without credentials");
    const { name, groups, expiresAt } = certificate;
    return { id: `certificate:${name}`, subject: name, groups, scopes: [], claims: {}, expiresAt };
  }

  /** Once for each token, however many requests bring it at the same time. */
  #verify(token: string): Promise<Verified> {
    const begun = this.#verifying.get(token);
    if (begun) return begun;
    const verifying = this.#tokens.verify(token).finally(() => this.#verifying.delete(token));
    this.#verifying.set(token, verifying);
    return verifying.then((verified) => {
      this.#shown?.(verified.principal.id, token, verified.principal.expiresAt);
      this.#verified.delete(token);
      this.#verified.set(token, verified);
      const [oldest] = this.#verified.keys();
      if (this.#verified.size > maxVerified && oldest !== undefined) this.#verified.delete(oldest);
      return verified;
    });
  }

  /** Whether a good token is good for this request. */
  #fit({ principal, audiences, boundTo }: Verified, request: HttpRequest, path: string): Principal | GatewayError {
    if (!audiences.includes(anyAudience) && !this.#resources.accepts(audiences, path))
      return refused("the token was made for somebody else than this gateway");
    if (boundTo !== undefined && boundTo !== request.certificate?.thumbprint)
      return refused("the token is bound to a certificate that is not shown");
    const missing = this.#auth.scopes.filter((scope) => !principal.scopes.includes(scope));
    if (missing.length === 0) return principal;
    return new GatewayError("insufficientScope", `the token lacks the scope ${missing.join(" ")}`, {
      data: { error: "insufficient_scope", scope: this.#auth.scopes.join(" ") },
    });
  }

  #refuse(request: HttpRequest, path: string, error: GatewayError): HttpReply {
    const level = error.code === "authUnavailable" ? "warn" : error.code === "internal" ? "error" : "debug";
    this.#observer.log(level, "gateway", `a request was not let in: ${error.message}`);
    const { http, id } = error.row;
    this.#witness?.refused(path, id, error.message);
    const challenge = http === 401 || http === 403 || http === 400;
    return errorReply(error, undefined, challenge ? { "www-authenticate": this.#challenge(request, path, error) } : {});
  }

  /** RFC 6750, section 3; nothing in it comes from the request but its path, in which no quote can be. */
  #challenge(request: HttpRequest, path: string, { data, message }: GatewayError): string {
    const { error, scope = this.#auth.scopes.join(" ") } = data;
    const parts = [
      ...(this.#auth.issuers.length > 0
        ? [`resource_metadata="${quoted(this.#resources.metadataUrl(request, path))}"`]
        : ['realm="mcpctl"']),
      ...(typeof scope === "string" && scope !== "" ? [`scope="${quoted(scope)}"`] : []),
      ...(typeof error === "string" ? [`error="${error}"`, `error_description="${quoted(message)}"`] : []),
    ];
    return `Bearer ${parts.join(", ")}`;
  }
}

const invalidRequest = { data: { error: "invalid_request" } };

function refused(why: string): GatewayError {
  return new GatewayError("unauthenticated", why, { data: { error: "invalid_token" } });
}
