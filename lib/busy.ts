// Compiles as usual once a gateway has work: what an idle one runs now and then is not worth a compiler, and 3 MiB of it.

import process from "node:process";
import { every } from "./core/scope.ts";
import { compileAsUsual } from "./tiers.ts";

const lookMs = 1_000;
/** Of the time between two looks. */
const busyShare = 0.03;

/** Looks once a second, until it has. */
export function compileOnceBusy(): void {
  let before = process.cpuUsage();
  const stop = every(lookMs, () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    if (user + system < busyShare * lookMs * 1_000) return;
    stop();
    compileAsUsual();
  });
}
