// A call to simulated replicas, for the execution of calls: who fails and how is the test's.
import assert from "node:assert/strict";
import { type ErrorCode, GatewayError } from "../../lib/core/errors.ts";
import { Scope } from "../../lib/core/scope.ts";
import { Breaker } from "../../lib/resilience/breaker.ts";
import { Budget } from "../../lib/resilience/budget.ts";
import type { Bulkhead } from "../../lib/resilience/bulkhead.ts";
import type { Course, Policies, Site, Step } from "../../lib/resilience/course.ts";
import { Execution } from "../../lib/resilience/execute.ts";
import type { Hedge } from "../../lib/resilience/hedge.ts";

interface Replica extends Site {
  up: boolean;
}

export type Answer = (replica: number, scope: Scope) => Promise<string> | string;

const terms = { failures: 5, rate: 0.5, minCalls: 20, windowMs: 10_000, openMs: 60_000, maxOpenMs: 60_000, trials: 1 };

/** A call to simulated replicas, and what became of it. */
export class TestCourse implements Course<Replica, string>, Policies {
  readonly backend = "b";
  readonly lane = "me";
  readonly breaker: Breaker | undefined = undefined;
  readonly retry = { attempts: 3, waitMs: 1_000 };
  readonly budget: Budget;
  readonly scope: Scope;
  readonly replicas: readonly Replica[];
  readonly asked: number[] = [];
  readonly steps: Step[] = [];
  readonly #answer: Answer;
  bulkhead: Bulkhead | undefined;
  hedge: Hedge | undefined;
  closedUntil = 0;
  waiting = 0;
  closed = (): void => {};
  repeatable = true;
  lostAt: number | undefined;
  /** Called where no replica is up. */
  recovery: () => Promise<unknown> = () => Promise.reject(failure("unavailable", false));

  constructor(replicas: number, answer: Answer, timeoutMs = 5_000, budget = 100) {
    this.replicas = Array.from({ length: replicas }, (_, index) => ({
      index,
      breaker: new Breaker(terms),
      pending: 0,
      closedUntil: 0,
      up: true,
    }));
    this.#answer = answer;
    this.budget = new Budget({ share: 0, perSecond: 0, burst: budget }, Date.now());
    this.scope = new Scope(undefined, timeoutMs, () => failure("callTimeout", true));
  }
  isRepeatable(): boolean {
    return this.repeatable;
  }
  choose(tried: ReadonlySet<Replica>): Replica | undefined {
    const well = this.#well();
    return well.find((replica) => !tried.has(replica)) ?? well[0];
  }
  hasOther(tried: ReadonlySet<Replica>): boolean {
    return this.#well().some((replica) => !tried.has(replica));
  }
  #well(): readonly Replica[] {
    const now = Date.now();
    return this.replicas.filter(
      ({ up, breaker, closedUntil }) => up && closedUntil <= now && breaker?.isPassable(now) !== false,
    );
  }
  isAway({ up }: Replica): Promise<boolean> {
    return Promise.resolve(!up);
  }
  recover(): Promise<unknown> {
    return this.recovery();
  }
  async send(site: Replica, scope: Scope): Promise<string> {
    this.asked.push(site.index);
    return await scope.race(Promise.resolve().then(() => this.#answer(site.index, scope)));
  }
  faultOf(): undefined {}
  heardSince(): boolean {
    return true;
  }
  noted(step: Step | Site): void {
    if ("kind" in step) this.steps.push(step);
  }
}

export function failure(code: ErrorCode, sent?: boolean, more: Readonly<Record<string, unknown>> = {}): GatewayError {
  return new GatewayError(code, `it failed: ${code}`, { data: { ...(sent === undefined ? {} : { sent }), ...more } });
}

interface Outcome {
  readonly outcome: unknown;
  readonly made: number;
  readonly mayHaveRun: boolean;
}

export async function run(course: TestCourse): Promise<Outcome> {
  const execution = new Execution(course, course);
  const outcome: unknown = await execution.run().catch((error: unknown) => error);
  for (const { pending } of course.replicas) assert.equal(pending, 0);
  assert.equal(course.waiting, 0);
  const { made, mayHaveRun } = execution;
  return { outcome, made, mayHaveRun };
}

/** Fails with these in turn, then answers. */
export function failing(...errors: readonly unknown[]): Answer {
  let at = 0;
  return () => {
    const error = errors[at++];
    if (error !== undefined) throw error;
    return "done";
  };
}
