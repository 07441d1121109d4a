// What a backend's URL says: a host and port or a unix socket, the Host header, and the path of requests.
import { GatewayError } from "../core/errors.ts";
import { readUnixUrl } from "../core/unix-url.ts";

/** Where connections of one pool lead. */
export interface Target {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** The file of a unix socket, which is connected to instead of host and port. */
  readonly socketPath: string | undefined;
  /** host:port or unix:path, for messages: no credentials, no path. */
  readonly name: string;
  /** Value of the Host header. */
  readonly authority: string;
}

/** Where a request to a backend goes within its target, and what a redirect is relative to. */
interface Endpoint {
  /** Origin form: path and query. */
  readonly path: string;
  /** Scheme and authority as the server knows itself. */
  readonly origin: string;
}

/** The target of an http, https or unix URL; a `GatewayError` "usage" for others. */
export function targetOf(url: URL): Target {
  if (url.protocol === "unix:") {
    const { file } = readUnix(url);
    return {
      secure: false,
      host: "localhost",
      port: 80,
      socketPath: file,
      name: `unix:${file}`,
      authority: "localhost",
    };
  }
  const secure = url.protocol === "https:";
  if (!secure && url.protocol !== "http:") {
    throw new GatewayError("usage", `"${url.protocol}//" is not a scheme of an HTTP backend: use http, https or unix`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return { secure, host, port, socketPath: undefined, name: `${url.hostname}:${port}`, authority: url.host };
}

export function endpointOf(url: URL): Endpoint {
  if (url.protocol === "unix:") return { path: readUnix(url).path + url.search, origin: "http://localhost" };
  return { path: url.pathname + url.search, origin: url.origin };
}

/** 4 or 6 for the address that a URL has as its host, without brackets; 0 for a name. The URL parser leaves no other forms. */
export function familyOf(host: string): 0 | 4 | 6 {
  if (host.includes(":")) return 6;
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) ? 4 : 0;
}

/** True where a target is on this machine for certain: a proxy would look for it on its own. */
export function isLocal({ host, socketPath }: Target): boolean {
  if (socketPath !== undefined || host === "localhost" || host.endsWith(".localhost")) return true;
  if (familyOf(host) === 4) return host.startsWith("127.");
  // The URL parser has shortened it: ::ffff:127.0.0.1 is ::ffff:7f00:1.
  return host === "::1" || /^::ffff:7f[0-9a-f]{2}:/.test(host);
}

function readUnix(url: URL): { readonly file: string; readonly path: string } {
  const parts = readUnixUrl(url);
  if (parts !== undefined) return parts;
  const message = "a unix URL names an absolute file, like unix:/run/mcp.sock or unix:/run/mcp.sock:/mcp";
  throw new GatewayError("usage", message);
}
