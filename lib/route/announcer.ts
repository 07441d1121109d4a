// Tells clients that listings have changed: changes within a short time are one notification.

import { notificationMessage } from "../core/rpc.ts";
import { after } from "../core/scope.ts";
import type { View } from "../merge/names.ts";
import type { Hub } from "./hub.ts";
import type { Session } from "./session.ts";

const debounceMs = 50;

export class Announcer {
  readonly #hub: Hub;
  readonly #pending = new Map<Session, Set<string>>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** What a backend offers to an owner has changed, in some views; `member`: tools, prompts or resources. */
  changedAt(backend: string, owner: string, member: string, isSeen: (view: View) => boolean = () => true): void {
    const { cluster } = this.#hub;
    if (!cluster) return this.changedHere(backend, owner, member, isSeen);
    // A stream that goes to another process meanwhile is told all the same: that process may have had its say before.
    const before = this.#heard(backend, owner, isSeen);
    // Whoever hears of it may ask any process next.
    const announce = (): void => {
      const now = this.#heard(backend, owner, isSeen);
      for (const session of new Set([...before, ...now])) this.#note(session, member);
    };
    void cluster.changed(backend, owner, member).then(announce, announce);
  }

  /** As `changedAt`, for those alone whose streams this process has. */
  changedHere(backend: string, owner: string, member: string, isSeen: (view: View) => boolean = () => true): void {
    for (const session of this.#heard(backend, owner, isSeen)) this.#note(session, member);
  }

  /** The set of backends has changed. */
  changedAll(member: string): void {
    for (const session of this.#hub.sessions.all()) if (session.home === undefined) this.#note(session, member);
  }

  /** Those of whom another process that has their stream does not say it. */
  #heard(backend: string, owner: string, isSeen: (view: View) => boolean): readonly Session[] {
    return this.#hub.attached(backend, owner).filter(({ home, facts }) => home === undefined && isSeen(facts.view));
  }

  #note(session: Session, member: string): void {
    const members = this.#pending.get(session);
    if (members) members.add(member);
    else {
      this.#pending.set(session, new Set([member]));
      after(debounceMs, () => this.#flush(session));
    }
  }

  #flush(session: Session): void {
    const members = this.#pending.get(session) ?? [];
    this.#pending.delete(session);
    for (const member of members) session.outlet.send(notificationMessage(`notifications/${member}/list_changed`));
  }
}
