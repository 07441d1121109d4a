// The plan of how far a server is trusted.

/** All paths are absolute. */
export interface SandboxPlan {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly hide: readonly string[];
  readonly network: boolean;
}

/** What results may be. */
export interface GuardPlan {
  /** Of one result. */
  readonly bytes?: number;
  /** Globs of the MIME types that are let through, in lower case; absent: all. */
  readonly types?: readonly string[];
  /** What is replaced in texts. */
  readonly mask: readonly string[];
}

/** Looking for patterns costs more than anything else that is done to a message: with them a size is needed. */
export const maskedBytes: number = 2 ** 20;
