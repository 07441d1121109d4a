// The sockets of the front: accepts connections, ends those that stall, and closes them all.

import type { ListenTlsPlan } from "./config/auth.ts";
import { limitDefaults } from "./config/limits.ts";
import { GatewayError } from "./core/errors.ts";
import type { Traffic } from "./core/meter.ts";
import { type Observer, silentObserver } from "./core/observer.ts";
import { every, Scope, sleep } from "./core/scope.ts";
import { serveTcp, type TcpServer, type TcpSocket } from "./core/tcp.ts";
import type { ClientCertificate } from "./core/tls-server.ts";
import { AnswerEncoder } from "./front/answer.ts";
import { ClientConnection } from "./front/client.ts";
import type { Handle } from "./front/exchange.ts";
import { defaultPatience, type Patience } from "./front/patience.ts";

export interface Listener {
  /** Where it listens, with the real port. */
  readonly url: URL;
  /** Takes no new connections; with `now`, cuts the open ones too, once the answers given so far have left. */
  close(now: boolean): Promise<void>;
  /**
   * Takes no new connections, and closes each of the open ones with its next answer, so that its client goes elsewhere;
   * resolves when they are closed, or after `patienceMs`.
   */
  leave(patienceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Other processes listen there too, and each connection goes to one of them. */
  readonly isShared?: boolean | undefined;
  readonly handle: Handle;
  readonly patience?: Patience;
  /** Connections that are open at the same time; one more takes the place of one on which nothing is under way. */
  readonly maxConnections?: number;
  /** Bytes of the line and the headers of a request. */
  readonly maxHeadBytes?: number;
  /** Where bytes of clients are counted. */
  readonly traffic?: Traffic | undefined;
  /** Files of TLS; absent: plain HTTP. */
  readonly tls?: ListenTlsPlan | undefined;
  /** How often those files are looked at, ms. */
  readonly tlsCheckMs?: number;
  /** Hears what became of changed files. */
  readonly observer?: Observer;
}

/** A client that has not read an answer by then does not read it. */
const flushMs = 500;
const flushStepMs = 10;
const defaultCheckMs = 10_000;
/** A handshake takes a moment: more at the same time are no clients. */
const enoughShaking = 1_000;

/** Listens; rejects with `portInUse` where somebody else does. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host, port, isShared, handle, patience = defaultPatience, maxConnections = Infinity } = options;
  const { maxHeadBytes = limitDefaults.headerBytes } = options;
  const clients = new Set<ClientConnection>();
  const encoder = new AnswerEncoder(options.traffic);
  const closed = (client: ClientConnection): void => void clients.delete(client);
  const files = options.tls;
  const plain = { handle, encoder, closed, maxHeadBytes };
  const accept = (socket: TcpSocket, shown?: ClientCertificate): void => {
    if (clients.size >= maxConnections && !makeRoom(clients)) return void socket.destroy();
    clients.add(new ClientConnection(socket, shown ? { ...plain, handle: showing(shown, handle) } : plain));
  };
  const { observer = silentObserver, tlsCheckMs = defaultCheckMs } = options;
  let stopFollowing = (): void => {};
  const server = await open(host, port, async () => {
    if (!files) return await serveTcp({ host, port, isShared }, accept);
    const [{ followPem, readPem }, { serveTls }] = await Promise.all([
      import("./certificates.ts"),
      import("./core/tls-server.ts"),
    ]);
    const maxShaking = Math.min(maxConnections, enoughShaking);
    const address = { host, port, isShared, handshakeMs: patience.silentMs, maxShaking };
    const secure = await serveTls(address, readPem(files), accept);
    stopFollowing = followPem(files, secure, observer, tlsCheckMs);
    return secure;
  });
  // As often as the shortest of the times: none is exceeded by more than that.
  const sweepMs = Math.min(...Object.values(patience));
  const stopSweeping = every(sweepMs, () => {
    for (const client of clients) client.sweep(sweepMs, patience);
  });
  return {
    url: new URL(`${files ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${server.port}`),
    close: (now) => {
      stopFollowing();
      encoder.crowd.end();
      if (now) stopSweeping();
      return close(server, clients, now);
    },
    leave: async (patienceMs) => {
      server.close();
      for (const client of [...clients]) client.finish(true);
      using scope = new Scope(undefined, patienceMs);
      while (clients.size > 0 && !scope.cancelled) await sleep(flushStepMs, scope).catch(() => {});
    },
  };
}

/** Once there is one that can go, no more than this are looked at for a better one: who opens many must not cost much. */
const enoughLooks = 256;
const easiestOfAll = 5;

/** Closes the oldest connection of those that are missed least: who only holds connections keeps nobody out. */
function makeRoom(clients: ReadonlySet<ClientConnection>): boolean {
  let easiest: ClientConnection | undefined;
  let most = 0;
  let looks = 0;
  for (const client of clients) {
    looks += 1;
    const ease = easeOf(client);
    if (ease > most) easiest = client;
    most = Math.max(most, ease);
    if (most === easiestOfAll || (most > 0 && looks >= enoughLooks)) break;
  }
  easiest?.destroy();
  return easiest !== undefined;
}

/** How little is lost if it is closed now; 0 where something is under way, and it must stay. */
function easeOf({ phase, answered }: ClientConnection): number {
  const isNew = answered === 0;
  switch (phase) {
    // Everything was answered, and the client does not close its side.
    case "ending":
      return easiestOfAll;
    case "idle":
      return isNew ? 4 : 3;
    case "head":
      return isNew ? 4 : 1;
    // A request that is not complete may never be.
    case "body":
      return isNew ? 2 : 1;
    case "answering":
    case "streaming":
    case "writing":
      return 0;
  }
}

/** Requests of a connection whose client showed a certificate. */
function showing(certificate: ClientCertificate, handle: Handle): Handle {
  return (request) => {
    request.certificate = certificate;
    return handle(request);
  };
}

async function open(host: string, port: number, serve: () => Promise<TcpServer>): Promise<TcpServer> {
  try {
    return await serve();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const said = error instanceof Error ? error.message : "";
    const why = code === "EADDRINUSE" ? "is in use by another program" : `cannot be opened: ${said || code}`;
    throw new GatewayError("portInUse", `${host}:${port} ${why}`, { cause: error });
  }
}

async function close(server: TcpServer, clients: ReadonlySet<ClientConnection>, now: boolean): Promise<void> {
  server.close();
  for (const client of [...clients]) client.finish();
  if (!now) return;
  using patience = new Scope(undefined, flushMs);
  while (clients.size > 0 && !patience.cancelled) await sleep(flushStepMs, patience).catch(() => {});
  for (const client of [...clients]) client.destroy();
}
