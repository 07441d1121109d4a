// Whether a call may go on: what the policy says of it, by its arguments too, and what its user says where that is asked.

import { parseRate } from "../config/units.ts";
import type { PolicyRulePlan } from "../config/rules-policy.ts";
import { hasDoubledKeys } from "../core/doubled.ts";
import { type Envelope, scan, spanBytes, spanValue } from "../core/envelope.ts";
import { GatewayError } from "../core/errors.ts";
import { loadPatterns } from "../core/patterns.ts";
import { plainUri } from "../core/plain-uri.ts";
import { valueAt } from "../core/pointer.ts";
import { requestMessage } from "../core/rpc.ts";
import { asRecord, decodeText } from "../core/text.ts";
import type { Asked, Decision, Grants } from "../merge/grants.ts";
import { type RateLimit, Rates } from "../resilience/rates.ts";
import { missingCapability } from "./asks.ts";
import type { Cluster } from "./cluster.ts";
import type { ActiveCall } from "./session.ts";

/** Whether a value fits a JSON Schema. */
type Judge = (schema: Readonly<Record<string, unknown>>, value: unknown) => boolean;

/** What its user is shown of a call. */
const maxShown = 1000;
const whatIs = {
  tools: "tool",
  prompts: "prompt",
  resources: "resource",
  resourceTemplates: "resource",
  methods: "method",
};

/** A call that is looked at. */
export interface Considered {
  readonly asked: Asked;
  readonly request: Envelope;
  /** Its name for the client. */
  readonly shown: string;
}

export class Consent {
  #judge: Promise<Judge> | undefined;
  readonly #rates = new Map<string, RateLimit>();
  readonly #cluster: Cluster | undefined;

  /** With other processes, the rate of a rule is for all of them together. */
  constructor(cluster?: Cluster) {
    this.#cluster = cluster;
  }

  /** Resolves where the call may go on; rejects with `denied` or `insufficientScope`. */
  async require(grants: Grants, considered: Considered, call: ActiveCall): Promise<void> {
    for (const asked of formsOf(considered.asked)) {
      const decision = await this.#decide(grants, asked, considered.request);
      const what = describe(considered);
      const rule = decision.place === undefined ? undefined : decision.place + 1;
      // Until it is allowed: it may be one too many, or its user may leave without a word.
      call.flight.decided("deny", rule);
      if ("rate" in decision && decision.kind !== "deny") await this.#count(decision, call, what);
      switch (decision.kind) {
        case "allow":
          call.flight.decided("allow", rule);
          break;
        case "deny":
          throw new GatewayError("denied", `the policy does not allow this call of ${what}`);
        case "scopes":
          throw needsScopes(decision, what);
        case "confirm":
          call.flight.decided((await confirmed(what, considered, call)) ? "confirmed" : "declined", rule);
          if (call.flight.decision === "declined")
            throw new GatewayError("denied", `the user did not agree to this call of ${what}`);
      }
    }
  }

  /** Counts a call by the rate of its rule; throws `rateLimited` for one too many. */
  async #count(
    { place, rate = "" }: Exclude<Decision, { kind: "scopes" }>,
    { principal }: ActiveCall,
    what: string,
  ): Promise<void> {
    const terms = parseRate(rate);
    const rates: RateLimit | undefined =
      this.#rates.get(rate) ?? (terms && (this.#cluster?.ratesOf("rule", terms) ?? new Rates(terms)));
    if (!rates) return;
    this.#rates.set(rate, rates);
    const key = `${place} ${principal}`;
    const late = rates.ready?.(key);
    if (late) await late;
    rates.take(key, `for ${what}, ${principal}`);
  }

  async #decide(grants: Grants, asked: Asked, request: Envelope): Promise<Decision> {
    if (!grants.minds(asked)) return grants.decide(asked, () => false);
    const bytes = spanBytes(request, "params");
    // Whoever reads the other of two values would do what nobody has looked at.
    if (bytes && hasDoubledKeys(decodeText(bytes))) return { kind: "deny", place: undefined };
    const params = asRecord(spanValue(request, "params"));
    this.#judge ??= loadJudge();
    const judge = await this.#judge;
    return grants.decide(asked, (rule) => argumentsFit(rule, params["arguments"], judge));
  }
}

/** A resource is asked about as it is written, and as it may be understood. */
function formsOf(asked: Asked): readonly Asked[] {
  const plain = asked.kind === "resources" ? plainUri(asked.name) : asked.name;
  return plain === asked.name ? [asked] : [asked, { ...asked, name: plain }];
}

function describe({ asked, shown }: Considered): string {
  return `the ${whatIs[asked.kind]} ${JSON.stringify(shown)}`;
}

function needsScopes({ scopes }: Extract<Decision, { kind: "scopes" }>, what: string): GatewayError {
  const data = { error: "insufficient_scope", scope: scopes.join(" ") };
  return new GatewayError("insufficientScope", `${what} needs a token with ${scopes.join(" ")}`, { data });
}

/** Whether arguments fit what a rule says of them. */
function argumentsFit({ arguments: wanted = {} }: PolicyRulePlan, args: unknown, judge: Judge): boolean {
  return Object.entries(wanted).every(([pointer, schema]) => {
    const value = valueAt(args, pointer);
    return value !== undefined && judge(schema, value);
  });
}

/** Its libraries take a while to load, and most policies do not need them. */
async function loadJudge(): Promise<Judge> {
  const [{ Ajv2020 }, regExp] = await Promise.all([import("ajv/dist/2020.js"), loadPatterns()]);
  const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false, code: { regExp } });
  return (schema, value) => {
    try {
      return ajv.validate(schema, value);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      // What cannot be judged is not allowed.
      throw new GatewayError("denied", `a schema of the policy cannot be used: ${why}`, { cause: error });
    }
  };
}

/** Asks the user of the client that calls, on the way of its call; false where nobody can be asked. */
async function confirmed(
  what: string,
  { asked: { backend }, request }: Considered,
  call: ActiveCall,
): Promise<boolean> {
  const args = JSON.stringify(asRecord(spanValue(request, "params"))["arguments"] ?? {});
  const message = `May ${what} of ${backend} be called with ${args.slice(0, maxShown)}${args.length > maxShown ? "…" : ""}?`;
  const requestedSchema = { type: "object", properties: {} };
  const scanned = scan(requestMessage(0, "elicitation/create", { message, requestedSchema }));
  const { session } = call;
  const canAsk = call.era === "legacy" || call.canAsk;
  if (!canAsk || scanned.kind !== "message") return false;
  if (missingCapability(session.facts.capabilities, scanned.envelope) !== undefined) return false;
  const answered = Promise.withResolvers<Uint8Array>();
  const asker = { backend, send: (answer: Uint8Array) => answered.resolve(answer) };
  session.asks.open(asker, scanned.envelope, (ask) => call.ask(ask), call);
  const answer = scan(await call.scope.race(answered.promise));
  return answer.kind === "message" && asRecord(spanValue(answer.envelope, "result"))["action"] === "accept";
}
