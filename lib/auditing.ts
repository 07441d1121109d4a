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
  #early: string[] = [];
  readonly #texts = new Map<string, string>();

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
      for (const entry of this.#early.splice(0)) log.writeJson(entry);
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
    const outcome = code !== "" ? "refused" : failed ? "failed" : "answered";
    // The flight's id is JSON already, in a text of its own.
    this.#write(
      `{"event":"call","principal":${this.#json(principal)},"method":${this.#json(method)},"name":${this.#json(name)}` +
        (view === "" ? "" : `,"view":${this.#json(view)}`) +
        (backend === "" ? "" : `,"backend":${this.#json(backend)}`) +
        `,"id":${JSON.stringify(flight.id)},"outcome":"${outcome}"` +
        (code === "" ? "" : `,"code":"${code}"`) +
        (rule === undefined ? "" : `,"rule":${rule}`) +
        `,"tookMs":${endedAt - at}}`,
    );
  }

  /** Somebody was not let in. */
  refused(path: string, code: string, why: string): void {
    this.#write(JSON.stringify({ event: "refused", path: path.slice(0, 200), code, why }));
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await (await this.#log)?.close();
  }

  #write(entry: string): void {
    if (this.#open) this.#open.writeJson(entry);
    else if (this.#plan && this.#early.length < maxEarly) this.#early.push(entry);
  }

  /** The same few names come with every call. */
  #json(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const json = JSON.stringify(text);
    if (this.#texts.size >= maxTexts) this.#texts.clear();
    if (text.length <= maxTextChars) this.#texts.set(text, json);
    return json;
  }
}

/** Names come from clients. */
const maxTexts = 1_000;
const maxTextChars = 200;
const maxEarly = 10_000;
