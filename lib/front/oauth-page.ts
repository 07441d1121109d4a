// `/oauth`: how the logins of backends are, and whoever is signed in to the gateway begins, renews or ends them.

import type { Backend } from "../backend/backend.ts";
import { describeLogin, endLogin, type LoginPlace, readPlace, renewLogin } from "../backend/logins.ts";
import { clientDocument } from "../backend/authorization.ts";
import { beginLogin, finishLogin, takeFlow } from "../backend/oauth-flow.ts";
import type { Vault } from "../backend/vault.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { Observer } from "../core/observer.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import { Scope } from "../core/scope.ts";
import { decodeText, encodeJson, encodeText } from "../core/text.ts";
import type { Hub } from "../route/hub.ts";
import type { HttpReply, HttpRequest } from "./exchange.ts";
import { footingsOf } from "./footing.ts";
import { consentPage, listPage, type Notice, signInPage } from "./oauth-html.ts";
import { backendsOf, entryOf, placeFor } from "./oauth-view.ts";
import { type PageSession, PageSessions } from "./page-session.ts";
import { emptyReply, errorReply, jsonReply } from "./reply.ts";

export interface OAuthPageOptions {
  readonly hub: Hub;
  readonly vault: Vault;
  /** Under which browsers reach the gateway: an origin, and a path where it is not alone there. */
  readonly base: string;
  /** Who sends a request; absent where everybody is let in. */
  readonly identify?: ((request: HttpRequest, path: string) => Who | Promise<Who>) | undefined;
  readonly observer: Observer;
}

type Who = Principal | GatewayError;
type Form = URLSearchParams;

const maxFormBytes = 64 * 1024;
const maxAnswerChars = 16 * 1024;
const wakeMs = 3_000;
const security = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export class OAuthPage {
  readonly #options: OAuthPageOptions;
  readonly #origin: string;
  /** What stands before each path that a browser is given. */
  readonly #prefix: string;
  readonly #sessions: PageSessions;

  constructor(options: OAuthPageOptions) {
    this.#options = options;
    const { origin, pathname, protocol } = new URL(options.base);
    this.#origin = origin;
    this.#prefix = pathname.replace(/\/+$/, "");
    // There is another page for each plan.
    const footings = footingsOf(options.hub.plan);
    this.#sessions = new PageSessions(options.vault, protocol === "https:", `${this.#prefix}/oauth`, footings);
  }

  /** Answers a request for one of its paths. */
  async handle(request: HttpRequest, path: string): Promise<HttpReply> {
    const { method } = request;
    if (path === "/oauth/client.json" && method === "GET") return this.#document();
    const session = this.#sessions.of(request);
    if (method === "POST") return await this.#act(request, path, session);
    if (method !== "GET")
      return errorReply(new GatewayError("methodNotAllowed", `${path} does not take ${method}`), undefined, {
        allow: "GET, POST",
      });
    if (path === "/oauth/callback") return await this.#answered(request, session);
    if (path !== "/oauth") return this.#nothing(path);
    const who = await this.#who(request, session);
    const query = new URLSearchParams(request.query);
    const chosen = query.get("backend") ?? undefined;
    if (!who) return this.#html(signInPage(this.#sessions.formToken(session), undefined, chosen), session, 401);
    return this.#list(session, who, chosen, this.#arrival(query, who));
  }

  /** What is said to whoever comes back from signing in. */
  #arrival(query: URLSearchParams, who: Principal): Notice | undefined {
    const backend = backendsOf(this.#options.hub, who).find(({ plan }) => plan.name === query.get("backend"));
    const place = query.get("done") === "login" && backend && placeFor(this.#options.hub, backend, who);
    if (!place || describeLogin(readPlace(place), "").state !== "active") return undefined;
    return { kind: "done", text: `You are signed in to ${place.site.login.backend}.` };
  }

  /** Whoever has signed in on the page, or shows with the request what clients show. */
  async #who(request: HttpRequest, session: PageSession): Promise<Principal | undefined> {
    const { identify } = this.#options;
    if (!identify) return anonymous;
    if (session.who) return session.who;
    const who = await identify(request, "/mcp");
    return who instanceof GatewayError ? undefined : who;
  }

  /** 2026-07-28, Client ID Metadata Documents. */
  #document(): HttpReply {
    const document = {
      client_id: this.#documentUrl,
      client_uri: this.#options.base,
      ...clientDocument([this.#redirectUri]),
      token_endpoint_auth_method: "none",
    };
    return jsonReply(encodeJson(document), { "cache-control": "max-age=3600", "x-content-type-options": "nosniff" });
  }

  get #documentUrl(): string {
    return `${this.#options.base}/oauth/client.json`;
  }

  get #redirectUri(): string {
    return `${this.#options.base}/oauth/callback`;
  }

  async #act(request: HttpRequest, path: string, session: PageSession): Promise<HttpReply> {
    const from = request.header("origin");
    const site = request.header("sec-fetch-site");
    const isForeign = (from !== undefined && from !== this.#origin) || (site !== undefined && site !== "same-origin");
    const form = new URLSearchParams(decodeText(await request.body(maxFormBytes)));
    if (isForeign || !this.#sessions.isFormToken(session, form.get("token") ?? ""))
      return this.#refused(
        "forbiddenOrigin",
        "the form was not made by this page for this browser; open the page again",
        403,
      );
    if (path === "/oauth/signin") return await this.#signIn(request, form, session);
    if (path === "/oauth/signout") return this.#redirect("/oauth", this.#sessions.signOut(session));
    const who = await this.#who(request, session);
    if (!who) return this.#redirect("/oauth");
    return await this.#do(path, form, session, who);
  }

  async #do(path: string, form: Form, session: PageSession, who: Principal): Promise<HttpReply> {
    const name = form.get("backend") ?? "";
    const backend = backendsOf(this.#options.hub, who).find(({ plan }) => plan.name === name);
    // Another's login may be ended, and never begun: what an operator signs in to would be theirs.
    const of = path === "/oauth/revoke" ? (form.get("who") ?? undefined) : undefined;
    const place = backend && placeFor(this.#options.hub, backend, who, of);
    if (!backend || !place)
      return this.#refused("denied", "there is no such backend, or it is not yours to sign in to", 403);
    try {
      switch (path) {
        case "/oauth/start":
          return await this.#start(place, session);
        case "/oauth/renew":
          await renewLogin(place);
          return this.#list(session, who, name, { kind: "done", text: `The login at ${name} was renewed.` });
        case "/oauth/revoke":
          return this.#list(session, who, name, await this.#end(place));
        default:
          return this.#nothing(path);
      }
    } catch (error) {
      return this.#list(session, who, name, this.#failed(error));
    }
  }

  async #signIn(request: HttpRequest, form: Form, session: PageSession): Promise<HttpReply> {
    const { identify } = this.#options;
    if (!identify) return this.#redirect("/oauth");
    const key = (form.get("key") ?? "").trim();
    const chosen = form.get("backend") ?? undefined;
    const shown = (name: string): string | undefined =>
      name === "authorization" ? `Bearer ${key}` : request.header(name);
    const who = await identify(
      {
        ...request,
        method: "POST",
        path: "/mcp",
        query: "",
        head: {},
        header: shown,
        certificate: undefined,
        body: () => new Uint8Array(),
        whenGone: () => {},
      },
      "/mcp",
    );
    if (who instanceof GatewayError) {
      const notice: Notice = { kind: "failed", text: who.message };
      return this.#html(signInPage(this.#sessions.formToken(session), notice, chosen), session, who.row.http);
    }
    const { cookie } = this.#sessions.signIn(who);
    return this.#redirect(chosen === undefined ? "/oauth" : `/oauth?backend=${encodeURIComponent(chosen)}`, cookie);
  }

  async #start(place: LoginPlace, session: PageSession): Promise<HttpReply> {
    const { site, vault, headers } = place;
    const begun = await beginLogin(site, vault, {
      redirectUri: this.#redirectUri,
      by: this.#sessions.digest(session),
      headers,
      ...(this.#origin.startsWith("https:") ? { metadataUrl: this.#documentUrl } : {}),
    });
    const { backend } = site.login;
    const { issuer, url, scopes } = begun;
    return this.#html(consentPage({ backend, issuer, url, scopes, isShared: site.plan.shared }), session);
  }

  /** The browser comes back from an authorization server. */
  async #answered(request: HttpRequest, session: PageSession): Promise<HttpReply> {
    const answer = new URLSearchParams(request.query.slice(0, maxAnswerChars));
    const flow = takeFlow(this.#options.vault, answer.get("state") ?? "");
    // Whoever did not begin it gets none of it: somebody else's login would be put under theirs, or theirs under another's.
    if (!flow || flow.by !== this.#sessions.digest(session))
      return this.#refused(
        "denied",
        "nobody has begun this login in this browser, or it took too long; begin it again",
        403,
      );
    const who = await this.#who(request, session);
    const { login } = flow;
    const backend = who && backendsOf(this.#options.hub, who).find(({ plan }) => plan.name === login.backend);
    const place = backend && placeFor(this.#options.hub, backend, who);
    if (!who || !place || place.site.login.who !== login.who || place.site.login.url !== login.url)
      return this.#refused("denied", "this login is not yours any more", 403);
    try {
      await finishLogin(place.site, place.vault, flow, answer);
    } catch (error) {
      return this.#list(session, who, login.backend, this.#failed(error));
    }
    this.#options.observer.log("info", `backend ${login.backend}`, `${who.id} signed in at ${login.issuer}`);
    await this.#wake(backend, who);
    // The address holds the code, which is nothing to be kept in a history.
    return this.#redirect(`/oauth?backend=${encodeURIComponent(login.backend)}&done=login`);
  }

  /** Its link is opened now, and not when its turn comes: whoever goes back to a client finds it there. */
  async #wake(backend: Backend, who: Principal): Promise<void> {
    using scope = new Scope(undefined, wakeMs);
    const uplink = backend.uplink(backend.ownerOf(who.id, ""));
    await uplink.acquire(scope).catch(() => {});
  }

  async #end(place: LoginPlace): Promise<Notice> {
    const { backend, who } = place.site.login;
    const ending = await endLogin(place);
    this.#options.observer.log("info", `backend ${backend}`, `the login of ${who} was revoked`);
    if (ending !== "forgotten") return { kind: "done", text: `The login at ${backend} is over.` };
    return {
      kind: "done",
      text: `The login at ${backend} is forgotten here; its authorization server could not be told.`,
    };
  }

  #list(session: PageSession, who: Principal, chosen: string | undefined, notice: Notice | undefined): HttpReply {
    const entries = backendsOf(this.#options.hub, who).map((backend) => entryOf(this.#options.hub, backend, who));
    const token = this.#sessions.formToken(session);
    const canSignOut = session.who !== undefined;
    const page = { who: who.subject, canSignOut, token, entries, chosen, notice };
    return this.#html(listPage(page), session, notice?.kind === "failed" ? 502 : 200);
  }

  #failed(error: unknown): Notice {
    const failure = asGatewayError(error);
    if (failure.code === "internal")
      this.#options.observer.log("error", "gateway", `a login failed: ${failure.message}`);
    return {
      kind: "failed",
      text: failure.code === "internal" ? "The login failed; the log says why." : failure.message,
    };
  }

  #html(page: string, session: PageSession, status: number = 200): HttpReply {
    const cookie = session.cookie === undefined ? {} : { "set-cookie": session.cookie };
    const prefix = this.#prefix.replaceAll("&", "&amp;");
    return {
      status,
      headers: { "content-type": "text/html; charset=utf-8", ...security, ...cookie },
      // What others wrote in it holds no quotes.
      body: encodeText(page.replaceAll(/(?<= (?:action|href)=")(?=\/oauth[/"])/g, () => prefix)),
    };
  }

  #redirect(location: string, cookie?: string): HttpReply {
    return emptyReply(303, {
      location: this.#prefix + location,
      ...security,
      ...(cookie === undefined ? {} : { "set-cookie": cookie }),
    });
  }

  #refused(code: "forbiddenOrigin" | "denied", why: string, status: number): HttpReply {
    return { ...errorReply(new GatewayError(code, why), undefined, security), status };
  }

  #nothing(path: string): HttpReply {
    return errorReply(new GatewayError("notFound", `there is nothing at ${path.slice(0, 200)}`), undefined);
  }
}
