// What servers under test executed: one line for each call that came and each that ran, in a file that outlives them all.

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

/** A call came in, or was executed. */
type JournalEvent = "got" | "ran";

export interface JournalLine {
  readonly event: JournalEvent;
  /** Which server. */
  readonly by: string;
  readonly nonce: string;
  /** Unix ms. */
  readonly at: number;
}

/** Whoever counts executions. */
export interface Journal extends Disposable {
  note(event: JournalEvent, nonce: string): void;
}

/** Appends to a file. Each line is one write: what was noted before a kill is there. */
export function openJournal(file: string, by: string): Journal {
  const handle = openSync(file, "a");
  return {
    note: (event, nonce) =>
      void writeSync(handle, `${event} ${by} ${nonce.replaceAll(/\s/g, "_").slice(0, 100)} ${Date.now()}\n`),
    [Symbol.dispose]: () => closeSync(handle),
  };
}

/** The lines of a journal; empty where there is none. */
export function readJournal(file: string): readonly JournalLine[] {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // No server has begun one.
  }
  return text.split("\n").flatMap((line) => {
    const [event, by = "", nonce = "", at] = line.split(" ");
    return event === "got" || event === "ran" ? [{ event, by, nonce, at: Number(at) }] : [];
  });
}
