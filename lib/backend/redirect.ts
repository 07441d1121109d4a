// Redirects: frameworks send /mcp to /mcp/ before they run anything, and only those within the origin are followed.

import type { HttpReply } from "./pool.ts";
import { maxErrorBytes } from "./refusal.ts";

/** A request as it may be sent again at another path of its origin. */
export interface Redirectable {
  readonly origin: string;
  readonly path: string;
  /** Statuses that ask for the same request elsewhere, before anything was done. */
  readonly statuses: ReadonlySet<number>;
  readonly again: (path: string) => Promise<HttpReply>;
}

/** Those that keep the method and the body. */
export const postRedirects: ReadonlySet<number> = new Set([307, 308]);
export const getRedirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 3;

/** The answer at the end of the redirects; another origin would get this one's credentials, so its redirect is the answer. */
export async function followRedirects(first: HttpReply, request: Redirectable): Promise<HttpReply> {
  const { origin, statuses, again } = request;
  let { path } = request;
  let reply = first;
  for (let redirects = 0; redirects < maxRedirects; redirects += 1) {
    const location = reply.headers.get("location");
    const target = location === undefined ? null : URL.parse(location, origin + path);
    if (!statuses.has(reply.status) || target?.origin !== origin) break;
    await reply.body.bytes(maxErrorBytes);
    path = target.pathname + target.search;
    reply = await again(path);
  }
  return reply;
}
