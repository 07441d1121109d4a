// What the data path tells about itself; the program decides who listens.

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Observer {
  /** `source` is "gateway" or `backend <name>`; `message` is for people and holds no secrets. */
  log(level: LogLevel, source: string, message: string): void;
}

export const silentObserver: Observer = { log() {} };
