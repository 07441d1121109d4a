// Connects to whichever address of a name answers first: families in turn, a new attempt every quarter of a second.
import { after, type Scope } from "../core/scope.ts";
import type { TcpSocket } from "../core/tcp.ts";

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** RFC 8305, section 5: how long an attempt is waited for before the next one starts beside it. */
const ATTEMPT_DELAY_MS = 250;

/** RFC 8305, section 4: the families in turn, starting with the one that the resolver prefers. */
export function interleave(addresses: readonly Address[]): Address[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, index) => [
    first[index],
    second[index],
  ]);
  return turns.flat().filter((address) => address !== undefined);
}

/**
 * Resolves with the first socket that connects; all others are destroyed. Rejects with the scope's reason, with the only
 * address's error, or with an `AggregateError` of every address's error in the order of `addresses`.
 *
 * `autoSelectFamily` of node:net works on Bun and Deno, but gives an attempt up when the next one starts, so that a host
 * whose every path is slow is never reached. An error after the race, or after a socket was given up, must not end the
 * process: that is for `dial` to see to.
 */
export function connectFirst<Socket extends TcpSocket>(
  addresses: readonly Address[],
  dial: (address: Address) => Socket,
  scope: Scope,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (scope.cancelled) return reject(scope.reason);
    const open = new Set<Socket>();
    const errors: unknown[] = [];
    let next = 0;
    let failed = 0;
    let stopTimer = (): void => {};
    const settle = (winner: Socket | undefined): void => {
      stopTimer();
      release();
      next = addresses.length;
      for (const socket of open) if (socket !== winner) socket.destroy();
      open.clear();
    };
    const attempt = (): void => {
      stopTimer();
      const index = next++;
      const address = addresses[index];
      if (address === undefined) return;
      if (next < addresses.length) stopTimer = after(ATTEMPT_DELAY_MS, attempt);
      const socket = dial(address);
      open.add(socket);
      const fail = (error: unknown): void => {
        if (!open.delete(socket)) return;
        socket.destroy();
        errors[index] = error;
        failed++;
        if (failed < addresses.length) return next < addresses.length ? attempt() : undefined;
        settle(undefined);
        reject(addresses.length === 1 ? error : new AggregateError(errors, "no address could be connected to"));
      };
      const onClose = (): void => fail(new Error("connection closed"));
      socket.once("error", fail);
      socket.once("close", onClose);
      socket.once("connect", () => {
        if (!open.has(socket)) return;
        socket.off("error", fail);
        socket.off("close", onClose);
        settle(socket);
        resolve(socket);
      });
    };
    const release = scope.onCancel((reason) => {
      settle(undefined);
      reject(reason);
    });
    attempt();
  });
}
