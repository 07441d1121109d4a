// What the data path tells about itself; the program decides who listens.

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What programs may want to know beside the words. */
export interface LogDetails {
  readonly error?: Error | undefined;
  readonly fields?: Readonly<Record<string, string | number>>;
}

export interface Observer {
  /** `source` is "gateway", "request" or `backend <name>`; `message` is for people and holds no secrets. */
  log(level: LogLevel, source: string, message: string, details?: LogDetails): void;
}

export const silentObserver: Observer = { log() {} };
