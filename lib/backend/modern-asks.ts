// What a modern server wants to know before it answers a call, asked of the call's client as a legacy server would ask.

import { type Envelope, spanNumber } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { notificationMessage } from "../core/rpc.ts";
import { decodeText, encodeNumber } from "../core/text.ts";
import { legacyAsk, readLegacyAnswer } from "../protocol/bridge-input.ts";
import type { Entry } from "../protocol/fields.ts";
import { type InputRequest, lackedCapability, neededCapability } from "../protocol/modern-input.ts";
import type { TransportEvents } from "./transport.ts";

interface Ask {
  readonly call: number;
  readonly method: string;
  readonly answered: (reply: Envelope) => void;
}

export class ModernAsks {
  readonly #backend: string;
  readonly #events: TransportEvents;
  readonly #open = new Map<number, Ask>();
  #lastId = 0;

  constructor(backend: string, events: TransportEvents) {
    this.#backend = backend;
    this.#events = events;
  }

  /** What the client of a call lacks for these requests; undefined where it can answer them all. */
  lacking(
    requests: readonly InputRequest[],
    capabilities: Readonly<Record<string, unknown>>,
  ): GatewayError | undefined {
    for (const { method, params } of requests) {
      const needed = neededCapability(method, params && JSON.parse(decodeText(params)));
      const lacked = lackedCapability(capabilities, needed);
      if (!lacked) continue;
      const text = `backend "${this.#backend}" needs ${method} for this call, which the client did not declare: ${JSON.stringify(lacked)}`;
      return new GatewayError("clientUnable", text, { backend: this.#backend, data: { requiredCapabilities: lacked } });
    }
    return undefined;
  }

  /** Asks all of it on the stream of a call; resolves to the results by key, or to the error of what was refused. */
  async ask(requests: readonly InputRequest[], call: number): Promise<readonly Entry[] | GatewayError> {
    const answers: Promise<Entry | GatewayError>[] = requests.map((request) => this.#askOne(request, call));
    return await new Promise((resolve) => {
      for (const answer of answers)
        void answer.then((given) => {
          if (given instanceof GatewayError) resolve(given);
        });
      void Promise.all(answers).then((all) => {
        resolve(all.flatMap((each) => (each instanceof GatewayError ? [] : [each])));
      });
    });
  }

  #askOne(request: InputRequest, call: number): Promise<Entry | GatewayError> {
    const { key, method } = request;
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const answered = (reply: Envelope): void => {
        const answer = readLegacyAnswer(reply, method);
        resolve(answer.kind === "result" ? [key, answer.result] : answer.error);
      };
      this.#open.set(id, { call, method, answered });
      // Unique wherever a client keeps it: another link may have asked as often.
      const elicitationId = `${this.#backend}-${Date.now().toString(36)}-${id}`;
      this.#events.message(legacyAsk(request, encodeNumber(id), elicitationId), call);
    });
  }

  /** The link's answer to one of them; an answer to nothing is ignored. */
  answered(reply: Envelope): void {
    const id = spanNumber(reply, "id");
    const ask = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !ask) return;
    this.#open.delete(id);
    ask.answered(reply);
  }

  /** The call is over: what its client was asked need not be answered. */
  drop(call: number): void {
    for (const [id, ask] of this.#open) {
      if (ask.call !== call) continue;
      this.#open.delete(id);
      const notice = { requestId: id, reason: "the call is over" };
      this.#events.message(notificationMessage("notifications/cancelled", notice), call);
    }
  }
}
