// Tasks of modern backends: where each is, and who hears how it goes on.

import type { Backend } from "../backend/backend.ts";
import type { Link } from "../backend/link.ts";
import { unwatchTask, watchTask } from "../backend/modern-words.ts";
import { type Edit, type Envelope, spanText, splice } from "../core/envelope.ts";
import { Scope } from "../core/scope.ts";
import { asRecord, encodeJson } from "../core/text.ts";
import { tasksExtension } from "../protocol/modern.ts";
import { errorCode } from "./reply-code.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";
import { TaskNames, type TaskOwner } from "./task-names.ts";

/** Housekeeping at a backend must not wait longer. */
const housekeepingMs = 10_000;

/** A task, and what to put in the place of the name that its client knows it by. */
export interface TaskPlace {
  readonly backend: Backend;
  readonly local: string;
}

export class TaskWatch {
  readonly #hub: Hub;
  readonly names: TaskNames;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.names = new TaskNames(hub);
  }

  /** Where the task of an exposed id is; undefined where no backend of the view can have it, or it is another's. */
  find(owner: TaskOwner, exposed: string): TaskPlace | undefined {
    const split = this.names.split(owner, exposed);
    const backend = split && this.#hub.backendIn(owner.view, split.backend);
    const { extensions } = backend?.facts?.modern ?? {};
    if (!split || !backend || asRecord(extensions)[tasksExtension] === undefined) return undefined;
    return { backend, local: split.local };
  }

  /** The listener hears of a task from now on; true where its backend has agreed. */
  async open(session: Session, exposed: string, scope: Scope): Promise<boolean> {
    const place = this.find(session.facts, exposed);
    if (!place) return false;
    const { backend, local } = place;
    session.tasks.set(local, backend.plan.name);
    const isOpen = await this.#hub
      .uplinkOf(backend, session)
      .acquire(scope)
      .then((link) => ask(link, watchTask, local, scope))
      .catch(() => false);
    if (!isOpen) session.tasks.delete(local);
    return isOpen;
  }

  /** A task has changed: whoever listens to it hears of it by the name that it knows. */
  changed(link: Link, notification: Envelope): void {
    const span = notification.spans["params.taskId"];
    const id = spanText(notification, "params.taskId");
    if (!span || id === undefined) return;
    for (const session of this.#listeners(link)) {
      if (session.tasks.get(id) !== link.backend) continue;
      const edits: Edit[] = [{ span, bytes: encodeJson(this.names.expose(session.facts, link.backend, id)) }];
      session.outlet.send(splice(notification.bytes, edits));
    }
  }

  /** A new link knows nothing of what was asked of the one before. */
  restore(link: Link): void {
    const ids = new Set([...this.#listeners(link)].flatMap((session) => tasksAt(session, link.backend)));
    for (const id of ids) void this.#keep(link, watchTask, id);
  }

  /** A listener is gone: what nobody else listens to is given up. */
  release(session: Session): void {
    if (session.facts.era !== "modern") return;
    for (const [id, name] of session.tasks) {
      const backend = this.#hub.topology.get(name);
      const link = backend?.find(this.#hub.ownerOf(backend, session))?.link;
      if (!link || [...this.#listeners(link)].some((other) => other !== session && other.tasks.get(id) === name))
        continue;
      void this.#keep(link, unwatchTask, id);
    }
    session.tasks.clear();
  }

  #listeners(link: Link): Iterable<Session> {
    return this.#hub.attached(link.backend, link.owner).filter(({ facts }) => facts.era === "modern");
  }

  async #keep(link: Link, method: string, taskId: string): Promise<void> {
    using scope = new Scope(undefined, housekeepingMs);
    await ask(link, method, taskId, scope).catch(() => false);
  }
}

function tasksAt(session: Session, backend: string): readonly string[] {
  return [...session.tasks].flatMap(([id, name]) => (name === backend ? [id] : []));
}

async function ask(link: Link, method: string, taskId: string, scope: Scope): Promise<boolean> {
  return errorCode(await link.request(method, { taskId }, scope)) === undefined;
}
