// What the execution of a call is told of the call, of its backend, and of what the backend's calls share.

import type { Breaker } from "./breaker.ts";
import type { Budget } from "./budget.ts";
import type { Bulkhead } from "./bulkhead.ts";
import type { Failing } from "./classes.ts";
import type { Hedge } from "./hedge.ts";
import type { Scope } from "../core/scope.ts";

/** What the policies know of a replica. */
export interface Site {
  readonly index: number;
  readonly breaker: Breaker | undefined;
  /** Calls in flight. */
  pending: number;
  /** Unix ms until which it wants no calls. */
  closedUntil: number;
}

export interface RetryTerms {
  /** How often one call is sent at most. */
  readonly attempts: number;
  /** The longest wait for a backend that is away, or wants to be left alone. */
  readonly waitMs: number;
}

/** What the calls of one backend share. */
export interface Policies {
  readonly backend: string;
  readonly retry: RetryTerms;
  readonly budget: Budget;
  readonly bulkhead: Bulkhead | undefined;
  readonly hedge: Hedge | undefined;
  /** Unix ms until which the backend wants no calls. */
  closedUntil: number;
  /** Calls that wait for the backend to come back. */
  waiting: number;
  /** A replica wants no calls until then, or where it speaks for all of them, the backend. */
  closed(site: Site | undefined, until: number): void;
  /** How an attempt went; `fault`: what its replica is to blame for. */
  noted(site: Site, fault: string | undefined, tookMs: number): void;
}

/** What happened to a call on its way. */
export type Step =
  | { readonly kind: "sent"; readonly replica: number; readonly hedge: boolean }
  | { readonly kind: "failed"; readonly replica: number; readonly tookMs: number; readonly failing: Failing }
  /** Its caller took it back, or went away. */
  | { readonly kind: "cancelled"; readonly replica: number; readonly tookMs: number }
  | { readonly kind: "answered"; readonly replica: number; readonly tookMs: number }
  | { readonly kind: "waited"; readonly ms: number; readonly why: string }
  | { readonly kind: "refused"; readonly why: string };

/** One call. */
export interface Course<Each extends Site, Reply> {
  readonly scope: Scope;
  /** Of whom the bulkhead's lane is. */
  readonly lane: string;
  /** A breaker beside that of the replica. */
  readonly breaker: Breaker | undefined;
  /** True where running it twice does no harm. */
  isRepeatable(): boolean;
  /** The replica that should get it, none of `tried` unless there is no other; undefined where none can take it now. */
  choose(tried: ReadonlySet<Each>): Each | undefined;
  /** Whether there is a replica that can take it beside those. */
  hasOther(tried: ReadonlySet<Each>): boolean;
  /** Whether the replica has gone away, or fallen silent: a call that it failed adds nothing to what it has to do. */
  isAway(site: Each): Promise<boolean>;
  /** Resolves when a replica may be there; rejects with why none is. */
  recover(): Promise<unknown>;
  /** When the last replica went away, Unix ms; undefined where one is there, or never was. */
  readonly lostAt: number | undefined;
  send(site: Each, scope: Scope): Promise<Reply>;
  /** Why a reply counts as a failure of the replica, if it does. */
  faultOf(reply: Reply): string | undefined;
  /** Whether anything was heard of the replica since. */
  heardSince(site: Each, since: number): boolean;
  /** For the record. */
  noted(step: Step): void;
}
