// Something that a check found: how grave, by which rule, and about what.

export interface Finding {
  /** `ok`: it was looked at, and is as it should be. */
  readonly severity: "error" | "warning" | "info" | "ok";
  /** Stable word for the check. */
  readonly rule: string;
  readonly text: string;
}
