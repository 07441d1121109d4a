// Fetches what a backend names, like its metadata and its authorization server: nothing inside where it is outside itself.

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ask } from "../core/ask.ts";
import { isLoopback } from "../core/loopback.ts";

export type PeerFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

const inside = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const)
  inside.addSubnet(net, prefix, "ipv4");
for (const [net, prefix] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  inside.addSubnet(net, prefix, "ipv6");

/** Whether an address belongs to this machine, or to a network that the world cannot reach. */
function isInside(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const family = isIP(plain);
  if (family === 0) return isLoopback(plain) || plain.endsWith(".localhost");
  // The URL parser writes the mapped ones in another way.
  if (family === 6 && /^::ffff:/i.test(plain)) return true;
  return inside.check(plain, family === 6 ? "ipv6" : "ipv4");
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

/** Why a peer may not have this address used; undefined where it may. Names are not looked up. */
export function whyForeign(written: string | URL, backend: URL): string | undefined {
  const url = URL.parse(String(written));
  if (!url) return "is no address";
  if (url.username !== "" || url.password !== "") return "holds credentials";
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
  if (!isSafe) return "is not over TLS";
  if (isInside(hostOf(url)) && !isInside(hostOf(backend)))
    return "is inside this network, and the server that names it is not";
  return undefined;
}

/** Requests for one backend; each rejects with a `TypeError`, as fetch does, where it may not be made or has no answer. */
export function fetchFor(backend: URL): PeerFetch {
  return async (written, { method = "GET", headers = {}, body = null } = {}) => {
    const url = new URL(written);
    const why = whyForeign(url, backend) ?? (await whyResolved(url, backend));
    if (why !== undefined) throw new TypeError(`${placeOf(url)} ${why}`);
    try {
      const { status, bytes } = await ask(url.href, { method, headers, body });
      // These have no body by definition.
      return new Response(status === 204 || status === 304 ? null : bytes, { status });
    } catch (error) {
      throw new TypeError(`${placeOf(url)} ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  };
}

/** A name of the world that means an address inside. */
async function whyResolved(url: URL, backend: URL): Promise<string | undefined> {
  const host = hostOf(url);
  if (isIP(host) !== 0 || isInside(host) || host === hostOf(backend)) return undefined;
  const found = await lookup(host, { all: true }).catch(() => []);
  if (!found.some(({ address }) => isInside(address))) return undefined;
  const own = await lookup(hostOf(backend), { all: true }).catch(() => []);
  return own.some(({ address }) => isInside(address))
    ? undefined
    : "is inside this network, and the server that names it is not";
}

/** Without the query, which may hold anything. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`.slice(0, 300);
}
