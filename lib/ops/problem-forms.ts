// Problems of configs in the forms of tools: SARIF for code scanning, annotations of GitHub's runners, JUnit for CI.

import { explain } from "./explain.ts";

export interface FoundProblem {
  /** `E3101`. */
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly file: string;
  /** From 1; 0 where it has no place. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly suggestion: string | undefined;
  /** Of what a server did. */
  readonly cause?: string;
  readonly fix?: string;
}

/** Static Analysis Results Interchange Format 2.1.0. */
export function toSarif(problems: readonly FoundProblem[], version: string): object {
  const codes = [...new Set(problems.map(({ code }) => code))].toSorted();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "mcpctl",
            version,
            rules: codes.map((id) => {
              const about = explain(id);
              return { id, name: about?.name ?? id, shortDescription: { text: about?.cause ?? id } };
            }),
          },
        },
        results: problems.map((problem) => ({
          ruleId: problem.code,
          level: problem.severity,
          message: { text: textOf(problem) },
          ...(problem.file === ""
            ? {}
            : {
                locations: [
                  {
                    physicalLocation: {
                      artifactLocation: { uri: problem.file.split("/").map(encodeURIComponent).join("/") },
                      ...(problem.line > 0 ? { region: { startLine: problem.line, startColumn: problem.column } } : {}),
                    },
                  },
                ],
              }),
        })),
      },
    ],
  };
}

/** Workflow commands: one line a problem. */
export function toGithub(problems: readonly FoundProblem[]): readonly string[] {
  const data = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const property = (text: string): string => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
  return problems.map((problem) => {
    const { severity, code, file, line, column } = problem;
    const where = [
      ...(file === "" ? [] : [`file=${property(file)}`]),
      ...(line > 0 ? [`line=${line}`, `col=${column}`] : []),
      `title=${code}`,
    ];
    return `::${severity} ${where.join(",")}::${data(textOf(problem))}`;
  });
}

/** One suite a file; a warning is told without failing. */
export function toJunit(files: readonly string[], problems: readonly FoundProblem[]): string {
  const names = [...new Set([...files, ...problems.map(({ file }) => file)])];
  const suites = names.map((file) => {
    const own = problems.filter((problem) => problem.file === file);
    const errors = own.filter(({ severity }) => severity === "error");
    const warnings = own.filter(({ severity }) => severity === "warning");
    const place = ({ line, column }: FoundProblem): string => (line > 0 ? `${line}:${column}` : "the file");
    const cases = [
      ...errors.map(
        (each) =>
          `    <testcase classname="${xml(file)}" name="${xml(`${each.code} ${place(each)}`)}">\n` +
          `      <failure type="${xml(each.code)}" message="${xml(textOf(each))}"/>\n    </testcase>\n`,
      ),
      ...(errors.length === 0 ? [`    <testcase classname="${xml(file)}" name="valid"/>\n`] : []),
    ];
    const said = warnings.map((each) => `${place(each)} ${each.code} ${textOf(each)}`).join("\n");
    const out = said === "" ? "" : `    <system-out>${xml(said)}</system-out>\n`;
    const counts = `tests="${cases.length}" failures="${errors.length}"`;
    return `  <testsuite name="${xml(file || "config")}" ${counts}>\n${cases.join("")}${out}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="mcpctl validate">\n${suites.join("")}</testsuites>\n`;
}

function textOf({ message, suggestion }: FoundProblem): string {
  return suggestion === undefined ? message : `${message}; did you mean "${suggestion}"?`;
}

/** Characters that XML 1.0 does not have at all are left out. */
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
