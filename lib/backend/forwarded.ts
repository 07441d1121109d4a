// Headers of a client's request that the config hands on to a backend, by name.

import type { Scope } from "../core/scope.ts";
import type { Caller } from "./caller.ts";
import type { MessageHeaders, Transport } from "./transport.ts";

/** What may stand in a header; a client that sends anything else has it dropped. */
const fieldContent = /^[\t\x20-\x7e\x80-\xff]{1,8192}$/;

/** A wire whose calls carry these headers of whoever makes them. */
export function forwarding(
  wire: Transport,
  names: readonly string[],
  callerOf: (call: number) => Caller | undefined,
): Transport {
  // A call of several rounds has several ids, and one scope.
  const known = new WeakMap<Scope, MessageHeaders>();
  const headersOf = (call: number, scope: Scope): MessageHeaders => {
    const headers = known.get(scope) ?? forwardedOf(names, callerOf(call));
    known.set(scope, headers);
    return headers;
  };
  return {
    send: (message, call, scope, headers) => {
      const more = call === undefined ? [] : headersOf(call, scope);
      return wire.send(message, call, scope, more.length > 0 ? [...(headers ?? []), ...more] : headers);
    },
    // Each call has headers of its own.
    straight: () => undefined,
    negotiated: (version) => wire.negotiated(version),
    opened: () => wire.opened(),
    close: () => wire.close(),
    get hears() {
      return wire.hears;
    },
    pid: wire.pid,
  };
}

function forwardedOf(names: readonly string[], caller: Caller | undefined): MessageHeaders {
  return names.flatMap((name): MessageHeaders => {
    const value = caller?.header?.(name);
    return value !== undefined && fieldContent.test(value) ? [[name, value]] : [];
  });
}
