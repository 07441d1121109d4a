// Fetches what a backend names, like its metadata and its authorization server: nothing that is nearer than it is itself.

import { dns } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { encodeText } from "../core/text.ts";
import { hostOf, mayName, nearer, whyForeign, type Zone, zoneOf } from "./peer-zones.ts";
import { HttpPool } from "./pool.ts";
import { proxyFor } from "./proxy.ts";
import type { Address } from "./race.ts";
import { endpointOf, targetOf } from "./target.ts";

export type PeerFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** The addresses of a name. */
export type Lookup = (host: string) => Promise<readonly Address[]>;

const answerMs = 5_000;
const maxBytes = 1024 * 1024;
const methods = ["GET", "POST"] as const;
const system: Lookup = (host) => dns().lookup(host, { all: true });

/**
 * Requests for one backend; each rejects with a `TypeError`, as fetch does, where it may not be made or has no answer.
 * Redirects are not followed. `trusted`: what the operator has named itself, the backend first.
 */
export function fetchFor(trusted: readonly URL[], lookup: Lookup = system): PeerFetch {
  return async (written, init = {}) => {
    const url = new URL(written);
    const why = whyForeign(url, trusted);
    if (why !== undefined) throw new TypeError(`${placeOf(url)} ${why}`);
    try {
      return await request(url, init, await resolverFor(url, trusted, lookup));
    } catch (error) {
      throw new TypeError(`${placeOf(url)} ${describe(error)}`, { cause: error });
    }
  };
}

async function request(
  url: URL,
  { method = "GET", headers = {}, body }: RequestInit,
  resolve: Lookup | undefined,
): Promise<Response> {
  const known = methods.find((each) => each === method);
  if (!known) throw new Error(`is not asked by ${method}`);
  if (body !== undefined && body !== null && typeof body !== "string" && !(body instanceof URLSearchParams))
    throw new Error("is not sent such a body");
  using scope = new Scope(undefined, answerMs, () => new Error(`did not answer within ${answerMs} ms`));
  const options = { connectTimeoutMs: answerMs, maxIdlePerOrigin: 0, ...(resolve ? { resolve } : {}) };
  await using pool = new HttpPool(url, options);
  const bytes = encodeText(String(body ?? ""));
  const reply = await pool.request(
    {
      method: known,
      path: endpointOf(url).path,
      headers: [...new Headers(headers)],
      ...(known === "POST" ? { body: bytes } : {}),
    },
    scope,
  );
  const answer = new Uint8Array(await scope.race(reply.body.bytes(maxBytes)));
  const { status } = reply;
  // These have no body by definition.
  return new Response(status === 204 || status === 304 ? null : answer, { status });
}

/**
 * Looks a name up for the connection itself, so that what is connected to is what was looked at; undefined where a proxy
 * does it, which is asked for what may be asked for as far as can be seen from here.
 */
async function resolverFor(url: URL, trusted: readonly URL[], lookup: Lookup): Promise<Lookup | undefined> {
  const host = hostOf(url);
  const isOwn = trusted.some((each) => hostOf(each) === host);
  if (zoneOf(host) !== undefined || isOwn) return lookup;
  let zones: readonly Zone[] | undefined;
  const guarded: Lookup = async (name) => {
    const found = await lookup(name);
    zones ??= (await Promise.all(trusted.map((each) => zonesOf(hostOf(each), lookup)))).flat();
    const allowed = zones;
    if (!found.every(({ address }) => mayName(allowed, zoneOf(address) ?? "here"))) throw new Error(nearer);
    return found;
  };
  if (proxyFor(targetOf(url), process.env) === undefined) return guarded;
  await guarded(host).catch((error: unknown) => {
    // A name that only the proxy knows.
    if (error instanceof Error && error.message === nearer) throw error;
  });
  return undefined;
}

async function zonesOf(host: string, lookup: Lookup): Promise<readonly Zone[]> {
  const zone = zoneOf(host);
  if (zone !== undefined) return [zone];
  const found = await lookup(host).catch(() => []);
  return found.map(({ address }) => zoneOf(address) ?? "world");
}

/** Of an error, what says what failed. */
function describe(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) if (at.message === nearer) return nearer;
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof GatewayError ? `cannot be asked (${text})` : text;
}

/** Without the query, which may hold anything. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`.slice(0, 300);
}
