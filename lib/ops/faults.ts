// Faults on purpose: what is to go wrong with which calls. Seeded, so that a run can be had again.

import type { WireBender } from "../backend/transport.ts";
import { matcherOf } from "../core/glob.ts";
import type { Observer } from "../core/observer.ts";
import { type FaultRule, FaultyWire } from "./fault-wire.ts";

export interface FaultPlan {
  readonly seed: number;
  readonly rules: readonly FaultRule[];
}

interface Rule extends FaultRule {
  readonly fits: (backend: string, tool: string) => boolean;
}

export class Faults {
  readonly #rules: readonly Rule[];
  readonly #observer: Observer;
  #state: number;
  /** Faults so far. */
  injected = 0;

  constructor({ seed, rules }: FaultPlan, observer: Observer) {
    this.#state = seed >>> 0;
    this.#observer = observer;
    this.#rules = rules.map((rule) => {
      const [isBackend, isTool] = [matcherOf([rule.backend]), matcherOf([rule.tool])];
      return { ...rule, fits: (backend, tool) => isBackend(backend) && isTool(tool) };
    });
  }

  get ruleCount(): number {
    return this.#rules.length;
  }

  /** The wires of a backend. */
  benderOf(backend: string): WireBender {
    return async (events, open) => {
      const wire = new FaultyWire(backend, events, (tool) => this.#draw(backend, tool));
      wire.attach(await open(wire));
      return wire;
    };
  }

  /** What is to go wrong with a call, if anything. */
  #draw(backend: string, tool: string): FaultRule | undefined {
    const rule = this.#rules.find((each) => each.fits(backend, tool) && this.#random() < each.share);
    if (!rule) return undefined;
    this.injected += 1;
    this.#observer.log("warn", `backend ${backend}`, `CHAOS: ${rule.fault} for a call of ${tool}`);
    return rule;
  }

  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  }
}
