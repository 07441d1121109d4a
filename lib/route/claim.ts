// Which process has the stream of a session: all of them see the same one, whatever reaches whom first.

/** That a process has it. */
export interface Claim {
  /** Above that of each claim which the process knew of. */
  readonly turn: number;
  readonly node: string;
}

export const unclaimed: Claim = { turn: 0, node: "" };

/** Whether a claim holds, and the other one no more. */
export function isLater(claim: Claim, than: Claim): boolean {
  return claim.turn > than.turn || (claim.turn === than.turn && claim.node > than.node);
}
