// Which replica gets a call: every rule is a function of what is known of the replicas now.

/** What a rule looks at. */
export interface Candidate {
  /** Unique among its kind. */
  readonly index: number;
  /** Over 0; how much of the traffic it should get beside the others. */
  readonly weight: number;
  /** Calls in flight. */
  readonly pending: number;
  readonly zone?: string | undefined;
}

export type HashSource =
  | { readonly kind: "principal" }
  | { readonly kind: "session" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "argument"; readonly name: string };

export type BalanceRule =
  | { readonly kind: "least-pending" }
  | { readonly kind: "round-robin" }
  | { readonly kind: "random-two" }
  /** The first one that is well, in the order of the config. */
  | { readonly kind: "priority" }
  | { readonly kind: "hash"; readonly source: HashSource };

/** Keeps what the rules need to remember between two calls. */
export class Balance {
  readonly #rule: BalanceRule;
  /** The gateway's own; replicas in it come first. */
  readonly #zone: string | undefined;
  readonly #random: () => number;
  #turn = 0;
  /** Round-robin: what each replica is owed. */
  readonly #credit = new Map<number, number>();

  constructor(rule: BalanceRule, zone?: string, random: () => number = Math.random) {
    this.#rule = rule;
    this.#zone = zone;
    this.#random = random;
  }

  /** One of `all`, of which there must be one; `key`: what a hash is taken of. */
  choose<Each extends Candidate>(all: readonly Each[], key: string): Each | undefined {
    const near = this.#zone === undefined ? all : all.filter(({ zone }) => zone === this.#zone);
    const from = near.length > 0 ? near : all;
    if (from.length < 2) return from[0];
    switch (this.#rule.kind) {
      case "least-pending":
        return this.#leastPending(from);
      case "round-robin":
        return this.#roundRobin(from);
      case "random-two":
        return this.#randomTwo(from);
      case "priority":
        return from.reduce((best, each) => (each.index < best.index ? each : best));
      case "hash":
        return rendezvous(from, key);
    }
  }

  /** Ties go round: at little traffic everybody has none pending. */
  #leastPending<Each extends Candidate>(from: readonly Each[]): Each | undefined {
    this.#turn = (this.#turn + 1) % 2 ** 30;
    let best: Each | undefined;
    let least = Infinity;
    for (let at = 0; at < from.length; at += 1) {
      const each = from[(at + this.#turn) % from.length];
      if (!each) continue;
      const load = (each.pending + 1) / each.weight;
      if (load < least) [best, least] = [each, load];
    }
    return best;
  }

  /** Smooth weighted round-robin: each gets its share, spread evenly over time. */
  #roundRobin<Each extends Candidate>(from: readonly Each[]): Each | undefined {
    let best: Each | undefined;
    let most = -Infinity;
    let total = 0;
    for (const each of from) {
      const credit = (this.#credit.get(each.index) ?? 0) + each.weight;
      this.#credit.set(each.index, credit);
      total += each.weight;
      if (credit > most) [best, most] = [each, credit];
    }
    if (best) this.#credit.set(best.index, most - total);
    // One that is away for long must not be owed an hour of traffic when it comes back.
    for (const index of this.#credit.keys())
      if (this.#credit.size > from.length && !from.some((each) => each.index === index)) this.#credit.delete(index);
    return best;
  }

  #randomTwo<Each extends Candidate>(from: readonly Each[]): Each | undefined {
    const first = this.#draw(from);
    const second = this.#draw(from.filter((each) => each !== first));
    if (!first || !second) return first;
    return first.pending / first.weight <= second.pending / second.weight ? first : second;
  }

  #draw<Each extends Candidate>(from: readonly Each[]): Each | undefined {
    let left = this.#random() * from.reduce((sum, { weight }) => sum + weight, 0);
    for (const each of from) {
      left -= each.weight;
      if (left < 0) return each;
    }
    return from.at(-1);
  }
}

/** Weighted rendezvous hashing: a replica that comes or goes moves its own keys and no others. */
function rendezvous<Each extends Candidate>(from: readonly Each[], key: string): Each | undefined {
  let best: Each | undefined;
  let most = -Infinity;
  for (const each of from) {
    const unit = (hash(`${each.index}\0${key}`) + 1) / (2 ** 32 + 1);
    const score = -each.weight / Math.log(unit);
    if (score > most) [best, most] = [each, score];
  }
  return best;
}

/** FNV-1a with a final mix: neighbouring keys end far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
