// Who may speak to the front: Host and Origin are checked, so that a web page cannot reach a local gateway.

import { GatewayError } from "../core/errors.ts";
import { isLoopback } from "../core/loopback.ts";
import type { HttpRequest } from "./exchange.ts";

export interface GuardOptions {
  /** The address that the front listens on. */
  readonly host: string;
  /** More host names, without port, that clients may address. */
  readonly allowedHosts: readonly string[];
  /** More origins, as `scheme://host[:port]`, or `*`. */
  readonly allowedOrigins: readonly string[];
}

/** Why the request is refused, or undefined (2025-11-25, Transports, "Security Warning"). */
export function refuseForeign(request: HttpRequest, options: GuardOptions): GatewayError | undefined {
  const host = hostName(request.header("host") ?? "");
  if (!isAllowedHost(host, options)) {
    return new GatewayError(
      "forbiddenOrigin",
      `the host ${JSON.stringify(host.slice(0, 100))} is not one of this gateway's; see allowedHosts`,
    );
  }
  const origin = request.header("origin");
  if (origin !== undefined && !isAllowedOrigin(origin, options)) {
    return new GatewayError(
      "forbiddenOrigin",
      `the origin ${JSON.stringify(origin.slice(0, 100))} is not allowed; see allowedOrigins`,
    );
  }
  return undefined;
}

function isAllowedHost(host: string, { host: bound, allowedHosts }: GuardOptions): boolean {
  const isListed = allowedHosts.some((allowed) => allowed === "*" || bare(allowed) === host);
  if (isLoopback(host) || host === bare(bound) || isListed) return true;
  // A front on every address was opened to others on purpose; it is reached under names that it cannot know.
  return !isLoopback(bound) && allowedHosts.length === 0;
}

function isAllowedOrigin(origin: string, { allowedOrigins }: GuardOptions): boolean {
  if (
    allowedOrigins.some(
      (allowed) => allowed === "*" || allowed.toLowerCase().replace(/\/$/, "") === origin.toLowerCase(),
    )
  )
    return true;
  try {
    const { protocol, hostname } = new URL(origin);
    return (protocol === "http:" || protocol === "https:") && isLoopback(hostname);
  } catch {
    return false;
  }
}

/** Host header without its port. */
function hostName(header: string): string {
  const end = header.startsWith("[") ? header.indexOf("]") + 1 : header.lastIndexOf(":");
  return bare(end > 0 ? header.slice(0, end) : header);
}

/** The brackets of an IPv6 address are a part of the header, and not of the address. */
function bare(host: string): string {
  return host.toLowerCase().replaceAll(/^\[|\]$/g, "");
}
