// Looks at the address of a replica that is away, and says when somebody is there again.

import type { HttpReplicaPlan } from "../config/plan.ts";
import { Scope, sleep } from "../core/scope.ts";
import type { TcpSocket } from "../core/tcp.ts";
import { encodeText } from "../core/text.ts";
import { frameFor } from "./request.ts";
import { Dialer } from "./socket.ts";
import { endpointOf } from "./target.ts";
import { readTrust } from "./trust.ts";

/** What takes longer to answer a look is not there. */
const lookMs = 1_000;
/** A look is true for so long: all owners of links ask at about the same time. */
const restMs = 15;
/** One that went away just now is looked for so often; then at a tenth of the time that it is away. */
const soonMs = 50;

/** What a proxy or a balancer says for a server behind it that is away (RFC 9110, section 15.6). */
const awayStatuses: ReadonlySet<number> = new Set([502, 503, 504]);

type Look = (scope: Scope) => Promise<boolean>;

export class Lookout {
  readonly #plan: HttpReplicaPlan;
  /** True where a connection can be opened. */
  readonly #listens: Look = shared(async () => (await this.#open(() => Promise.resolve(true))) === true);
  /** True where the server itself answers, and not only what stands before it. */
  readonly #answers: Look = shared(async () => {
    // A request that does nothing wherever it comes to, and whatever is said to it.
    const status = await this.status("HEAD", endpointOf(new URL(this.#plan.url)).path);
    return status !== undefined && !awayStatuses.has(status);
  });
  #dialer: Dialer | undefined;
  /** What the last look found. */
  #wasThere = true;

  constructor(plan: HttpReplicaPlan) {
    this.#plan = plan;
  }

  /**
   * Resolves when somebody is there who was not, or when `scope` ends. `refused`: nothing listened a moment ago. Else it is
   * seen to be away before it is seen to be back: one that answers has another trouble than that, and is left alone.
   */
  async returned({ refused, sinceMs, everyMs }: Absence, scope: Scope): Promise<void> {
    const look = refused ? this.#listens : this.#answers;
    let isAway = refused || !this.#wasThere;
    let restMs = refused ? pauseMs(sinceMs, everyMs) : 0;
    for (;;) {
      await sleep(restMs, scope).catch(() => {});
      if (scope.cancelled) return;
      const isThere = await look(scope);
      if (scope.cancelled) return;
      this.#wasThere = isThere;
      if (isThere && isAway) return;
      if (isThere) return await scope.race(new Promise<never>(() => {})).catch(() => {});
      isAway = true;
      restMs = refused ? pauseMs(sinceMs, everyMs) : everyMs;
    }
  }

  /** What a request without a body is answered with; undefined where it is not. */
  status(method: "GET" | "HEAD", path: string): Promise<number | undefined> {
    return this.#open((socket, scope) => this.#ask(socket, scope, method, path));
  }

  async #open<T>(then: (socket: TcpSocket, scope: Scope) => Promise<T>): Promise<T | undefined> {
    using scope = new Scope(undefined, lookMs);
    try {
      const { url, tls } = this.#plan;
      this.#dialer ??= new Dialer(new URL(url), { connectTimeoutMs: lookMs, tls: readTrust(tls) });
      const socket = await this.#dialer.open(scope);
      socket.on("error", () => {});
      try {
        return await then(socket, scope);
      } finally {
        socket.destroy();
      }
    } catch {
      return undefined;
    }
  }

  #ask(socket: TcpSocket, scope: Scope, method: string, path: string): Promise<number | undefined> {
    const { target, forward } = this.#dialer ?? {};
    if (!target) return Promise.resolve(undefined);
    const { prefix, fields } = frameFor(target.authority, forward);
    const answer = new Promise<number | undefined>((resolve) => {
      socket.once("data", (bytes) => {
        const start = Buffer.from(bytes.subarray(0, 32)).toString("latin1");
        const [, status] = /^HTTP\/1\.\d (\d{3})\b/.exec(start) ?? [];
        resolve(status === undefined ? undefined : Number(status));
      });
      socket.once("close", () => resolve(undefined));
      socket.once("end", () => resolve(undefined));
    });
    socket.write(encodeText(`${method} ${prefix}${path} HTTP/1.1\r\n${fields}connection: close\r\n\r\n`));
    return scope.race(answer);
  }
}

export interface Absence {
  readonly refused: boolean;
  /** Since when it is away, Unix ms. */
  readonly sinceMs: number;
  /** The longest pause between two looks. */
  readonly everyMs: number;
}

function pauseMs(sinceMs: number, everyMs: number): number {
  return Math.min(everyMs, Math.max(soonMs, (Date.now() - sinceMs) / 10));
}

function shared(look: () => Promise<boolean>): Look {
  let lookedAt = 0;
  let latest = Promise.resolve(false);
  return (scope) => {
    const now = Date.now();
    if (now - lookedAt > restMs) {
      lookedAt = now;
      latest = look();
    }
    return scope.race(latest).catch(() => false);
  };
}
