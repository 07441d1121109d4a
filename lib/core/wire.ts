// How gateway processes reach each other, and what they keep together: an engine, or the supervisor of workers.

export type WireState =
  | { readonly kind: "up"; readonly since: number }
  | { readonly kind: "away"; readonly since: number; readonly why: string };

export interface LeaseTerms {
  readonly calls: number;
  readonly perMs: number;
}

export interface Lease {
  /** Calls that may be made. */
  readonly granted: number;
  /** How long to wait for the next one, ms; 0 where any was granted. */
  readonly waitMs: number;
}

/** Every method settles within seconds, also where nobody answers; those that read or write reject then. */
export interface Wire {
  /** Unlike that of any other process, and of a later one: 8 hex digits. */
  readonly node: string;
  /** What it is, for people; holds no secrets. */
  readonly label: string;
  readonly state: WireState;
  /** `hear` is given what other processes sent to this one or to all; `changed` is called when it goes away or is back. */
  start(hear: (text: string) => void, changed: (state: WireState) => void): void;
  /** To one process, or to all of them; resolves to how many it has reached. */
  send(node: string | undefined, text: string): Promise<number>;
  /** Processes that are reached now, with this one. */
  count(): Promise<number>;
  read(key: string): Promise<Readonly<Record<string, string>>>;
  /** What nobody writes to for `ttlMs` is forgotten. */
  write(key: string, fields: Readonly<Record<string, string>>, ttlMs: number): Promise<void>;
  erase(key: string, fields: readonly string[]): Promise<void>;
  /** Up to `want` calls of a bucket that all processes share; less than 0 gives some back. */
  lease(key: string, terms: LeaseTerms, want: number): Promise<Lease>;
  /** Adds to a count, which is forgotten when nobody has added to it for `ttlMs`; resolves to all of it. */
  add(key: string, amount: number, ttlMs: number): Promise<number>;
  close(): Promise<void>;
}
