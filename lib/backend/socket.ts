// Opens connections to a backend: names, addresses, proxy, TLS, and the errors that say that nothing was sent.
import type { Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { dns, net, tls } from "../core/builtins.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope } from "../core/scope.ts";
import { sturdy } from "../core/tcp-node.ts";
import { connectTcp, hasPlainSockets, type TcpSocket, type TlsTerms } from "../core/tcp.ts";
import { type Proxy, proxyFor } from "./proxy.ts";
import { type Address, connectFirst, interleave } from "./race.ts";
import { familyOf, type Target, targetOf } from "./target.ts";

/** Probes keep middleboxes from forgetting a silent stream, and find a peer that vanished. */
const KEEP_ALIVE_PROBE_MS = 15_000;

export interface TlsOptions {
  /** PEM of the certificate authorities to trust instead of the runtime's. */
  readonly ca?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface DialOptions {
  /** DNS, TCP, proxy and TLS together. */
  readonly connectTimeoutMs: number;
  readonly tls?: TlsOptions;
  /** Where the proxy is looked up; default the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly Address[]>;
}

/** Opens connections to one target and remembers what makes the next one cheaper. */
export class Dialer {
  readonly target: Target;
  readonly #options: DialOptions;
  readonly #proxy: Proxy | undefined;
  /**
   * The latest TLS session ticket, which saves a round trip and both sides' signatures. Bun resumes with it, under TLS
   * 1.2 and 1.3; Deno 2.9 takes the option and makes a full handshake all the same.
   */
  #ticket: Buffer | undefined;

  /** Throws a `GatewayError` where the URL is not a backend's, or the environment's proxy for it cannot be used. */
  constructor(url: URL, options: DialOptions) {
    this.target = targetOf(url);
    this.#options = options;
    this.#proxy = proxyFor(this.target, options.environment ?? process.env);
  }

  /** What a proxy that is no tunnel needs of every request. */
  get forward(): { readonly authorization: string | undefined } | undefined {
    return this.target.secure ? undefined : this.#proxy;
  }

  /**
   * Opens one connection, with TLS done. Every rejection means that nothing of a request was sent: `GatewayError`
   * "unreachable" or "connectTimeout" with `data.sent` false, or the scope's reason.
   */
  async open(scope: Scope): Promise<TcpSocket> {
    const { connectTimeoutMs } = this.#options;
    using limit = new Scope(scope, connectTimeoutMs, () => connectTimeout(this.target, connectTimeoutMs));
    limit.throwIfCancelled();
    if (this.#proxy === undefined && this.target.socketPath === undefined) {
      if (!this.target.secure) return await this.#plain(limit);
      if (hasPlainSockets) return await this.#secured(limit);
    }
    const socket = await this.#connect(limit);
    if (!this.target.secure) return socket;
    const { host } = this.target;
    const trust = this.#options.tls ?? {};
    try {
      return await this.#encrypt(socket, host, trust, limit);
    } catch (error) {
      throw limit.cancelled ? limit.reason : unreachable(this.target.name, error);
    }
  }

  /** Without a proxy nothing needs the streams of node:net. */
  async #plain(scope: Scope, terms?: TlsTerms): Promise<TcpSocket> {
    const { port, name } = this.target;
    try {
      const addresses = await this.#addresses(this.target.host, scope);
      return await connectFirst(addresses, ({ address }) => connectTcp({ host: address, port }, terms), scope);
    } catch (error) {
      if (scope.cancelled) throw scope.reason;
      throw error instanceof GatewayError ? error : unreachable(name, error);
    }
  }

  async #secured(scope: Scope): Promise<TcpSocket> {
    const { host, name } = this.target;
    const { ca, rejectUnauthorized = true } = this.#options.tls ?? {};
    const session = this.#ticket;
    const onSession = (ticket: Buffer): void => void (this.#ticket = ticket);
    const socket = await this.#plain(scope, { name: nameOf(host), ca, rejectUnauthorized, session, onSession });
    try {
      return await secured(socket, socket, scope);
    } catch (error) {
      this.#forgetTicket(session);
      throw scope.cancelled ? scope.reason : unreachable(name, error);
    }
  }

  /** A ticket that the server stumbles over must not make every further connection fail. */
  #forgetTicket(offered: Buffer | undefined): void {
    if (this.#ticket === offered) this.#ticket = undefined;
  }

  /** A connection that leads to the target, through the proxy if there is one. */
  async #connect(scope: Scope): Promise<Socket> {
    const proxy = this.#proxy;
    const name = proxy === undefined ? this.target.name : `the proxy ${proxy.name}`;
    try {
      if (proxy === undefined) return await this.#reach(this.target, scope);
      // Loaded first: from here on nobody but its reader hears of the socket's end.
      const tunnel = this.target.secure ? await import("./tunnel.ts") : undefined;
      const plain = await this.#reach(proxy, scope);
      const socket = proxy.secure ? await handshake(plain, tlsOptions(plain, proxy.host, {}), scope) : plain;
      await tunnel?.openTunnel(socket, proxy, this.target, scope);
      return socket;
    } catch (error) {
      if (scope.cancelled) throw scope.reason;
      throw error instanceof GatewayError ? error : unreachable(name, error);
    }
  }

  async #reach(
    place: Pick<Target, "host" | "port"> & { readonly socketPath?: string | undefined },
    scope: Scope,
  ): Promise<Socket> {
    const { host, port, socketPath: path } = place;
    if (path !== undefined)
      return connectFirst([{ address: path, family: 0 }], () => sturdy(net().connect({ path })), scope);
    const dial = ({ address }: Address): Socket =>
      sturdy(
        net().connect({
          host: address,
          port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
        }),
      );
    return connectFirst(await this.#addresses(host, scope), dial, scope);
  }

  async #addresses(host: string, scope: Scope): Promise<readonly Address[]> {
    const family = familyOf(host);
    return family === 0 ? interleave(await scope.race(this.#resolve(host))) : [{ address: host, family }];
  }

  async #resolve(host: string): Promise<readonly Address[]> {
    const addresses = await (this.#options.resolve?.(host) ?? dns().lookup(host, { all: true }));
    if (addresses.length === 0) throw Object.assign(new Error(`${host} has no address`), { code: "ENODATA" });
    return addresses;
  }

  async #encrypt(socket: Socket, host: string, trust: TlsOptions, scope: Scope): Promise<Socket> {
    const offered = this.#ticket;
    const options = tlsOptions(socket, host, trust);
    try {
      const keep = (ticket: Buffer): void => void (this.#ticket = ticket);
      return await handshake(socket, offered === undefined ? options : { ...options, session: offered }, scope, keep);
    } catch (error) {
      this.#forgetTicket(offered);
      throw error;
    }
  }
}

function tlsOptions(socket: Socket, host: string, { ca, rejectUnauthorized }: TlsOptions): ConnectionOptions {
  return {
    socket,
    // Whom the certificate must name.
    ...(nameOf(host) === undefined ? { host } : { servername: host }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: rejectUnauthorized ?? true,
    ALPNProtocols: ["http/1.1"],
  };
}

/** An address is no server name to send (RFC 6066, section 3). */
function nameOf(host: string): string | undefined {
  return familyOf(host) === 0 ? host : undefined;
}

/** TLS over `socket`; a rejection destroys it. */
function handshake(
  socket: Socket,
  options: ConnectionOptions,
  scope: Scope,
  onTicket: (ticket: Buffer) => void = () => {},
): Promise<TLSSocket> {
  const secure = tls().connect(options);
  secure.on("session", onTicket);
  return secured(secure, socket, scope);
}

/** Resolves when TLS is up on `secure`; a rejection destroys it, and the `socket` below it. */
function secured<Secure extends TcpSocket>(secure: Secure, socket: TcpSocket, scope: Scope): Promise<Secure> {
  return new Promise((resolve, reject) => {
    // An error between here and the next owner's listeners, or after the socket was given up, must not end the process.
    secure.on("error", () => {});
    if (scope.cancelled || secure.destroyed) {
      secure.destroy();
      socket.destroy();
      return reject(scope.reason);
    }
    const settle = (outcome: () => void): void => {
      release();
      secure.off("error", fail);
      secure.off("close", onClose);
      outcome();
    };
    const fail = (reason: unknown): void =>
      settle(() => {
        secure.destroy();
        socket.destroy();
        reject(reason);
      });
    const onClose = (): void => fail(undefined);
    secure.on("error", fail);
    secure.on("close", onClose);
    secure.once("secureConnect", () => settle(() => resolve(secure)));
    const release = scope.onCancel(fail);
  });
}

/** `where` names the target or the proxy. */
function unreachable(where: string, cause: unknown): GatewayError {
  const causes: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const codes = new Set(causes.map((each) => errorCode(each) ?? "connection closed"));
  const [code = "connection closed"] = codes;
  // Several addresses that failed in different ways have no failure in common.
  const what = codes.size === 1 ? describe(code) : "cannot be connected to";
  const why = causes.length === 1 ? code : causes.map(describeAttempt).join(", ");
  return new GatewayError("unreachable", `${where} ${what} (${why})`, { cause, data: { sent: false } });
}

function describeAttempt(error: unknown): string {
  const address = error instanceof Error && "address" in error ? `${String(error.address)} ` : "";
  return `${address}${errorCode(error) ?? "connection closed"}`;
}

function connectTimeout(target: Target, timeoutMs: number): GatewayError {
  const message = `${target.name} did not accept a connection within ${timeoutMs} ms`;
  return new GatewayError("connectTimeout", message, { data: { sent: false } });
}

function describe(code: string): string {
  if (code === "ECONNREFUSED") return "refused the connection";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "ENODATA") return "is not a known host name";
  if (code === "ENOENT") return "does not exist";
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return "does not answer";
  if (/CERT|SIGNED|SIGNATURE|VERIFY/.test(code)) return "has a certificate that is not trusted";
  if (/SSL|TLS|EPROTO/.test(code)) return "does not speak TLS as expected";
  return "cannot be connected to";
}

/** The system's or the TLS library's code of an error, its causes and its parts included. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  // Several addresses were tried: the first one's failure stands for all.
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return errorCode(error.cause);
}
