// What the gateway shows a backend of itself or of its caller, as links see it.

/** What is shown to one replica. */
export interface Credential {
  /** The value of the Authorization header, where one is at hand. */
  current(): string | undefined;
  /** Whether one must be asked for before anything is sent. */
  readonly isNeeded: boolean;
  /** Asks for one where it must be; rejects before anything was sent to the backend. */
  acquire(): Promise<unknown>;
  /** The backend did not accept it, or wants one, as its challenge says. */
  refuse(value: string | undefined, challenge?: string): void;
  /** It is good, and not for this call: whether a better one may be had. Rejects where somebody has to sign in for it. */
  widen?(value: string | undefined, challenge: string | undefined): Promise<boolean>;
}

/** Who looks, where it matters. */
export interface Asker {
  readonly backend: string;
  /** The principal; empty where links belong to nobody. */
  readonly who: string;
  /** Where people sign in to backends; undefined where there is no page. */
  readonly loginPage?: (() => string | undefined) | undefined;
  /** What a principal has shown the gateway. */
  readonly shownBy?: ((who: string) => string | undefined) | undefined;
}
