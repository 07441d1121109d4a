// Tells when config files have changed for good: a new file at once, one that is being written only when it rests.

import { realpathSync, statSync } from "node:fs";
import { every } from "../core/scope.ts";

export interface WatchOptions {
  /** Between two looks. */
  readonly intervalMs?: number;
  /** How long a file that is written in place must rest. */
  readonly restMs?: number;
}

/** What tells two states of a file apart. */
interface Print {
  /** The file that the name leads to: changes with a rename, and with a symlink that points elsewhere. */
  readonly identity: string;
  readonly content: string;
}

interface Watched {
  readonly file: string;
  /** Of the state that the caller knows. */
  known: Print | undefined;
  /** Of a new state that may not be complete yet. */
  pending: Pending | undefined;
  /** Whether the last look found nothing: what comes next may be written bit by bit. */
  gone: boolean;
}

interface Pending {
  readonly print: Print;
  /** Looks that have found just this. */
  readonly looks: number;
  /** Whether it came as a whole, by a rename or a symlink, and has not changed since. */
  readonly whole: boolean;
}

/**
 * Calls `onChange` after the content of one of the files has changed, never twice at the same time. Polling, because events
 * of the operating system miss a mounted config map. Watch first and load then, so that no change falls in between. Ends
 * with dispose; a call under way is not waited for.
 */
export function watchFiles(
  files: readonly string[],
  onChange: () => void | Promise<void>,
  options: WatchOptions = {},
): Disposable {
  const { intervalMs = 250, restMs = 1000 } = options;
  const restLooks = Math.ceil(restMs / intervalMs);
  const watched = files.map((file): Watched => ({ file, known: look(file), pending: undefined, gone: false }));
  let busy = false;
  const stop = every(intervalMs, () => {
    // Not looked at while the caller is reading: what changes meanwhile is seen at the next turn.
    if (busy) return;
    // Not `some`: every file must be looked at, or one change hides another.
    const changed = watched.filter((one) => settle(one, restLooks));
    if (changed.length === 0) return;
    busy = true;
    void call(onChange).finally(() => {
      busy = false;
    });
  });
  return { [Symbol.dispose]: stop };
}

// The caller deals with its own errors; one that slips through must not end the watching.
async function call(onChange: () => void | Promise<void>): Promise<void> {
  try {
    await onChange();
  } catch {
    // Seen as a config that did not change.
  }
}

/** True where the file has a new state that is complete. */
function settle(watched: Watched, restLooks: number): boolean {
  const print = look(watched.file);
  // Gone for a moment, or for good: the running config stays either way.
  if (print === undefined) {
    watched.gone = true;
    return false;
  }
  const { known, pending, gone } = watched;
  watched.gone = false;
  if (known !== undefined && same(print, known)) {
    watched.pending = undefined;
    return false;
  }
  if (pending === undefined || !same(print, pending.print)) {
    const whole = !gone && print.identity !== (pending?.print ?? known)?.identity;
    watched.pending = { print, looks: 0, whole };
    return false;
  }
  const looks = pending.looks + 1;
  watched.pending = { ...pending, looks };
  if (looks < (pending.whole ? 1 : restLooks)) return false;
  watched.known = print;
  watched.pending = undefined;
  return true;
}

function same(a: Print, b: Print): boolean {
  return a.identity === b.identity && a.content === b.content;
}

function look(file: string): Print | undefined {
  try {
    const path = realpathSync(file);
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return { identity: `${path} ${dev} ${ino}`, content: `${size} ${mtimeNs}` };
  } catch {
    return undefined;
  }
}
