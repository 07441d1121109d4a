// Progress tokens of tasks: a task goes on after its call was answered (2025-11-25, Progress), and so does its token.

import { type Envelope, spanText } from "../core/envelope.ts";
import type { Caller } from "./caller.ts";
import type { Outgoing } from "./flight.ts";

/** Tasks whose progress is still restored; the oldest is dropped. */
const maxTasks = 1000;

export interface TaskToken {
  /** The client's own token. */
  readonly token: Uint8Array;
  readonly caller: Caller;
}

export class TaskTokens {
  readonly #byCall = new Map<number, TaskToken>();

  get(call: number): TaskToken | undefined {
    return this.#byCall.get(call);
  }

  /** A call that asked for a task was answered, perhaps with one. */
  created(backend: string, id: number, { caller, token }: Outgoing, reply: Envelope): void {
    const task = spanText(reply, "result.task.taskId");
    if (task === undefined || !caller) return;
    caller.created?.(backend, task);
    if (token) this.#keep(id, { token, caller });
  }

  #keep(call: number, token: TaskToken): void {
    this.#byCall.set(call, token);
    const [oldest] = this.#byCall.keys();
    if (this.#byCall.size > maxTasks && oldest !== undefined) this.#byCall.delete(oldest);
  }

  /** A client is gone; nothing of it is kept alive. */
  forget(session: object): void {
    for (const [call, { caller }] of this.#byCall) if (caller.session === session) this.#byCall.delete(call);
  }
}
