// Requests of a modern client on stdin and stdout: each says everything itself, beside a legacy session or without one.

import { ClientCancel } from "../backend/link.ts";
import { type Envelope, spanBytes, spanKey } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { errorMessage } from "../core/rpc.ts";
import { local } from "../core/principal.ts";
import { Scope } from "../core/scope.ts";
import type { View } from "../merge/names.ts";
import { judgeModern } from "../protocol/modern-request.ts";
import type { ModernRouter } from "../route/modern-router.ts";
import type { Port } from "../route/outlet.ts";
import { factsOf } from "./modern.ts";

export interface ModernPipeOptions {
  readonly router: ModernRouter;
  /** What may be seen now. */
  readonly view: () => View;
  readonly port: Port;
}

export class ModernPipe {
  readonly #options: ModernPipeOptions;
  /** By the client's id, as it wrote it. */
  readonly #open = new Map<string, Scope>();
  readonly #listening = new Set<Scope>();

  constructor(options: ModernPipeOptions) {
    this.#options = options;
  }

  /** Resolves to the reply; to undefined for a request that the client took back. */
  async request(message: Envelope, outer: Scope): Promise<Uint8Array | undefined> {
    const verdict = judgeModern(message, undefined);
    if (verdict.kind === "refused") return errorMessage(spanBytes(message, "id"), verdict.error);
    const { router, view, port } = this.#options;
    const key = spanKey(message, "id");
    if (this.#open.has(key)) {
      const error = new GatewayError("invalidRequest", "a request with this id is in flight");
      return errorMessage(spanBytes(message, "id"), error);
    }
    using own = new Scope(outer);
    this.#open.set(key, own);
    if (message.method === "subscriptions/listen") this.#listening.add(own);
    try {
      return await router.request(message, factsOf(verdict.request, local, view()), own, port);
    } finally {
      this.#open.delete(key);
      this.#listening.delete(own);
    }
  }

  /** The client takes a request back; false for one that is not open here. */
  cancel(notice: Envelope): boolean {
    const own = this.#open.get(spanKey(notice, "params.requestId"));
    own?.cancel(new ClientCancel(notice));
    return own !== undefined;
  }

  /** Nobody hears what only listens any more. */
  endListening(): void {
    for (const own of this.#listening) own.cancel(new ClientCancel());
  }
}
