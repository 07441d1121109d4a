// The header by which a server says how long to leave it alone (RFC 9110, section 10.2.3).

/** Nobody is left alone for longer. */
const maxMs = 3_600_000;

/** Milliseconds from `now`; undefined where the header is missing or says nothing. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const written = value.trim();
  const ms = /^\d{1,9}$/.test(written) ? Number(written) * 1000 : dateMs(written) - now;
  return Number.isNaN(ms) ? undefined : Math.min(maxMs, Math.max(0, ms));
}

/** Dates begin with the day; the parser takes much that is none. */
function dateMs(written: string): number {
  return /^[A-Z][a-z]+day,? |^[A-Z][a-z]{2},? /.test(written) ? Date.parse(written) : NaN;
}
