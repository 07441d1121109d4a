// The plan of how much is accepted, and from whom.

export interface Limits {
  /** Bytes of one request body at the front. */
  readonly bodyBytes: number;
  /** Bytes of the line and the headers of one request. */
  readonly headerBytes: number;
  /** Arrays and objects that may be open at once in a message of a client. */
  readonly maxDepth: number;
  /** Bytes of one message from a backend. */
  readonly messageBytes: number;
  /** Pages that are followed for one listing of one backend. */
  readonly pages: number;
  /** Items that are kept of one listing of one backend. */
  readonly items: number;
  /** Sessions that are open at the same time, and as many listen streams of modern clients. */
  readonly sessions: number;
  /** Streams of one principal that only listen. */
  readonly streams: number;
  /** Calls of one principal that wait for input from a modern client. */
  readonly parked: number;
  /** Connections of clients that are open at the same time. */
  readonly connections: number;
  /** Requests of one principal; absent: as many as it likes. */
  readonly rate?: RatePlan;
  /** Requests of one principal that are in flight; absent: as many as it likes. */
  readonly concurrency?: number;
  /** Units of cost of one principal a day; absent: as many as it likes. */
  readonly quota?: number;
}

export interface RatePlan {
  readonly calls: number;
  readonly perMs: number;
}

/** Of all principals together. */
export interface BackendLimits {
  readonly rate?: RatePlan;
  /** Units of cost a day. */
  readonly quota?: number;
  /** For each of these settings the first tool that fits and says it counts. */
  readonly tools: readonly ToolLimits[];
}

export interface ToolLimits {
  /** Glob of local names. */
  readonly tools: string;
  readonly rate?: RatePlan;
  readonly concurrency?: number;
  /** Units of one call; 1 where nothing says it. */
  readonly cost?: number;
}

export const limitDefaults: Limits = Object.freeze({
  bodyBytes: 16 * 2 ** 20,
  headerBytes: 64 * 1024,
  maxDepth: 256,
  messageBytes: 64 * 2 ** 20,
  pages: 1000,
  items: 100_000,
  sessions: 10_000,
  streams: 10_000,
  parked: 1_000,
  connections: 10_000,
});
