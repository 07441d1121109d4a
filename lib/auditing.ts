// Who is told of calls and of those who were not let in: the audit log of the plan, opened, exchanged and closed.

import { AuditArguments } from "./audit-arguments.ts";
import type { AuditPlan } from "./config/auth.ts";
import type { Plan } from "./config/plan.ts";
import type { Flight, Flights } from "./core/flight.ts";
import type { Observer } from "./core/observer.ts";
import { AuditLog } from "./observe/audit.ts";

/** A call, with more members of its line; or a whole line. */
type Early = { readonly flight: Flight; readonly more: string } | string;

export class Auditing {
  readonly #observer: Observer;
  readonly #flights: Flights;
  #plan: AuditPlan | undefined;
  #log: Promise<AuditLog | undefined> | undefined;
  #open: AuditLog | undefined;
  /** What comes before the file is open. */
  readonly #early: Early[] = [];
  /** Undefined where no arguments are written down. */
  #arguments: AuditArguments | undefined;

  constructor(observer: Observer, flights: Flights) {
    this.#observer = observer;
    this.#flights = flights;
  }

  apply({ audit: plan, sealKeys }: Plan): void {
    this.#flights.listener = plan && ((flight) => this.#called(flight));
    this.#arguments = plan?.arguments && new AuditArguments(plan.arguments, sealKeys[0]);
    this.#flights.keeper = this.#arguments;
    if (plan?.file === this.#plan?.file && plan?.maxBytes === this.#plan?.maxBytes) return;
    const before = this.#log;
    this.#plan = plan;
    this.#open = undefined;
    this.#log = this.#exchange(before, plan);
  }

  async #exchange(
    before: Promise<AuditLog | undefined> | undefined,
    plan: AuditPlan | undefined,
  ): Promise<AuditLog | undefined> {
    await (await before)?.close();
    if (!plan) return undefined;
    try {
      const log = await AuditLog.open({ ...plan, observer: this.#observer });
      if (this.#plan === plan) this.#open = log;
      for (const early of this.#early.splice(0)) write(log, early);
      return log;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#observer.log("error", "gateway", `the audit log cannot be opened: ${why}`);
      return undefined;
    }
  }

  /** A call is over. */
  #called(flight: Flight): void {
    const { kept } = flight;
    const more = kept && this.#arguments ? this.#arguments.membersOf(flight, kept) : "";
    // The record of the call stays for a while; the message need not.
    flight.kept = undefined;
    if (this.#open) this.#open.called(flight, more);
    else this.#keep({ flight, more });
  }

  /** Somebody was not let in. */
  refused(path: string, code: string, why: string): void {
    const entry = JSON.stringify({ event: "refused", path: path.slice(0, 200), code, why });
    if (this.#open) this.#open.writeJson(entry);
    else this.#keep(entry);
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await (await this.#log)?.close();
  }

  #keep(early: Early): void {
    if (this.#plan && this.#early.length < maxEarly) this.#early.push(early);
  }
}

const maxEarly = 10_000;

function write(log: AuditLog, what: Early): void {
  if (typeof what === "string") log.writeJson(what);
  else log.called(what.flight, what.more);
}
