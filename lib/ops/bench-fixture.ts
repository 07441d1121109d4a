// The server that benchmarks are tried on: tools that take a while, notes of what was executed, and faults on request.

import { GatewayError } from "../core/errors.ts";
import { after, type Scope } from "../core/scope.ts";
import { asRecord } from "../core/text.ts";
import type { Journal } from "./bench-journal.ts";
import type { Call, DemoServer, JsonObject, Method } from "./demo-server.ts";

export interface FixtureOptions {
  /** What its answers call it. */
  readonly name: string;
  /** How long a call takes. */
  readonly delayMs: number;
  /** How much longer than that, at most. */
  readonly jitterMs: number;
  /** Every call that comes within this time after the first `stallAfter` calls waits for its end. */
  readonly stallMs: number;
  readonly stallAfter: number;
  /** Every so-manieth call fails; 0 = none. */
  readonly failEvery: number;
  /** … is answered and not executed. */
  readonly loseEvery: number;
  /** … is executed twice. */
  readonly duplicateEvery: number;
  /** … makes the server forget its sessions. */
  readonly forgetEvery: number;
  readonly journal: Journal | undefined;
}

export const fixtureDefaults: FixtureOptions = {
  name: "fixture",
  delayMs: 0,
  jitterMs: 0,
  stallMs: 0,
  stallAfter: 0,
  failEvery: 0,
  loseEvery: 0,
  duplicateEvery: 0,
  forgetEvery: 0,
  journal: undefined,
};

/** What the transport may be told. */
export interface FixtureHost {
  /** The server forgets its sessions. */
  forget(): void;
}

const inputSchema = { type: "object", properties: { nonce: { type: "string" }, size: { type: "integer" } } } as const;
const readOnly = { readOnlyHint: true, idempotentHint: true, openWorldHint: false } as const;
const maxSize = 16 * 2 ** 20;

const tools: readonly JsonObject[] = [
  { name: "work", description: "Takes a while; may be repeated.", inputSchema, annotations: readOnly },
  { name: "write", description: "Takes a while; must not be repeated.", inputSchema },
  {
    name: "executions",
    description: "How many calls this server has executed since it was started.",
    inputSchema: { type: "object" },
    annotations: readOnly,
  },
];

export function createFixture(options: FixtureOptions, host: FixtureHost): DemoServer {
  const executed = new Map<string, number>();
  let calls = 0;
  let stallUntil = 0;
  const run = (nonce: string): void => {
    executed.set(nonce, (executed.get(nonce) ?? 0) + 1);
    options.journal?.note("ran", nonce);
  };
  const work = async (params: JsonObject, { scope }: Call): Promise<JsonObject> => {
    calls += 1;
    const number = calls;
    const given = asRecord(params["arguments"]);
    const told = given["nonce"] ?? asRecord(params["_meta"])["mcpctl/nonce"];
    const nonce = typeof told === "string" ? told : `call-${number}`;
    options.journal?.note("got", nonce);
    if (number === options.stallAfter) stallUntil = Date.now() + options.stallMs;
    const waitMs = Math.max(stallUntil - Date.now(), options.delayMs + Math.random() * options.jitterMs);
    if (waitMs > 0) await pauseInSteps(waitMs, scope);
    if (isEvery(options.forgetEvery, number)) host.forget();
    if (isEvery(options.failEvery, number))
      return { content: [{ type: "text", text: "planted failure" }], isError: true };
    // A caller that has gone does not want it any more.
    if (scope.cancelled) throw new GatewayError("draining", "the caller has gone");
    if (!isEvery(options.loseEvery, number)) run(nonce);
    if (isEvery(options.duplicateEvery, number)) run(nonce);
    const size = Number(given["size"] ?? 0);
    const filler = size > 0 ? ` ${"x".repeat(Math.min(size, maxSize))}` : "";
    return { content: [{ type: "text", text: `${options.name} ${nonce}${filler}` }] };
  };
  const call: Method = (params, context) => {
    const { name } = params;
    if (name === "work" || name === "write") return work(params, context);
    if (name !== "executions") throw new GatewayError("invalidParams", `there is no tool ${JSON.stringify(name)}`);
    const counts = [...executed.values()];
    const structuredContent = {
      calls,
      executions: counts.reduce((sum, count) => sum + count, 0),
      distinct: counts.length,
      duplicated: counts.reduce((sum, count) => sum + count - 1, 0),
    };
    return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
  };
  return {
    info: { name: "mcpctl-bench-fixture", title: `mcpctl bench fixture ${options.name}`, version: "1.0.0" },
    capabilities: { tools: {} },
    instructions: "Counts what it executes.",
    methods: new Map<string, Method>([
      ["tools/list", () => ({ tools })],
      ["tools/call", call],
    ]),
  };
}

function isEvery(every: number, number: number): boolean {
  return every > 0 && number % every === 0;
}

const steps = 4;
const heldMs = 10;

/**
 * On a loop that was held up, or in a process that was stopped, a timer comes before what the sockets have to say: that
 * the caller has gone, for one.
 */
async function pauseInSteps(ms: number, scope: Scope): Promise<void> {
  let left = Math.min(steps, Math.floor(ms));
  if (ms > left) await pause(ms - left, scope);
  while (left > 0 && !scope.cancelled) {
    const beganAt = Date.now();
    await pause(1, scope);
    left = Date.now() - beganAt > heldMs ? steps : left - 1;
  }
}

/** Resolves after that time, or when the scope is over. */
function pause(ms: number, scope: Scope): Promise<void> {
  return new Promise((resolve) => {
    let release = (): void => {};
    const stop = after(ms, () => {
      release();
      resolve();
    });
    release = scope.onCancel(() => {
      stop();
      resolve();
    });
  });
}
