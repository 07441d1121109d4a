// The ids of modern backends' tasks as clients know them: they say where a task is and, where clients sign in, whose.

import { anonymous } from "../core/principal.ts";
import { exposeTask, splitTask, type View } from "../merge/names.ts";
import type { Hub } from "./hub.ts";

const dot = ".";
const nodeMark = "at-";
const nodePattern = /at-([0-9a-f]{8})\./;

/** Who knows the task by the id. */
export interface TaskOwner {
  readonly view: View;
  readonly principal: string;
}

export class TaskNames {
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  expose({ view, principal }: TaskOwner, backend: string, given: string): string {
    const { cluster } = this.#hub;
    // A child of this process alone knows it.
    const id = cluster?.isSplit(backend) === true ? `${nodeMark}${cluster.node}${dot}${given}` : given;
    // To the backend all principals are the gateway: it would give any of them the task of another one.
    const [sign = ""] = principal === anonymous.id ? [] : this.#signs(principal, backend, id);
    return exposeTask(this.#whole(view), backend, sign === "" ? id : sign + dot + id);
  }

  /** Undefined for an id that {@link expose} never gave to this owner. */
  split(
    { view, principal }: TaskOwner,
    exposed: string,
  ): { readonly backend: string; readonly local: string } | undefined {
    const split = splitTask(this.#whole(view), exposed);
    if (!split || principal === anonymous.id) return split && { ...split, local: this.#bare(split.local) };
    const [sign = "", ...rest] = split.local.split(dot);
    const local = rest.join(dot);
    return this.#signs(principal, split.backend, local).includes(sign)
      ? { ...split, local: this.#bare(local) }
      : undefined;
  }

  /** The process whose child has the task; undefined where any process can ask for it. */
  nodeOf(exposed: string): string | undefined {
    return this.#hub.cluster && nodePattern.exec(exposed)?.[1];
  }

  #bare(local: string): string {
    return this.#hub.cluster ? local.replace(/^at-[0-9a-f]{8}\./, "") : local;
  }

  #signs(principal: string, backend: string, id: string): readonly string[] {
    return this.#hub.sealer.signs("task", JSON.stringify([principal, backend, id]));
  }

  /** A view of the config has several backends, like the whole gateway. */
  #whole(view: View): View {
    return this.#hub.filterOf(view) ? { ...view, backend: "" } : view;
  }
}
