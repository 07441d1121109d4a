// What has come on connections whose readers can wait until the turn is over: then all of it is looked at together.

import { beforeTurnEnd } from "../core/scope.ts";

/** Has put off what came. */
export interface Reader {
  catchUp(): void;
}

export class Unread {
  readonly #readers: Reader[] = [];
  readonly #end = (): void => {
    const readers = this.#readers;
    let done = 0;
    try {
      while (done < readers.length) readers[done++]?.catchUp();
    } finally {
      readers.splice(0, done);
      // One has failed.
      if (readers.length > 0) beforeTurnEnd(this.#end);
    }
  };

  add(reader: Reader): void {
    if (this.#readers.push(reader) === 1) beforeTurnEnd(this.#end);
  }
}
