// Answers that may be given again: as long as the server says, once for many who ask at the same time, and for want of better.

export interface CacheTerms {
  /** Of all answers together. */
  readonly bytes: number;
  /** How long beyond its time an answer may stand in for one that cannot be had. */
  readonly staleMs: number;
}

/** What a server says of an answer. */
export interface Keep {
  /** 0: it must not be given again. */
  readonly ttlMs: number;
  /** Everybody gets the same. */
  readonly isPublic: boolean;
}

/** Who asks for what: `own` names it for one principal, `shared` for all. */
export interface CacheKeys {
  readonly own: string;
  readonly shared: string;
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly freshUntil: number;
}

/** What came of a question: whether those who asked the same meanwhile may have it. */
interface Asked {
  readonly answer: Uint8Array;
  readonly isForOthers: boolean;
}

export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Answers that came of somebody else's question. */
  readonly joined: number;
  /** Old answers for want of new ones. */
  readonly stale: number;
  readonly bytes: number;
}

export interface CachedAnswer {
  readonly answer: Uint8Array;
  /** Of its time, where it was kept; 0 = it stands in for one that cannot be had. Undefined: it is new. */
  readonly leftMs: number | undefined;
}

const maxAlone = 1_000;
/** What an entry costs beside its bytes. */
const overhead = 200;

export class Cache {
  readonly #terms: CacheTerms;
  /** The one used longest ago first. */
  readonly #entries = new Map<string, Entry>();
  readonly #asking = new Map<string, Promise<Asked>>();
  /** What was answered for its asker alone: nobody waits for the answer of another one. */
  readonly #alone = new Set<string>();
  /** Goes up when something is dropped: what was asked before then may be old. */
  #age = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #joined = 0;
  #stale = 0;

  constructor(terms: CacheTerms) {
    this.#terms = terms;
  }

  get counts(): CacheCounts {
    return { hits: this.#hits, misses: this.#misses, joined: this.#joined, stale: this.#stale, bytes: this.#bytes };
  }

  /**
   * The answer that is kept, or that of `ask`, which is called once for all who ask meanwhile under the same keys, where
   * the answer may be kept. `keepOf` says how long.
   */
  async read(
    keys: CacheKeys,
    ask: () => Promise<Uint8Array>,
    keepOf: (answer: Uint8Array) => Keep,
  ): Promise<CachedAnswer> {
    const known = this.#find(keys);
    const leftMs = known ? known.freshUntil - Date.now() : 0;
    if (known && leftMs > 0) {
      this.#hits += 1;
      return { answer: known.bytes, leftMs };
    }
    const key = ownKey(keys);
    const asking = this.#alone.has(keys.shared) ? undefined : this.#asking.get(key);
    const common = asking && (await asking.catch(() => undefined));
    if (common?.isForOthers) {
      this.#joined += 1;
      return { answer: common.answer, leftMs: undefined };
    }
    this.#misses += 1;
    // It was for one alone, or who asked first has gone away.
    if (asking) return { answer: (await this.#ask(keys, ask, keepOf)).answer, leftMs: undefined };
    const asked = this.#ask(keys, ask, keepOf);
    this.#asking.set(key, asked);
    try {
      return { answer: (await asked).answer, leftMs: undefined };
    } catch (error) {
      const old = this.#find(keys);
      if (!old) throw error;
      this.#stale += 1;
      return { answer: old.bytes, leftMs: 0 };
    } finally {
      this.#asking.delete(key);
    }
  }

  /** Forgets what `isOld` says of, by its shared key. */
  drop(isOld: (shared: string) => boolean): void {
    this.#age += 1;
    for (const key of this.#entries.keys()) if (isOld(key.slice(key.indexOf("\n") + 1))) this.#delete(key);
  }

  async #ask(keys: CacheKeys, ask: () => Promise<Uint8Array>, keepOf: (answer: Uint8Array) => Keep): Promise<Asked> {
    const age = this.#age;
    const answer = await ask();
    const { ttlMs, isPublic } = keepOf(answer);
    const isForOthers = ttlMs > 0 && age === this.#age;
    if (this.#alone.size >= maxAlone) this.#alone.clear();
    if (ttlMs > 0) this.#alone.delete(keys.shared);
    else this.#alone.add(keys.shared);
    if (isForOthers) this.#put(isPublic ? sharedKey(keys) : ownKey(keys), answer, ttlMs);
    return { answer, isForOthers };
  }

  #find(keys: CacheKeys): Entry | undefined {
    for (const key of [ownKey(keys), sharedKey(keys)]) {
      const entry = this.#entries.get(key);
      if (!entry) continue;
      if (Date.now() >= entry.freshUntil + this.#terms.staleMs) this.#delete(key);
      else {
        this.#entries.delete(key);
        this.#entries.set(key, entry);
        return entry;
      }
    }
    return undefined;
  }

  #put(key: string, answer: Uint8Array, ttlMs: number): void {
    this.#delete(key);
    const size = answer.length + overhead;
    if (size > this.#terms.bytes) return;
    // A copy: the answer may be a part of something larger.
    this.#entries.set(key, { bytes: new Uint8Array(answer), freshUntil: Date.now() + ttlMs });
    this.#bytes += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#terms.bytes) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes.length + overhead;
  }
}

function ownKey({ own, shared }: CacheKeys): string {
  return `${own.replaceAll("\n", " ")}\n${shared}`;
}

function sharedKey({ shared }: CacheKeys): string {
  return `\n${shared}`;
}
