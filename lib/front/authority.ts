// What is asked of an authorization server: its metadata, its keys, and whether a token is active; nothing else is fetched.

import { whyForeign } from "../backend/peer-zones.ts";
import { isSafeUrl } from "../config/rules-auth.ts";
import { ask as askServer, readObject } from "../core/ask.ts";
import { GatewayError } from "../core/errors.ts";

type Document = Readonly<Record<string, unknown>>;

/** How long metadata is believed, and how soon after a failure it is asked for again. */
const freshMs = 3_600_000;
const pauseMs = 5_000;

/** One bounded request; rejects with `authUnavailable`. */
export async function ask(url: string, init: RequestInit): ReturnType<typeof askServer> {
  try {
    return await askServer(url, init);
  } catch (error) {
    throw unavailable(url, error instanceof Error ? error.message : String(error), error);
  }
}

/** The JSON object that an address answers with; undefined for another status than 200. */
export async function askJson(url: string, init: RequestInit = {}): Promise<Document | undefined> {
  const { status, bytes } = await ask(url, init);
  if (status !== 200) return undefined;
  try {
    return readObject(bytes);
  } catch (error) {
    throw unavailable(url, error instanceof Error ? error.message : String(error), error);
  }
}

export function unavailable(url: string, why: string, cause: unknown): GatewayError {
  return new GatewayError("authUnavailable", `the authorization server at ${url} ${why}`, { cause });
}

/** The metadata of one issuer, read when it is first needed, and by one request at a time. */
export class Authority {
  readonly #issuer: string;
  #reading: Promise<Document> | undefined;
  #readAt = 0;
  #failed: { readonly error: unknown; readonly at: number } | undefined;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** An address that its metadata names; rejects with `authUnavailable` where that cannot be read, or names none. */
  async endpoint(name: "jwks_uri" | "introspection_endpoint"): Promise<string> {
    const url = (await this.#metadata())[name];
    // An issuer elsewhere must not make the gateway ask what is in its own network, or listens on this machine alone.
    const isGood = typeof url === "string" && isSafeUrl(url) && whyForeign(url, [new URL(this.#issuer)]) === undefined;
    if (isGood) return url;
    throw unavailable(this.#issuer, `names no ${name} that can be used`, undefined);
  }

  #metadata(): Promise<Document> {
    if (this.#reading && Date.now() - this.#readAt < freshMs) return this.#reading;
    if (this.#failed && Date.now() - this.#failed.at < pauseMs) return Promise.reject(asError(this.#failed.error));
    this.#readAt = Date.now();
    const reading = readMetadata(this.#issuer);
    this.#reading = reading;
    reading.then(
      () => (this.#failed = undefined),
      (error: unknown) => {
        this.#reading = undefined;
        this.#failed = { error, at: Date.now() };
      },
    );
    return reading;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** 2026-07-28, Authorization Server Discovery: three places, in this order; the document must name the issuer itself. */
async function readMetadata(issuer: string): Promise<Document> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === "" ? [] : [`${origin}${path}/.well-known/openid-configuration`]),
  ];
  for (const place of places) {
    const document = await askJson(place);
    if (!document) continue;
    if (document["issuer"] !== issuer) throw unavailable(place, `is of another issuer than ${issuer}`, undefined);
    return document;
  }
  throw unavailable(issuer, "has no metadata", undefined);
}
