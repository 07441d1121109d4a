// What happened to a call on its way, in words.

import type { Step } from "./course.ts";

/** `isAlone`: the backend has one replica, which needs no number. */
export function describeStep(step: Step, isAlone: boolean): string {
  const at = (replica: number): string => (isAlone ? "the backend" : `replica ${replica}`);
  switch (step.kind) {
    case "sent":
      return step.hedge
        ? `sent to ${at(step.replica)} too, because the first one is slow`
        : `sent to ${at(step.replica)}`;
    case "failed": {
      const { error, class: kind, counts } = step.failing;
      const ran = kind === "notSent" ? "nothing was executed" : "it may have run";
      const blame = counts ? "" : ", which is not held against it";
      return `failed at ${at(step.replica)} after ${step.tookMs} ms (${error.row.id}, ${ran}${blame}): ${error.message}`;
    }
    case "cancelled":
      return `taken back from ${at(step.replica)} after ${step.tookMs} ms`;
    case "answered":
      return `answered by ${at(step.replica)} after ${step.tookMs} ms`;
    case "waited":
      return `waited ${step.ms} ms ${step.why}`;
    case "refused":
      return `not sent again: ${step.why}`;
  }
}
