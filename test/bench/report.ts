// What a case found, as a table for the terminal and for RESULTS.md.

export interface Table {
  readonly title: string;
  readonly note?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One line of the list of what is to be reached. */
export interface Limit {
  readonly what: string;
  readonly limit: string;
  readonly found: string;
  readonly reached: boolean;
}

/** What a case gives back. Failures are contestants that did not answer as they must. */
export interface Finding {
  readonly tables: readonly Table[];
  readonly limits: readonly Limit[];
  readonly failures: ReadonlyMap<string, string>;
}

/** `digits` behind the point, where two of them would hide what counts. */
export function atMost(what: string, found: number, limit: number, unit: string = "", digits?: number): Limit {
  const described = digits === undefined ? describeFound(found, unit) : `${found.toFixed(digits)}${unit}`;
  return { what, limit: `at most ${limit}${unit}`, found: described, reached: found <= limit };
}

export function atLeast(what: string, found: number, limit: number, unit: string = ""): Limit {
  return { what, limit: `at least ${limit}${unit}`, found: describeFound(found, unit), reached: found >= limit };
}

/** A ratio that may differ from 1 by so much on either side. */
export function within(what: string, found: number, share: number): Limit {
  const reached = found >= 1 - share && found <= 1 + share;
  return { what, limit: `${1 - share} to ${1 + share} ×`, found: describeRatio(found), reached };
}

/** Two digits behind the point would hide a percent. */
export function describeRatio(found: number): string {
  return Number.isNaN(found) ? "not measured" : `${found.toFixed(3)} ×`;
}

function describeFound(found: number, unit: string): string {
  return Number.isNaN(found) ? "not measured" : `${Number.isInteger(found) ? found : round(found)}${unit}`;
}

/** Three significant digits are more than the noise allows. */
export function round(value: number): string {
  if (Number.isNaN(value)) return "";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export const mebibytes = (bytes: number): string => (bytes > 0 ? (bytes / 2 ** 20).toFixed(1) : "");

/** A Markdown table whose columns are aligned, so that it reads in a terminal too. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(3, name.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

export function formatFinding(finding: Finding): string {
  const parts = finding.tables.flatMap(({ title, note, head, rows }) => [
    `### ${title}`,
    ...(note === undefined ? [] : [note]),
    formatTable(head, rows),
  ]);
  const failures = [...finding.failures].map(([via, why]) => `${via} failed: ${why.split("\n", 1)[0] ?? ""}`);
  return [...parts, ...failures].join("\n\n");
}

export function formatLimits(limits: readonly Limit[]): string {
  return formatTable(
    ["what", "limit", "found", "reached"],
    limits.map(({ what, limit, found, reached }) => [what, limit, found, reached ? "yes" : "no"]),
  );
}

export interface ReportParts {
  readonly date: string;
  readonly effort: string;
  readonly machine: readonly (readonly [what: string, value: string])[];
  readonly findings: readonly Finding[];
}

export function formatReport({ date, effort, machine, findings }: ReportParts): string {
  return `# Results of the bench

Written by \`npm run bench\` on ${date}. Everything runs on loopback of one machine. CPU is user and system time of the
gateway's processes, without the backend behind it; a ratio is the median of the ratios within one round, in which the
contestants take turns. The load generator checks every answer: status, id, kind and length of the payload.

${formatTable(["what", "which"], [...machine, ["effort", effort]])}

## Limits

${formatLimits(findings.flatMap(({ limits }) => limits))}

## Cases

${findings.map(formatFinding).join("\n\n")}
`;
}
