// A run as one HTML file.
import type { BenchResult } from "./bench-result.ts";
import { escapeXml } from "./markup.ts";

export function htmlReport({ report }: BenchResult): string {
  return `<!doctype html><title>${escapeXml(report.target)}</title>`;
}
