// Calls of modern clients that wait for input: each is found again by a sealed state, once, by who it belongs to.

import { nodeCrypto } from "../core/builtins.ts";
import { type Envelope, spanBytes } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import type { Sealer } from "../core/seal.ts";
import { Scope } from "../core/scope.ts";
import { decodeText, encodeJson } from "../core/text.ts";
import { fieldsOf } from "../protocol/fields.ts";
import type { ModernCall } from "./modern-call.ts";
import type { Session, SessionFacts } from "./session.ts";

const purpose = "requestState";

/** Who may go on with a call, and with which request. */
export interface Claim {
  readonly principal: string;
  readonly view: string;
  readonly digest: string;
}

/** What a sealed state says. */
interface Held extends Claim {
  /** The process that has the call. */
  readonly owner: string;
  readonly id: string;
  /** Unix ms. */
  readonly until: number;
}

interface Entry {
  readonly call: ModernCall;
  readonly claim: Claim;
  readonly patience: Scope;
}

export interface ParkingLimits {
  /** Calls of one principal. */
  readonly calls: number;
  readonly ms: number;
}

export class Parked {
  readonly #sealer: Sealer;
  /** This process. */
  owner: string = crypto.randomUUID();
  readonly #entries = new Map<string, Entry>();
  /** Calls that may have asked their client something, parked or about to be. */
  readonly #asking = new Set<Session>();

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** Calls that wait for their client right now. */
  get size(): number {
    return this.#entries.size;
  }

  sessions(): Iterable<Session> {
    return this.#asking;
  }

  watch(session: Session): void {
    this.#asking.add(session);
  }

  unwatch(session: Session): void {
    this.#asking.delete(session);
  }

  /** Keeps a call until its client comes back; returns the state to come back with. */
  park(call: ModernCall, claim: Claim, { calls, ms }: ParkingLimits): string {
    const waiting = [...this.#entries.values()].filter((entry) => entry.claim.principal === claim.principal).length;
    if (waiting >= calls) {
      call.cancel();
      throw new GatewayError("tooManyParked", `${calls} calls wait for input already, and there may not be more`);
    }
    const id = crypto.randomUUID();
    const patience = new Scope(undefined, ms);
    const held: Held = { ...claim, owner: this.owner, id, until: Date.now() + ms };
    this.#entries.set(id, { call, claim, patience });
    patience.onCancel(() => {
      this.#entries.delete(id);
      call.cancel();
    });
    return this.#sealer.seal(purpose, encodeJson(held));
  }

  /**
   * The call that a state stands for; it is good once. A state in wrong hands, or for another request, ends the call.
   * Undefined for a state that was not sealed here, such as that of a backend.
   */
  take(state: string, claim: Claim): ModernCall | undefined {
    const opened = this.#sealer.open(purpose, state);
    if (!opened) return undefined;
    const { owner, id, principal, view, digest, until }: Held = JSON.parse(decodeText(opened));
    const entry = this.#entries.get(id);
    const wrong = refusedClaim({ principal, view, digest }, claim);
    if (entry) this.#drop(id, entry);
    if (wrong) {
      entry?.call.cancel();
      throw wrong;
    }
    if (until <= Date.now()) throw refused("expired", "the requestState has expired, and the call was ended");
    if (owner !== this.owner) throw refused("elsewhere", "the call waits at another process of the gateway");
    if (!entry) throw refused("replayed", "the requestState was used already, or its call is over");
    return entry.call;
  }

  /** The process that has the call of a state; undefined for a state that was not sealed here. */
  ownerOf(state: string): string | undefined {
    const opened = this.#sealer.open(purpose, state);
    if (!opened) return undefined;
    const { owner }: Held = JSON.parse(decodeText(opened));
    return owner;
  }

  #drop(id: string, { patience }: Entry): void {
    this.#entries.delete(id);
    patience[Symbol.dispose]();
  }

  /** Ends all calls that wait. */
  close(): void {
    for (const [id, entry] of [...this.#entries]) {
      this.#drop(id, entry);
      entry.call.cancel();
    }
  }
}

/** Why a state that was given to one claim is not for another; undefined where it is. */
export function refusedClaim(held: Claim, { principal, view, digest }: Claim): GatewayError | undefined {
  if (held.principal !== principal) return refused("principal", "the requestState belongs to another principal");
  if (held.view !== view) return refused("endpoint", "the requestState belongs to another endpoint");
  if (held.digest === digest) return undefined;
  return refused("params", "the method or params are not those of the request that the requestState belongs to");
}

function refused(reason: string, message: string): GatewayError {
  return new GatewayError("stateRefused", message, { data: { reason } });
}

/** Who sends a request. */
export function claimOf(request: Envelope, { principal, view }: Pick<SessionFacts, "principal" | "view">): Claim {
  return { principal, view: view.backend, digest: digestOf(request) };
}

const loose: ReadonlySet<string> = new Set(["_meta", "inputResponses", "requestState"]);

/** What must be the same in a request and in those that go on with it. */
export function digestOf(request: Envelope): string {
  const { bytes, spans } = request;
  const hash = nodeCrypto()
    .createHash("sha256")
    .update(spanBytes(request, "method") ?? "");
  const fields = spans.params ? fieldsOf(bytes, spans.params).filter(({ name }) => !loose.has(name)) : [];
  for (const { name, value } of [...fields].sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(`\n${JSON.stringify(name)}:`).update(bytes.subarray(value.start, value.end));
  return hash.digest("base64url");
}
