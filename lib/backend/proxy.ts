// Which proxy the environment names for a target: http_proxy, https_proxy, all_proxy and no_proxy, as curl reads them.
import { net } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import { familyOf, isLocal, type Target } from "./target.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface Proxy {
  /** TLS to the proxy itself. */
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** host:port, for messages. */
  readonly name: string;
  /** Value of Proxy-Authorization. Secret. */
  readonly authorization: string | undefined;
}

/**
 * The proxy for `target`, or undefined where it is reached directly; loopback and unix sockets always are. A
 * `GatewayError` "unreachable" where the environment names a proxy that cannot be used: going round it could leak.
 */
export function proxyFor(target: Target, environment: Environment): Proxy | undefined {
  if (isLocal(target)) return undefined;
  const found = findVariable(target.secure, environment);
  if (found === undefined || isExcepted(target, readVariable(environment, ["no_proxy", "NO_PROXY"])?.value ?? "")) {
    return undefined;
  }
  return parseProxy(found, target);
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

function findVariable(secure: boolean, environment: Environment): Variable | undefined {
  // Not HTTP_PROXY: where the gateway is started for a web request, its client sets that with a header "Proxy".
  const own = secure ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"];
  return readVariable(environment, [...own, "all_proxy", "ALL_PROXY"]);
}

function readVariable(environment: Environment, names: readonly string[]): Variable | undefined {
  for (const name of names) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== "") return { name, value };
  }
  return undefined;
}

// No values in messages: they may hold a password.
function parseProxy({ name, value }: Variable, target: Target): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  const secure = url?.protocol === "https:";
  if (url === null || (!secure && url.protocol !== "http:") || url.hostname === "") {
    const what = url === null ? "is no address of a proxy" : `names a proxy of another kind than http and https`;
    const message = `${target.name} cannot be reached: the environment variable ${name} ${what}; change it, or add the host to no_proxy`;
    throw new GatewayError("unreachable", message, { data: { sent: false } });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const credentials = `${decodePart(url.username)}:${decodePart(url.password)}`;
  const authorization = credentials === ":" ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`;
  return { secure, host, port, name: `${url.hostname}:${port}`, authorization };
}

// A stray percent sign in a password stands for itself.
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Entries: `*`, a name (with all below it), `.name` or `*.name`, an address, an address range, each with or without a port. */
function isExcepted(target: Target, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== "" && matches(target, entry));
}

function matches({ host, port }: Target, entry: string): boolean {
  if (entry === "*") return true;
  const [, bracketed, plain, only] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  // A bare IPv6 address has colons of its own, and no port.
  const pattern = bracketed ?? plain ?? entry;
  if (only !== undefined && Number(only) !== port) return false;
  if (familyOf(host) !== 0) return matchesAddress(host, pattern);
  const suffix = withoutEndDot(pattern).replace(/^\*?\./, "");
  const name = withoutEndDot(host.toLowerCase());
  return suffix !== "" && (name === suffix || name.endsWith(`.${suffix}`));
}

function matchesAddress(host: string, pattern: string): boolean {
  const [base = "", bits] = pattern.split("/", 2);
  const { BlockList, isIP } = net();
  const family = isIP(base);
  if (family === 0) return false;
  const width = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (prefix < 0 || prefix > width || isIP(host) !== family) return false;
  const range = new BlockList();
  range.addSubnet(base, prefix, family === 4 ? "ipv4" : "ipv6");
  return range.check(host, family === 4 ? "ipv4" : "ipv6");
}

function withoutEndDot(name: string): string {
  return name.replace(/\.$/, "");
}
