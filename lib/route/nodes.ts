// Which process a modern request has to be brought to, where a gateway has several.

import { type Envelope, spanText } from "../core/envelope.ts";
import type { Hub } from "./hub.ts";
import type { OwnStates } from "./own-states.ts";
import type { Parked } from "./parked.ts";
import type { TaskNames } from "./task-names.ts";

/** The process that has what a request goes on with; undefined where any process can answer it. */
export function nodeOf(request: Envelope, parked: Parked, states: OwnStates, names: TaskNames): string | undefined {
  const { spans } = request;
  const state = spans["params.requestState"] && spanText(request, "params.requestState");
  if (state !== undefined) return parked.ownerOf(state) ?? states.nodeOf(state);
  const task = spans["params.taskId"] && spanText(request, "params.taskId");
  return task === undefined ? undefined : names.nodeOf(task);
}

/** This process, where its part of a backend is its own and keeps what it answers to itself. */
export function nodeOfSplit({ cluster }: Hub, backend: string): string | undefined {
  return cluster?.isSplit(backend) === true ? cluster.node : undefined;
}
