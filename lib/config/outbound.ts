// The plan of where a token for a backend comes from.

import type { Grant } from "./rules-auth.ts";

export type OutboundPlan = FilePlan | ClientPlan | OAuthPlan;

/** Somebody else renews it. */
export interface FilePlan {
  readonly kind: "file";
  readonly file: string;
}

/** Client credentials at an address that is known. */
export interface ClientPlan {
  readonly kind: "client";
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Secret. */
  readonly clientSecret: string;
  readonly scopes: readonly string[];
  /** Absent: the URL of the backend. */
  readonly resource?: string;
}

/** What is not said here is found out, as the specification has it. */
export interface OAuthPlan {
  readonly kind: "oauth";
  readonly grant: Grant;
  readonly tokenUrl?: string;
  readonly issuer?: string;
  readonly clientId?: string;
  /** Secret. */
  readonly clientSecret?: string;
  readonly clientMetadataUrl?: string;
  readonly scopes: readonly string[];
  readonly resource?: string;
  readonly audience?: string;
  /** One login serves everybody. */
  readonly shared: boolean;
  /** What logins are sealed with. Secret; empty: a key of their own. */
  readonly sealKeys: readonly string[];
}
