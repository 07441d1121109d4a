// What is to be done when a turn of the event loop is over.

type Action = () => void;

export class TurnEnd {
  readonly #schedule: (run: Action) => void;
  #first: Action[] = [];
  /** What the first ones have brought; undefined while none of them is at work. */
  #brought: Action[] | undefined;
  readonly #run = (): void => {
    const first = this.#first;
    const brought: Action[] = [];
    this.#first = [];
    this.#brought = brought;
    try {
      runAll(first);
    } finally {
      this.#brought = undefined;
      runAll(brought);
    }
  };

  /** `schedule` calls what it is given when the turn is over. */
  constructor(schedule: (run: Action) => void) {
    this.#schedule = schedule;
  }

  /** What these add by `add` is done behind them, and not in the next turn. */
  addFirst(action: Action): void {
    if (this.#first.push(action) === 1) this.#schedule(this.#run);
  }

  add(action: Action): void {
    if (this.#brought) this.#brought.push(action);
    else this.#schedule(action);
  }
}

/** One that fails does not keep the others from what they have to do. */
function runAll(actions: readonly Action[], from: number = 0): void {
  let at = from;
  try {
    for (; at < actions.length; at += 1) actions[at]?.();
  } finally {
    if (at < actions.length) runAll(actions, at + 1);
  }
}
