// What gives a secret away: names of things that hold one, and shapes of the keys of common services.

/** Part of a name that says that its value is nobody's business. */
export const secretName: RegExp = /(?:key|token|secret|passw|auth|credential|cookie|session)/i;

/** Global: for `replace`; reset `lastIndex` or use a copy for `test`. */
export const secretShape: RegExp =
  /\b(?:sk-[\w-]{8,}|gh[pousr]_\w{8,}|github_pat_\w{8,}|xox[abpr]-[\w-]{8,}|AKIA\w{12,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)?|glpat-[\w-]{8,}|AIza[\w-]{20,})/g;
