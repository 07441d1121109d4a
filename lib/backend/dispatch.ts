// One call of one owner on its way to the replicas: what the policies ask of the call, answered from the links.

import { type Edit, type Envelope, scan, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { Scope, sleep } from "../core/scope.ts";
import { decodeText } from "../core/text.ts";
import { findPath } from "../protocol/fields.ts";
import type { Breaker } from "../resilience/breaker.ts";
import type { Course, Step } from "../resilience/course.ts";
import { spreadOver } from "../resilience/execute.ts";
import { describeStep } from "../resilience/steps.ts";
import type { Caller } from "./caller.ts";
import { linkGone } from "./failures.ts";
import type { BackendPolicies } from "./policies.ts";
import type { Replica } from "./replica.ts";
import { Signs } from "./signs.ts";
import type { Strand } from "./strand.ts";
import { localName, mayRunTwice, onlyReads, type ToolWords } from "./traits.ts";
import type { Uplink } from "./uplink.ts";

/** What a backend sends to one owner's client on its links. */
export interface Sending {
  readonly uplink: Uplink;
  readonly request: Envelope;
  readonly edits: readonly Edit[];
  readonly caller: Caller;
  readonly scope: Scope;
  /** The tool as the owner's catalog has it. */
  readonly listed: (owner: string, tool: string) => Uint8Array | undefined;
}

/** What is subscribed is asked for again where another link speaks for all, so it must be asked for there. */
const ofLead: ReadonlySet<string> = new Set(["resources/subscribe", "resources/unsubscribe"]);
/** A ping that finds a replica gone mostly does so at once. */
const lookMs = 1_000;

export class Dispatch implements Course<Replica, Uint8Array> {
  readonly scope: Scope;
  readonly lane: string;
  readonly breaker: Breaker | undefined;
  readonly #sending: Sending;
  readonly #policies: BackendPolicies;
  #repeatable: boolean | undefined;
  /** An attempt was made. */
  #wasSent = false;

  constructor(sending: Sending, policies: BackendPolicies) {
    const { scope, caller, uplink } = sending;
    this.#sending = sending;
    this.#policies = policies;
    this.scope = scope;
    this.lane = caller.principal ?? uplink.owner;
    this.breaker = policies.breakerOf(this.#tool());
  }

  isRepeatable(): boolean {
    const { request, edits } = this.#sending;
    this.#repeatable ??= mayRunTwice(request, edits, this.#words());
    return this.#repeatable;
  }

  #words(): ToolWords {
    const { uplink, listed } = this.#sending;
    return { listed: (tool) => listed(uplink.owner, tool), isDeclared: this.#policies.isDeclared };
  }

  choose(tried: ReadonlySet<Replica>): Replica | undefined {
    const { uplink, request, edits, caller } = this.#sending;
    const now = Date.now();
    const { lead, strands } = uplink;
    if (strands.length === 1 || ofLead.has(request.method ?? "")) return isUsable(lead, now) ? lead.replica : undefined;
    let well = strands.filter((strand) => isUsable(strand, now));
    if (well.every(({ isSilent }) => isSilent)) uplink.seek();
    well = orAll(well, ({ isSilent }) => !isSilent);
    well = orAll(well, ({ replica }) => !tried.has(replica));
    const place = uplink.placeOf(caller.session);
    const isThere = place !== undefined && well.includes(place);
    if (isThere && !(place.isDoubtful && onlyReads(request, edits, this.#words()))) return place.replica;
    well = orAll(well, ({ isDoubtful }) => !isDoubtful);
    well = orAll(well, ({ replica }) => replica.unwell === undefined);
    // What the session had at a replica that is away is lost with it; while it only reads, it has nothing anywhere else.
    const isVisit = place !== undefined && onlyReads(request, edits, this.#words());
    const { outliers, balance } = this.#policies;
    if (outliers) well = orAll(well, ({ replica }) => !outliers.isEjected(replica.index, now));
    for (const { replica } of well) replica.ramp = outliers?.ramp(replica.index, now) ?? 1;
    const replica = balance.choose(
      well.map((strand) => strand.replica),
      this.#key(),
    );
    const chosen = replica && strands[replica.index];
    if (chosen && !isVisit && !chosen.link?.facts?.modern) uplink.place(caller.session, chosen);
    return replica;
  }

  hasOther(tried: ReadonlySet<Replica>): boolean {
    const { uplink, request } = this.#sending;
    const now = Date.now();
    if (ofLead.has(request.method ?? "")) return false;
    return uplink.strands.some((strand) => !tried.has(strand.replica) && isUsable(strand, now) && !strand.isSilent);
  }

  async isAway(replica: Replica): Promise<boolean> {
    const strand = this.#sending.uplink.strands[replica.index];
    using patience = new Scope(this.scope, lookMs);
    await strand?.pulse.looked(patience).catch(() => {});
    return strand?.link === undefined || strand.isSilent;
  }

  async recover(): Promise<void> {
    const { uplink } = this.#sending;
    if (uplink.links.length === 0) return void (await uplink.acquire(this.scope));
    // A look that is under way may show that a replica is gone, and not only bad.
    await Promise.all(uplink.strands.map((strand) => strand.pulse.looked(this.scope)));
    const now = Date.now();
    if (uplink.links.length === 0 || uplink.strands.some((strand) => isUsable(strand, now))) return;
    const { waitMs, isOpen } = this.#waitMs(uplink, now);
    const { retry, backend } = this.#policies;
    if (!isOpen && waitMs <= retry.waitMs && now + waitMs < this.scope.deadline)
      return await sleep(waitMs + spreadOver(waitMs / 4, this.scope, waitMs), this.scope);
    const retryAfterMs = Math.max(1, Math.ceil(waitMs));
    const why = isOpen ? "its last calls failed" : "it wants no calls";
    const text = `backend "${backend}" is left alone for ${retryAfterMs} ms: ${why}`;
    for (const replica of this.#policies.replicas) this.#sending.caller.noted?.(this.#standing(replica));
    throw new GatewayError("unavailable", text, { backend, data: { sent: false, retryAfterMs } });
  }

  /** Until any replica may be sent to again; `isOpen`: a breaker is in the way, for which nobody waits. */
  #waitMs({ strands }: Uplink, now: number): { readonly waitMs: number; readonly isOpen: boolean } {
    const waits = strands.flatMap(({ link, replica }) => {
      if (!link) return [];
      const isOpen = replica.breaker?.isPassable(now) === false;
      return { waitMs: Math.max(replica.closedUntil - now, replica.breaker?.waitMs(now) ?? 0, 0), isOpen };
    });
    return waits.toSorted((a, b) => a.waitMs - b.waitMs)[0] ?? { waitMs: 0, isOpen: false };
  }

  #standing(replica: Replica): string {
    const kind = this.#sending.uplink.strands[replica.index]?.state.kind ?? "connecting";
    return `replica ${replica.index} is ${kind}; ${this.#policies.whyLeft(replica) ?? "it may get calls"}`;
  }

  get lostAt(): number | undefined {
    return this.#sending.uplink.lostAt;
  }

  async send(replica: Replica, outer: Scope): Promise<Uint8Array> {
    const { uplink, request, edits, caller } = this.#sending;
    const strand = uplink.strands[replica.index];
    const link = strand?.link;
    if (!strand || !link) throw linkGone(this.#policies.backend);
    const { firstMs, idleMs } = this.#policies.timesOf(this.#tool());
    if (uplink.strands.length === 1 && firstMs === 0 && idleMs === 0)
      return await link.call(request, edits, caller, outer);
    using scope = new Scope(outer);
    using signs = firstMs > 0 || idleMs > 0 ? new Signs(this.#policies.backend, { firstMs, idleMs }, scope) : undefined;
    const mover = {
      fellSilent: (error: GatewayError): void => {
        if (this.isRepeatable() && this.hasOther(new Set([replica]))) scope.cancel(error);
      },
    };
    strand.pulse.movers.add(mover);
    try {
      return await link.call(request, edits, caller, scope, signs);
    } finally {
      strand.pulse.movers.delete(mover);
    }
  }

  faultOf(reply: Uint8Array): string | undefined {
    const codes = this.#policies.plan.breaker?.codes ?? [];
    if (codes.length === 0) return undefined;
    const scanned = scan(reply);
    const code = scanned.kind === "message" ? spanValue(scanned.envelope, "error.code") : undefined;
    return typeof code === "number" && codes.includes(code) ? `it answered with error ${code}` : undefined;
  }

  heardSince(replica: Replica, since: number): boolean {
    return (this.#sending.uplink.strands[replica.index]?.link?.heardAt ?? 0) > since;
  }

  noted(step: Step): void {
    const { caller, uplink } = this.#sending;
    caller.noted?.(describeStep(step, uplink.strands.length === 1));
    if (caller.flight && (step.kind === "sent" || step.kind === "answered")) caller.flight.replica = step.replica;
    this.#policies.tally.noted(step, this.#wasSent);
    this.#wasSent ||= step.kind === "sent" || step.kind === "failed";
    if (step.kind !== "failed" || !step.failing.counts) return;
    // One that lost a call may be gone: whether it is should be known before the next call.
    const strand = uplink.strands[step.replica];
    if (strand?.link) void strand.verify(new Scope());
  }

  #tool(): string | undefined {
    const { request, edits } = this.#sending;
    const asks = this.#policies.hasToolTimes || this.#policies.plan.breaker?.perTool === true;
    return asks && request.method === "tools/call" ? localName(request, edits) : undefined;
  }

  /** What a hash is taken of. */
  #key(): string {
    const { balance } = this.#policies.plan;
    const { caller, request, uplink } = this.#sending;
    if (balance.kind !== "hash") return "";
    const { source } = balance;
    switch (source.kind) {
      case "principal":
        return caller.principal ?? uplink.owner;
      case "session":
        return caller.sessionKey ?? uplink.owner;
      case "header":
        return caller.header?.(source.name) ?? "";
      case "argument": {
        const { params } = request.spans;
        const at = params && findPath(request.bytes, params, ["arguments", source.name]);
        return at ? decodeText(request.bytes.subarray(at.start, at.end)) : "";
      }
    }
  }
}

function isUsable({ link, replica }: Strand, now: number): boolean {
  return link !== undefined && replica.closedUntil <= now && replica.breaker?.isPassable(now) !== false;
}

/** Those that fit; all, where none does. */
function orAll(strands: readonly Strand[], fits: (strand: Strand) => boolean): Strand[] {
  const fitting = strands.filter(fits);
  return fitting.length > 0 ? fitting : [...strands];
}
