// Who looks at a page of the gateway in a browser: a cookie that says nothing, and what is kept of it.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Entry, Vault } from "../backend/vault.ts";
import { entryName } from "../backend/vault.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import { asRecord } from "../core/text.ts";
import { textsOf } from "../backend/login.ts";
import type { HttpRequest } from "./exchange.ts";
import type { Footings } from "./footing.ts";

/** How long somebody stays signed in. */
const sessionMs = 1_800_000;

/** A browser. */
export interface PageSession {
  readonly id: string;
  /** Undefined while nobody has signed in. */
  readonly who: Principal | undefined;
  /** To be set, where the browser has none yet. */
  readonly cookie?: string;
}

export class PageSessions {
  readonly #vault: Vault;
  readonly #isSecure: boolean;
  readonly #path: string;
  readonly #footingOf: Footings;

  /**
   * `isSecure`: browsers reach the gateway over TLS; `path`: that of the page, as they know it; `footingOf`: what lets
   * somebody in now, which is what let them sign in.
   */
  constructor(vault: Vault, isSecure: boolean, path: string, footingOf: Footings) {
    this.#vault = vault;
    this.#isSecure = isSecure;
    this.#path = path;
    this.#footingOf = footingOf;
  }

  /** The one of a request, or a new one. */
  of(request: HttpRequest): PageSession {
    const id = this.#readCookie(request.header("cookie") ?? "");
    if (id === undefined) return this.#fresh();
    return { id, who: this.#whoOf(this.#vault.read(sessionName(id))) };
  }

  #whoOf(entry: Entry | undefined): Principal | undefined {
    const who = readSession(entry);
    const digest = who && this.#digestOf(who);
    return digest !== undefined && entry?.["footing"] === digest ? who : undefined;
  }

  #digestOf(who: Principal): string | undefined {
    const footing = this.#footingOf(who);
    if (!footing || footing.until <= Date.now()) return undefined;
    const { text, accepted, required } = footing;
    const written = JSON.stringify([text, accepted, required]);
    return createHash("sha256").update(`footing ${written}`).digest("base64url");
  }

  #fresh(): PageSession & { readonly cookie: string } {
    const id = randomBytes(32).toString("base64url");
    return { id, who: undefined, cookie: this.#cookie(id) };
  }

  /** Somebody has signed in: under a new id, so that nobody knows it who knew the one before. */
  signIn(who: Principal): PageSession & { readonly cookie: string } {
    const session = this.#fresh();
    const { id, subject, groups, scopes, claims, expiresAt } = who;
    const until = Math.min(Date.now() + sessionMs, expiresAt);
    const footing = this.#digestOf(who);
    this.#vault.write(sessionName(session.id), { id, subject, groups, scopes, claims, until, footing });
    // Another gateway may let in whom this one does not know: only what has run out is over for all.
    for (const [name, entry] of this.#vault.all("page")) if (!readSession(entry)) this.#vault.remove(name);
    return { ...session, who };
  }

  signOut({ id }: PageSession): string {
    this.#vault.remove(sessionName(id));
    return `${this.#cookie("")}; Max-Age=0`;
  }

  /** What a form must bring that was made for this browser. */
  formToken({ id }: PageSession): string {
    return this.#vault.signs("form", id)[0] ?? "";
  }

  isFormToken({ id }: PageSession, given: string): boolean {
    return this.#vault.signs("form", id).some((sign) => isSame(sign, given));
  }

  /** Names a browser without giving its cookie away. */
  digest({ id }: PageSession): string {
    return createHash("sha256").update(`browser ${id}`).digest("base64url");
  }

  get #name(): string {
    return this.#isSecure ? "__Secure-mcpctl" : "mcpctl";
  }

  // Not strict: the browser comes back from the authorization server, which is another site.
  #cookie(value: string): string {
    return `${this.#name}=${value}; Path=${this.#path}; HttpOnly; SameSite=Lax${this.#isSecure ? "; Secure" : ""}`;
  }

  #readCookie(header: string): string | undefined {
    for (const part of header.split(";")) {
      const [name, value] = part.trim().split("=", 2);
      if (name === this.#name && value !== undefined && /^[\w-]{43}$/.test(value)) return value;
    }
    return undefined;
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function sessionName(id: string): string {
  return entryName("page", createHash("sha256").update(id).digest("hex"));
}

function readSession(entry: Entry | undefined): Principal | undefined {
  const { id, subject, groups, scopes, claims, until } = entry ?? {};
  if (typeof id !== "string" || typeof subject !== "string" || typeof until !== "number") return undefined;
  if (until <= Date.now()) return undefined;
  return {
    ...anonymous,
    id,
    subject,
    groups: textsOf(groups),
    scopes: textsOf(scopes),
    claims: asRecord(claims),
    expiresAt: until,
  };
}
