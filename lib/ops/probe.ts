// Looks at one server from end to end: the way to it, the handshake, its lists, its answers to pings.

import type { ReplicaPlan } from "../config/plan.ts";
import { asGatewayError, GatewayError } from "../core/errors.ts";
import type { WireTap } from "../backend/tap.ts";
import { Evidence } from "./evidence.ts";
import { describeFailure, type Failure } from "./failure.ts";
import { goWay, type Way } from "./network.ts";
import { declares, type ItemKind, itemKinds, type ListedItem, tokensOf, walkPages } from "./pages.ts";
import { answerError, openPeer, type Patience, type Peer, within } from "./peer.ts";
import type { Target } from "./target.ts";

export const phaseNames = [
  "dns",
  "tcp",
  "tls",
  "handshake",
  "tools",
  "resources",
  "templates",
  "prompts",
  "ping",
] as const;
export type PhaseName = (typeof phaseNames)[number];

/** `auth`: it is there, and lets nobody in who has no better credentials. */
export type State = "healthy" | "degraded" | "down" | "auth";

export interface Phase {
  readonly name: PhaseName;
  /** Since the probe began. */
  readonly startMs: number;
  readonly ms: number;
  readonly ok: boolean;
  readonly detail: string;
}

export interface ListFacts {
  readonly pages: number;
  readonly items: number;
  readonly bytes: number;
  readonly tokens: number;
}

export interface Warning {
  readonly rule: string;
  readonly text: string;
}

export interface ProbeReport {
  readonly target: Target;
  /** Which of the target's replicas; 0 where there is one. */
  readonly replica: number;
  readonly state: State;
  readonly ms: number;
  readonly phases: readonly Phase[];
  readonly protocolVersion: string;
  readonly era: "legacy" | "modern" | undefined;
  readonly serverName: string;
  readonly serverVersion: string;
  readonly lists: Readonly<Partial<Record<ItemKind, ListFacts>>>;
  /** Milliseconds of each ping that was answered. */
  readonly pings: readonly number[];
  readonly certificateExpiresAt: number | undefined;
  /** Why it is degraded. */
  readonly warnings: readonly Warning[];
  readonly failure: Failure | undefined;
}

export interface ProbeOptions {
  readonly version: string;
  /** Which phases; undefined = all. */
  readonly only?: ReadonlySet<PhaseName> | undefined;
  readonly pings: number;
  readonly tap?: WireTap | undefined;
  /** Hears of each phase as it ends. */
  readonly phase?: ((phase: Phase) => void) | undefined;
  /** Hears every item of the lists. */
  readonly item?: ((kind: ItemKind, item: ListedItem) => void) | undefined;
  /** Goes on with the open conversation when all else is done. */
  readonly more?: ((peer: Peer) => Promise<void>) | undefined;
}

/** A certificate that ends sooner is worth a word. */
const renewalMs = 14 * 86_400_000;

/** Never rejects: what is wrong with the server is in the report. */
export async function probeServer(
  target: Target,
  replica: number,
  options: ProbeOptions,
  patience: Patience,
): Promise<ProbeReport> {
  const run = new ProbeRun(target, replica, options, patience);
  await run.go();
  return run.report();
}

class ProbeRun {
  readonly #target: Target;
  readonly #index: number;
  readonly #replica: ReplicaPlan | undefined;
  readonly #options: ProbeOptions;
  readonly #patience: Patience;
  readonly #startedAt = performance.now();
  readonly #evidence = new Evidence();
  readonly #phases: Phase[] = [];
  readonly #lists: Partial<Record<ItemKind, ListFacts>> = {};
  readonly #pings: number[] = [];
  readonly #warnings: Warning[] = [];
  #way: Way | undefined;
  #peer: Peer | undefined;
  #failure: Failure | undefined;
  #endedAt = 0;

  constructor(target: Target, index: number, options: ProbeOptions, patience: Patience) {
    this.#target = target;
    this.#index = index;
    this.#replica = target.plan.replicas[index];
    this.#options = options;
    this.#patience = patience;
  }

  async go(): Promise<void> {
    try {
      const replica = this.#replica;
      if (!replica) throw new GatewayError("internal", "there is no such replica");
      if (replica.kind === "http") await this.#walk(replica);
      if (this.#wants("handshake", ...itemKinds, "ping") || this.#options.more) await this.#talk(replica);
    } catch (error) {
      this.#failure = describeFailure(error, this.#target, this.#evidence);
    }
    this.#endedAt = performance.now();
  }

  #wants(...names: readonly PhaseName[]): boolean {
    const { only } = this.#options;
    return only === undefined || names.some((name) => only.has(name));
  }

  async #walk(replica: ReplicaPlan & { readonly kind: "http" }): Promise<void> {
    if (!this.#wants("dns", "tcp", "tls")) return;
    using scope = within(this.#patience, this.#target.plan.connectMs, (ms) => {
      const text = `no connection within ${Math.round(ms)} ms`;
      return new GatewayError("connectTimeout", text, { backend: this.#target.name });
    });
    this.#way = await goWay(replica, scope, ({ name, ms, ok, detail }) => this.#note(name, ms, ok, detail)).catch(
      (error: unknown) => {
        throw asGatewayError(scope.cancelled ? scope.reason : error);
      },
    );
    const { certificate } = this.#way;
    if (!certificate || certificate.expiresAt - Date.now() > renewalMs) return;
    const days = Math.floor((certificate.expiresAt - Date.now()) / 86_400_000);
    this.#warnings.push({ rule: "certificate", text: `the certificate ends in ${days} days` });
  }

  async #talk(replica: ReplicaPlan): Promise<void> {
    const { version, tap } = this.#options;
    const evidence = this.#evidence;
    const target = this.#target;
    const startedAt = performance.now();
    await using peer = await openPeer(
      { target, replica, version, evidence, ...(tap ? { tap } : {}) },
      this.#patience,
    ).catch((error: unknown) => {
      this.#note("handshake", performance.now() - startedAt, false, asGatewayError(error).row.id);
      throw error;
    });
    this.#peer = peer;
    this.#note("handshake", performance.now() - startedAt, true, `${peer.era}, ${peer.facts.protocolVersion}`);
    for (const kind of itemKinds) if (this.#wants(kind) && declares(peer, kind)) await this.#list(peer, kind);
    if (this.#wants("ping")) await this.#ping(peer);
    await this.#options.more?.(peer);
    const [line] = evidence.stdout;
    if (line !== undefined)
      this.#warnings.push({
        rule: "stdout",
        text: `the server writes non-MCP text to stdout: ${JSON.stringify(line)}`,
      });
  }

  /** A list that fails makes a server degraded, not down: the others may work. */
  async #list(peer: Peer, kind: ItemKind): Promise<void> {
    const startedAt = performance.now();
    let [pages, items, bytes, tokens] = [0, 0, 0, 0];
    let failed = "";
    try {
      for await (const page of walkPages(peer, { kind }, this.#patience)) {
        pages += 1;
        items += page.items.length;
        bytes += page.answer.bytes.length;
        for (const item of page.items) {
          tokens += tokensOf(item.text);
          this.#options.item?.(kind, item);
        }
      }
    } catch (error) {
      const failure = describeFailure(error, this.#target, this.#evidence);
      if (this.#patience.scope.cancelled || failure.name === "exited") throw error;
      failed = `${failure.code} ${failure.message}`;
      this.#warnings.push({ rule: kind, text: failed });
    }
    this.#lists[kind] = { pages, items, bytes, tokens };
    const detail = `${items} on ${pages} ${pages === 1 ? "page" : "pages"}`;
    this.#note(kind, performance.now() - startedAt, failed === "", failed === "" ? detail : failed);
  }

  async #ping(peer: Peer): Promise<void> {
    const { pings } = this.#options;
    const startedAt = performance.now();
    let refused = "";
    for (let sent = 0; sent < pings; sent += 1) {
      try {
        const answer = await peer.ask("ping", undefined, this.#patience);
        const error = answerError(answer);
        if (error) refused = `error ${error.code}: ${error.message}`;
        else this.#pings.push(answer.ms);
      } catch (error) {
        if (this.#patience.scope.cancelled) throw error;
        refused = asGatewayError(error).message;
        break;
      }
    }
    const lost = pings - this.#pings.length;
    if (lost > 0) this.#warnings.push({ rule: "ping", text: `${lost} of ${pings} pings failed (${refused})` });
    this.#note("ping", performance.now() - startedAt, lost === 0, `${this.#pings.length} of ${pings}`);
  }

  #note(name: PhaseName, ms: number, ok: boolean, detail: string): void {
    if (!this.#wants(name) && ok) return;
    const startMs = Math.max(0, performance.now() - this.#startedAt - ms);
    const phase = { name, startMs, ms, ok, detail };
    this.#phases.push(phase);
    this.#options.phase?.(phase);
  }

  report(): ProbeReport {
    const facts = this.#peer?.facts;
    const failure = this.#failure;
    const text = (value: unknown): string => (typeof value === "string" ? value : "");
    return {
      target: this.#target,
      replica: this.#index,
      state: failure ? (failure.exit === 5 ? "auth" : "down") : this.#warnings.length > 0 ? "degraded" : "healthy",
      ms: failure
        ? this.#endedAt - this.#startedAt
        : Math.max(0, ...this.#phases.map(({ startMs, ms }) => startMs + ms)),
      phases: this.#phases,
      protocolVersion: facts?.protocolVersion ?? "",
      era: this.#peer?.era,
      serverName: text(facts?.serverInfo["name"]),
      serverVersion: text(facts?.serverInfo["version"]),
      lists: this.#lists,
      pings: this.#pings,
      certificateExpiresAt: this.#way?.certificate?.expiresAt,
      warnings: this.#warnings,
      failure,
    };
  }
}

/** The middle one; undefined where there is none. */
export function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
