// Whose the tasks of legacy backends are: to a backend all principals are the gateway, and it may give any of them all tasks.

import { anonymous } from "../core/principal.ts";
import type { Scope } from "../core/scope.ts";

/** The oldest are forgotten: to who signs in they are not there then. */
const maxTasks = 100_000;

/** What all processes of the gateway know of it together. */
export interface SharedOwners {
  /** Resolves when the others can know, or cannot be told. */
  note(backend: string, id: string, principal: string): Promise<void>;
  /** Rejects where nobody can tell. */
  has(backend: string, id: string, principal: string): Promise<boolean>;
  /** The same of many, some of it as of a few seconds ago; undefined where nobody can tell. */
  hasEach(tasks: readonly TaskName[], principal: string, scope: Scope): Promise<readonly (boolean | undefined)[]>;
}

export interface TaskName {
  readonly backend: string;
  readonly id: string;
}

export class TaskOwners {
  /** Several where each has a part of the backend that counts for itself. */
  readonly #byTask = new Map<string, readonly string[]>();
  /** Undefined where the process is alone. */
  shared: SharedOwners | undefined;

  /** A backend made a task for a principal; where others are to know of it, resolves when they can. */
  note(backend: string, id: string, principal: string): Promise<void> | undefined {
    if (principal === anonymous.id) return undefined;
    this.#keep(backend, id, principal);
    return this.shared?.note(backend, id, principal);
  }

  /** Whether a task is known to be of others alone. */
  isForeign(backend: string, id: string, principal: string): boolean {
    return this.#byTask.get(keyOf(backend, id))?.includes(principal) === false;
  }

  /** Whether a task is known to be a principal's; where nobody signs in, one of nobody is anybody's. */
  isOwn(backend: string, id: string, principal: string): boolean {
    const owners = this.#byTask.get(keyOf(backend, id));
    return principal === anonymous.id ? owners === undefined : owners?.includes(principal) === true;
  }

  /** The same, by what all processes know; rejects where they cannot be asked. */
  async findOwn(backend: string, id: string, principal: string): Promise<boolean> {
    if (this.isOwn(backend, id, principal)) return true;
    if (principal === anonymous.id || (await this.shared?.has(backend, id, principal)) !== true) return false;
    this.#keep(backend, id, principal);
    return true;
  }

  /** The same of a listing; undefined where nobody can tell. */
  async findEach<Task extends TaskName>(
    tasks: readonly Task[],
    principal: string,
    scope: Scope,
  ): Promise<ReadonlyMap<Task, boolean | undefined>> {
    const found = new Map<Task, boolean | undefined>();
    for (const task of tasks) found.set(task, this.isOwn(task.backend, task.id, principal));
    const others = principal === anonymous.id ? [] : tasks.filter((task) => found.get(task) === false);
    const told = others.length > 0 ? await this.shared?.hasEach(others, principal, scope) : undefined;
    for (const [at, is] of told?.entries() ?? []) {
      const task = others[at];
      if (!task) continue;
      found.set(task, is);
      if (is) this.#keep(task.backend, task.id, principal);
    }
    return found;
  }

  #keep(backend: string, id: string, principal: string): void {
    const key = keyOf(backend, id);
    const known = this.#byTask.get(key) ?? [];
    if (known.includes(principal)) return;
    this.#byTask.set(key, [...known, principal]);
    const [oldest] = this.#byTask.keys();
    if (this.#byTask.size > maxTasks && oldest !== undefined) this.#byTask.delete(oldest);
  }
}

function keyOf(backend: string, id: string): string {
  return `${backend} ${id}`;
}
