// Who is told of calls and of those who were not let in: the audit log of the plan, opened, exchanged and closed.

import type { AuditPlan } from "./config/auth.ts";
import type { Flight } from "./core/flight.ts";
import type { Observer } from "./core/observer.ts";
import type { AuditLog } from "./observe/audit.ts";

export class Auditing {
  readonly #observer: Observer;
  #plan: AuditPlan | undefined;
  #log: Promise<AuditLog | undefined> | undefined;
  #open: AuditLog | undefined;
  /** What comes before the file is open. */
  readonly #early: (Flight | string)[] = [];

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  apply(plan: AuditPlan | undefined): void {
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
      const { AuditLog } = await import("./observe/audit.ts");
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
  called(flight: Flight): void {
    if (this.#open) this.#open.called(flight);
    else this.#keep(flight);
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

  #keep(early: Flight | string): void {
    if (this.#plan && this.#early.length < maxEarly) this.#early.push(early);
  }
}

const maxEarly = 10_000;

function write(log: AuditLog, what: Flight | string): void {
  if (typeof what === "string") log.writeJson(what);
  else log.called(what);
}
