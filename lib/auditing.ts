// Who is told of calls and of those who were not let in: the audit log of the plan, opened, exchanged and closed.

import type { AuditPlan } from "./config/auth.ts";
import type { Flight } from "./core/flight.ts";
import type { Observer } from "./core/observer.ts";
import type { AuditEntry, AuditLog } from "./observe/audit.ts";

export class Auditing {
  readonly #observer: Observer;
  #plan: AuditPlan | undefined;
  #log: Promise<AuditLog | undefined> | undefined;
  #open: AuditLog | undefined;
  /** What comes before the file is open. */
  #early: AuditEntry[] = [];

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
      for (const entry of this.#early.splice(0)) log.write(entry);
      return log;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#observer.log("error", "gateway", `the audit log cannot be opened: ${why}`);
      return undefined;
    }
  }

  /** A call is over. */
  called(flight: Flight): void {
    const { at, endedAt, principal, method, name, view, backend, failed, code, rule } = flight;
    this.#write({
      event: "call",
      principal,
      method,
      name,
      ...(view === "" ? {} : { view }),
      ...(backend === "" ? {} : { backend }),
      id: flight.id,
      outcome: code !== "" ? "refused" : failed ? "failed" : "answered",
      ...(code === "" ? {} : { code }),
      ...(rule === undefined ? {} : { rule }),
      tookMs: endedAt - at,
    });
  }

  /** Somebody was not let in. */
  refused(path: string, code: string, why: string): void {
    this.#write({ event: "refused", path: path.slice(0, 200), code, why });
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await (await this.#log)?.close();
  }

  #write(entry: AuditEntry): void {
    if (this.#open) this.#open.write(entry);
    else if (this.#plan && this.#early.length < maxEarly) this.#early.push(entry);
  }
}

const maxEarly = 10_000;
