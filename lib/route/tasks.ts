// Tasks (2025-11-25): each id leads back to the backend that made it.

import type { Backend } from "../backend/backend.ts";
import { type Envelope, spanText } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { resultMessage } from "../core/rpc.ts";
import { asRecord, decodeText, encodeJson } from "../core/text.ts";
import type { Forwarder } from "./forward.ts";
import type { Hub } from "./hub.ts";
import type { ActiveCall, Session } from "./session.ts";

const invalidParams = -32602;

export class Tasks {
  readonly #hub: Hub;
  readonly #forwarder: Forwarder;

  constructor(hub: Hub, forwarder: Forwarder) {
    this.#hub = hub;
    this.#forwarder = forwarder;
  }

  /** `tasks/get`, `tasks/result`, `tasks/cancel`. An id that this session did not see is asked for at each backend. */
  async byId(request: Envelope, call: ActiveCall): Promise<Uint8Array> {
    const { session } = call;
    const id = spanText(request, "params.taskId");
    if (id === undefined) throw new GatewayError("invalidParams", `${request.method ?? "the request"} needs a string in params.taskId`);
    const owner = this.#hub.topology.get(session.tasks.get(id) ?? "");
    let reply: Uint8Array | undefined;
    for (const backend of owner ? [owner] : this.#able(session)) {
      reply = await this.#forwarder.send(request, call, { backend, edits: [] });
      if (errorCode(reply) !== invalidParams) return reply;
    }
    if (reply) return reply;
    throw new GatewayError("invalidParams", `unknown task ${JSON.stringify(id)}`);
  }

  /** `tasks/list`: the first page of each backend's, merged; with one backend its own pages. */
  async list(request: Envelope, call: ActiveCall, id: Uint8Array): Promise<Uint8Array> {
    const backends = this.#able(call.session);
    const [only, ...others] = backends;
    if (!only) throw new GatewayError("unknownMethod", "no backend has tasks");
    if (others.length === 0) return this.#forwarder.send(request, call, { backend: only, edits: [] });
    if (request.spans["params.cursor"]) throw new GatewayError("invalidParams", "unknown cursor");
    const replies = await Promise.all(
      backends.map((backend) => this.#forwarder.send(request, call, { backend, edits: [] }).catch(() => undefined)),
    );
    const tasks: unknown[] = [];
    for (const [at, reply] of replies.entries()) {
      const listed = reply && asRecord(asRecord(JSON.parse(decodeText(reply)))["result"])["tasks"];
      if (!Array.isArray(listed)) continue;
      for (const task of listed) {
        const taskId = asRecord(task)["taskId"];
        const backend = backends[at];
        if (typeof taskId === "string" && backend) call.session.tasks.set(taskId, backend.plan.name);
        tasks.push(task);
      }
    }
    return resultMessage(id, encodeJson({ tasks }));
  }

  #able(session: Session): readonly Backend[] {
    return this.#hub.backendsOf(session.facts.view).filter(({ facts }) => facts?.capabilities["tasks"] !== undefined);
  }
}

function errorCode(reply: Uint8Array): unknown {
  return asRecord(asRecord(JSON.parse(decodeText(reply)))["error"])["code"];
}
