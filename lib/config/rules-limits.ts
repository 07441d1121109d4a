// What a config may say of how much is accepted, as it is read; sizes in bytes.

type Counts<Key extends string> = { readonly [K in Key]?: number | undefined };

/** Of the gateway. */
export interface LimitConfig extends Counts<
  | "body"
  | "header"
  | "nesting"
  | "message"
  | "pages"
  | "items"
  | "sessions"
  | "streams"
  | "parked"
  | "connections"
  | "concurrency"
  | "quota"
> {
  readonly rate?: string | undefined;
}

/** Of some tools of a backend. */
export interface ToolLimitConfig extends Counts<"concurrency" | "cost"> {
  readonly rate?: string | undefined;
}

/** Of a backend. */
export interface BackendLimitConfig extends Counts<"quota"> {
  readonly rate?: string | undefined;
  readonly tools?: Readonly<Record<string, ToolLimitConfig>> | undefined;
}

/** Less is not looked at where calls go straight. */
export const minNesting = 32;
export const maxNesting = 10_000;
/** Units of a day. */
export const maxUnits = 1_000_000_000;
