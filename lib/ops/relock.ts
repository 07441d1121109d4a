// What of a new lock is taken over into the old one: all of it, or the tools that somebody names.

import { nearest } from "../config/problems.ts";
import { GatewayError } from "../core/errors.ts";
import { matcherOf } from "../core/glob.ts";
import type { Lock, LockedTool } from "../merge/lock.ts";

export type ToolChoice = (backend: string, tool: string) => boolean;

/** What a tool is said to do, before and after; undefined where it said nothing. */
export interface Rewording {
  readonly backend: string;
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const none: ReadonlyMap<string, LockedTool> = new Map();

/**
 * The tools that words mean: `backend/tool`, the exposed name or the tool's own one, also as globs; all of them where
 * there are no words. Throws `unknownItem` for a word that means none of either lock.
 */
export function chooseTools(words: readonly string[], separator: string, locks: readonly Lock[]): ToolChoice {
  const namesOf = (backend: string, tool: string): readonly string[] => [
    `${backend}/${tool}`,
    `${backend}${separator}${tool}`,
    tool,
  ];
  const all = locks.flatMap((lock) =>
    [...lock].flatMap(([backend, tools]) => [...tools.keys()].map((tool) => namesOf(backend, tool))),
  );
  for (const word of words) {
    if (all.some((names) => names.some(matcherOf([word])))) continue;
    const near = nearest(
      word,
      all.flatMap((names) => names),
    );
    const meant = near === undefined ? "" : `; did you mean ${near}?`;
    throw new GatewayError("unknownItem", `no tool is called ${JSON.stringify(word)}${meant}`);
  }
  const matches = matcherOf(words);
  return (backend, tool) => words.length === 0 || namesOf(backend, tool).some(matches);
}

/** The old lock, with the chosen tools as they are now. */
export function acceptTools(before: Lock, now: Lock, isChosen: ToolChoice): Lock {
  const backends = [...new Set([...before.keys(), ...now.keys()])].map((backend) => {
    const kept = [...(before.get(backend) ?? none)].filter(([tool]) => !isChosen(backend, tool));
    const taken = [...(now.get(backend) ?? none)].filter(([tool]) => isChosen(backend, tool));
    return [backend, new Map([...kept, ...taken])] as const;
  });
  return new Map(backends.filter(([backend, tools]) => tools.size > 0 || now.has(backend)));
}

/** A backend that could not be asked has not changed: it is as it was. */
export function keepUnread(before: Lock, now: Lock, unread: ReadonlySet<string>): Lock {
  return new Map([
    ...[...now].filter(([backend]) => !unread.has(backend)),
    ...[...before].filter(([backend]) => unread.has(backend)),
  ]);
}

/** Every description that is another one, for those who read them. */
export function listRewordings(before: Lock, now: Lock, isChosen: ToolChoice): readonly Rewording[] {
  return [...now].flatMap(([backend, tools]) =>
    [...tools].flatMap(([name, { summary }]) => {
      const was = before.get(backend)?.get(name)?.summary;
      const [old, fresh] = [wordsOf(was), wordsOf(summary)];
      return was && old !== fresh && isChosen(backend, name) ? [{ backend, name, before: old, after: fresh }] : [];
    }),
  );
}

function wordsOf(summary: LockedTool["summary"] | undefined): string | undefined {
  const description = summary?.["description"];
  return typeof description === "string" ? description : undefined;
}
