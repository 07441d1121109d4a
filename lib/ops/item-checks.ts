// What is wrong with the tools and prompts of a listing, seen by a model and by a client.

import { Ajv2020 } from "ajv/dist/2020.js";
import { asRecord, isRecord } from "../core/text.ts";
import { readParamHeaders } from "../protocol/modern-params.ts";
import type { Finding } from "./finding.ts";
import type { ItemKind, ListedItem } from "./pages.ts";

/** Longer names are refused by common model interfaces. */
const maxName = 64;
const plainName = /^[A-Za-z0-9_.-]+$/;
/** Above this a catalog takes a share of the context that is felt. */
const costlyTokens = 20_000;

/** Collects items one by one and says in the end what they have in common. */
export class ItemChecks {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
  readonly #seen = new Map<string, string>();
  readonly findings: Finding[] = [];
  #tokens = 0;
  #largest: readonly [name: string, tokens: number] = ["", 0];

  item(kind: ItemKind, { key, text }: ListedItem, tokens: number): void {
    this.#tokens += tokens;
    if (tokens > this.#largest[1]) this.#largest = [key, tokens];
    const item = asRecord(JSON.parse(text));
    if (kind === "tools" || kind === "prompts") this.#name(kind, key);
    if (typeof item["description"] !== "string" || item["description"].trim() === "")
      this.#note("warning", "no-description", `${kind} ${key} has no description`);
    if (kind !== "tools") return;
    this.#schema(key, "inputSchema", item["inputSchema"], true);
    this.#schema(key, "outputSchema", item["outputSchema"], false);
  }

  get tokens(): number {
    return this.#tokens;
  }

  conclude(): readonly Finding[] {
    const [name, tokens] = this.#largest;
    if (this.#tokens > costlyTokens)
      this.#note("warning", "cost", `the catalog costs about ${this.#tokens} tokens; ${name} alone ${tokens}`);
    return this.findings;
  }

  #name(kind: ItemKind, name: string): void {
    if (name.length > maxName) this.#note("warning", "long-name", `${kind} ${name} is ${name.length} characters long`);
    if (!plainName.test(name))
      this.#note("warning", "odd-name", `${kind} ${JSON.stringify(name)} has characters beyond A-Z a-z 0-9 _ . -`);
    const plain = `${kind} ${name.toLowerCase().replaceAll(/[^a-z0-9]/g, "")}`;
    const other = this.#seen.get(plain);
    if (other === name) this.#note("error", "duplicate", `${kind} ${name} is listed twice`);
    else if (other !== undefined) this.#note("warning", "similar", `${kind} ${other} and ${name} are easily mixed up`);
    this.#seen.set(plain, name);
  }

  #schema(name: string, member: string, schema: unknown, required: boolean): void {
    if (schema === undefined && !required) return;
    if (!isRecord(schema)) return this.#note("error", "schema", `${name} has no ${member}`);
    if (schema["type"] !== "object") this.#note("error", "schema", `${member} of ${name} is not of type object`);
    // Its own dialect may be another one, which this cannot judge.
    const dialect = schema["$schema"];
    const is2020 = typeof dialect !== "string" || dialect.includes("2020-12");
    if (is2020 && this.#ajv.validateSchema(withoutDialect(schema)) !== true) {
      const [first] = this.#ajv.errors ?? [];
      this.#note(
        "error",
        "schema",
        `${member} of ${name} is no JSON Schema: ${first?.instancePath ?? ""} ${first?.message ?? ""}`,
      );
    }
    if (member !== "inputSchema") return;
    const headers = readParamHeaders(schema);
    if (headers.kind === "invalid") this.#note("error", "x-mcp-header", `${name}: ${headers.reason}`);
    const bare = Object.entries(asRecord(schema["properties"])).filter(
      ([, each]) => asRecord(each)["description"] === undefined,
    );
    if (bare.length > 0)
      this.#note("info", "no-description", `${name}: ${bare.map(([key]) => key).join(", ")} without a description`);
  }

  #note(severity: Finding["severity"], rule: string, text: string): void {
    this.findings.push({ severity, rule, text });
  }
}

function withoutDialect(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "$schema"));
}
