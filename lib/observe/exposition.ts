// Metrics as text: the format of Prometheus, and OpenMetrics with exemplars for those who ask for it.

import type { Exemplar, Histogram } from "./histogram.ts";

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];

/** A metric without labels. */
export function one(value: number): readonly Sample[] {
  return [[{}, value]];
}

export const openType: string = "application/openmetrics-text; version=1.0.0; charset=utf-8";
export const plainType: string = "text/plain; version=0.0.4; charset=utf-8";

/** Whether who asks takes OpenMetrics no less than anything else. */
export function wantsOpenMetrics(accept: string): boolean {
  const weights = accept.split(",").map((part) => {
    const [type = "", ...params] = part.split(";").map((piece) => piece.trim().toLowerCase());
    const weight = params.find((param) => param.startsWith("q="))?.slice(2);
    return { type, weight: weight === undefined ? 1 : Number(weight) };
  });
  const open = weights.find(({ type }) => type === "application/openmetrics-text")?.weight ?? 0;
  const plain = weights.find(({ type }) => type === "text/plain")?.weight ?? 0;
  return open > 0 && open >= plain;
}

export class Exposition {
  readonly contentType: string;
  readonly #isOpen: boolean;
  readonly #lines: string[] = [];

  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
    this.contentType = isOpen ? openType : plainType;
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    this.#head(name, "gauge", help);
    for (const [labels, value] of samples) this.#line(name, labels, value);
  }

  /** `name` ends with `_total`. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    // OpenMetrics 1.0, "Counter": the family goes without the suffix that its samples have.
    this.#head(this.#isOpen ? name.replace(/_total$/, "") : name, "counter", help);
    for (const [labels, value] of samples) this.#line(name, labels, value);
  }

  histogram(name: string, help: string, all: readonly (readonly [labels: Labels, histogram: Histogram])[]): void {
    if (all.length === 0) return;
    this.#head(name, "histogram", help);
    for (const [labels, { bounds, counts, sum, exemplars }] of all) {
      let total = 0;
      for (const [at, count] of counts.entries()) {
        total += count;
        const bound = bounds[at];
        const le = bound === undefined ? "+Inf" : floatText(bound);
        this.#line(`${name}_bucket`, { ...labels, le }, total, exemplars?.[at]);
      }
      this.#line(`${name}_sum`, labels, sum);
      this.#line(`${name}_count`, labels, total);
    }
  }

  text(): string {
    return `${this.#lines.join("\n")}\n${this.#isOpen ? "# EOF\n" : ""}`;
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
  }

  #line(name: string, labels: Labels, value: number, exemplar?: Exemplar): void {
    const end = this.#isOpen && exemplar ? exemplarText(exemplar) : "";
    this.#lines.push(`${name}${labelText(labels)} ${valueText(value)}${end}`);
  }
}

function labelText(labels: Labels): string {
  // A label without a value is the same as none.
  const pairs = Object.entries(labels).filter(([, value]) => value !== "");
  if (pairs.length === 0) return "";
  return `{${pairs.map(([name, value]) => `${name}="${escapeValue(value)}"`).join(",")}}`;
}

function exemplarText({ trace, span, value, at }: Exemplar): string {
  return ` # {trace_id="${trace}",span_id="${span}"} ${value} ${(at / 1000).toFixed(3)}`;
}

function escapeValue(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** With a point always: both formats take it, and a series must not have another name in the one than in the other. */
function floatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
