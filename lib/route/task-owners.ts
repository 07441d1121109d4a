// Whose the tasks of legacy backends are: to a backend all principals are the gateway, and it may give any of them all tasks.

import { anonymous } from "../core/principal.ts";

/** The oldest are forgotten: whether they are still there is the backend's to say then. */
const maxTasks = 100_000;

export class TaskOwners {
  /** Several where each has a part of the backend that counts for itself. */
  readonly #byTask = new Map<string, readonly string[]>();

  /** A backend made a task for a principal. */
  note(backend: string, id: string, principal: string): void {
    if (principal === anonymous.id) return;
    const key = keyOf(backend, id);
    const known = this.#byTask.get(key) ?? [];
    if (known.includes(principal)) return;
    this.#byTask.set(key, [...known, principal]);
    const [oldest] = this.#byTask.keys();
    if (this.#byTask.size > maxTasks && oldest !== undefined) this.#byTask.delete(oldest);
  }

  /** Whether a task is known to be of others alone. */
  isForeign(backend: string, id: string, principal: string): boolean {
    return this.#byTask.get(keyOf(backend, id))?.includes(principal) === false;
  }
}

function keyOf(backend: string, id: string): string {
  return `${backend} ${id}`;
}
