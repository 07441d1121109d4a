// The seam between the two protocol eras: what a codec knows of the revisions it speaks.

export type Era = "legacy" | "modern";

/** What a backend said of itself when the link was opened; the objects are as it sent them. */
export interface ServerFacts {
  readonly protocolVersion: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: Readonly<Record<string, unknown>>;
  readonly instructions: string | undefined;
  /** What a modern server declared, where `capabilities` are that in the words of the legacy era. */
  readonly modern?: Readonly<Record<string, unknown>>;
}

/** Who the gateway is when it opens a link. */
export interface ClientFacts {
  readonly name: string;
  readonly version: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** One era's wire forms. A method that an era does not have is absent from its set. */
export interface EraCodec {
  readonly era: Era;
  /** Revisions, newest first. */
  readonly versions: readonly string[];
  /** Requests that a client may send. */
  readonly requests: ReadonlySet<string>;
  /** The revision to answer with: the client's where it is spoken, else the newest. */
  negotiate(requested: string): string;
  /** Params of the first request on a link. */
  openParams(client: ClientFacts): Readonly<Record<string, unknown>>;
  /** Method of the first request on a link. */
  readonly openMethod: string;
  /** Notification that follows the answer, if the era has one. */
  readonly openedMethod: string | undefined;
  /** Reads the answer; undefined when it is not one that this era gives. */
  readOpened(result: unknown): ServerFacts | undefined;
}
