// Signing in to backends, where the config has any that want it: the page, and what principals have shown the gateway.

import type { Plan } from "./config/plan.ts";
import type { Observer } from "./core/observer.ts";
import type { HttpReply, HttpRequest } from "./front/exchange.ts";
import type { Gate } from "./front/gate.ts";
import type { OAuthPage } from "./front/oauth-page.ts";
import type { Hub } from "./route/hub.ts";

/** Principals whose tokens are kept; the one that has shown none for the longest time is dropped. */
const maxPrincipals = 10_000;
/** A token that ends sooner than this may be no good any more where it is traded in. */
const endingMs = 60_000;

interface ShownToken {
  readonly token: string;
  /** Until when it is good, Unix ms. */
  readonly until: number;
}

/** Of one principal, which may use several at a time. */
interface Shown {
  readonly newest: ShownToken;
  /** The one that is good longest. */
  readonly lasting: ShownToken;
}

/** The one that there is, or the first one. */
export function keepSignIn(known: SignIn | undefined, hub: Hub, observer: Observer): SignIn {
  return known ?? new SignIn(hub, observer);
}

export class SignIn {
  readonly #hub: Hub;
  readonly #observer: Observer;
  readonly #shown = new Map<string, Shown>();
  #gate: Gate | undefined;
  #base: string | undefined;
  #hasLogins = false;
  #trades = false;
  #page: Promise<OAuthPage> | undefined;

  constructor(hub: Hub, observer: Observer) {
    this.#hub = hub;
    this.#observer = observer;
  }

  /** `base`: under which browsers reach the gateway; undefined while it does not listen. */
  apply(plan: Plan, base: string | undefined, gate: Gate | undefined): void {
    const auths = plan.backends.flatMap(({ replicas }) =>
      replicas.flatMap((each) => (each.kind === "http" ? (each.auth ?? []) : [])),
    );
    this.#hasLogins = auths.some((auth) => auth.kind === "oauth" && auth.grant === "authorization_code");
    this.#base = base?.replace(/\/+$/, "");
    this.#gate = gate;
    this.#trades = auths.some((auth) => auth.kind === "oauth" && auth.grant === "token_exchange");
    this.#page = undefined;
  }

  /** Where people sign in to backends. */
  readonly loginPage = (): string | undefined =>
    this.#base === undefined || !this.#hasLogins ? undefined : `${this.#base}/oauth`;

  /** Each token is shown once, and may be used for hours: the newest one can have run out before those that came earlier. */
  readonly shownBy = (who: string): string | undefined => {
    const shown = this.#shown.get(who);
    if (!shown) return undefined;
    const { newest, lasting } = shown;
    return (newest.until - endingMs > Date.now() ? newest : lasting).token;
  };

  /** A principal has shown this token, and it is good. */
  readonly shows = (who: string, token: string, until: number): void => {
    if (!this.#trades) return;
    const newest = { token, until };
    const before = this.#shown.get(who)?.lasting;
    this.#shown.delete(who);
    this.#shown.set(who, { newest, lasting: before && before.until > until ? before : newest });
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > maxPrincipals && oldest !== undefined) this.#shown.delete(oldest);
  };

  /** Answers a request for the page; undefined for any other, and where nobody signs in to anything. */
  handle(request: HttpRequest, path: string): Promise<HttpReply> | undefined {
    if (!this.#hasLogins || this.#base === undefined) return undefined;
    if (path !== "/oauth" && !path.startsWith("/oauth/")) return undefined;
    this.#page ??= this.#open(this.#base);
    return this.#page.then((page) => page.handle(request, path));
  }

  async #open(base: string): Promise<OAuthPage> {
    const [{ OAuthPage: Page }, { Vault }] = await Promise.all([
      import("./front/oauth-page.ts"),
      import("./backend/vault.ts"),
    ]);
    const vault = new Vault(this.#hub.plan.sealKeys);
    const gate = this.#gate;
    return new Page({
      hub: this.#hub,
      vault,
      base,
      identify: gate && ((request, path) => gate.who(request, path)),
      observer: this.#observer,
    });
  }
}
