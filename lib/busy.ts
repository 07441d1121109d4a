// What a gateway does because it has work, or has none any more: it compiles as usual, and gives memory back.

import process from "node:process";
import { every } from "./core/scope.ts";
import { collect, compileAsUsual } from "./tiers.ts";

const lookMs = 1_000;
/** Of the time between two looks: with more of it there is work, and with less there is none. */
const busyShare = 0.03;
const restShare = 0.01;
/** Less work, in ms of the processor, leaves nothing behind that a collection would be worth. */
const worthMs = 300;

/** What it acts on; another one for tests. */
export interface Pace {
  /** Ms of the processor since the last look. */
  used: () => number;
  compile: () => void;
  giveBack: () => void;
}

/**
 * Looks once a second until the returned function is called. What an idle program runs now and then is not worth a
 * compiler, and 3 MiB of it; what was needed under load goes when that is over.
 */
export function keepPace({ used, compile, giveBack }: Pace = ownPace()): () => void {
  let isCompiling = false;
  let worked = 0;
  return every(lookMs, () => {
    const ms = used();
    if (ms >= busyShare * lookMs) {
      if (!isCompiling) compile();
      isCompiling = true;
      worked += ms;
    } else if (ms < restShare * lookMs && worked >= worthMs) {
      worked = 0;
      giveBack();
    }
  });
}

function ownPace(): Pace {
  let before = process.cpuUsage();
  const used = (): number => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    return (user + system) / 1_000;
  };
  return { used, compile: compileAsUsual, giveBack: collect };
}
