// `mcpctl drain`: a running gateway takes no new calls, finishes those it has, and ends if that is wanted.

import { asGatewayError, GatewayError } from "../lib/index.ts";
import { checkHealth, drainGateway, seconds, sleep } from "../lib/toolbox.ts";
import { formats, show } from "./answer.ts";
import { type Command, type Flags, hasFlag, wordFlag } from "./command.ts";
import { gatewayToken, outputFlag, timeoutOf } from "./common.ts";
import { Live } from "./live.ts";
import { interruptedExit, type Limits, limits } from "./patience.ts";

const defaultMs = 30_000;
const answerMs = 5_000;
/** A busy machine needs as much to say that a call is not over. */
const soonestMs = 1_000;
/** What the gateway needs beside its calls, to end. */
const endingMs = 15_000;
const stepMs = 50;

const command: Command = {
  meta: { name: "drain", description: "Let a running gateway finish its calls and take no new ones" },
  args: {
    url: { type: "positional", description: "Its address; http://127.0.0.1:7337 if left out", required: false },
    exit: { type: "boolean", description: "End the gateway after that" },
    timeout: { type: "string", description: "How long its calls may take; 30s if left out", valueHint: "duration" },
    output: outputFlag(formats),
  },
  examples: ["mcpctl drain", "mcpctl drain 127.0.0.1:8080 --exit --timeout 2m"],
  run: drain,
};

export default command;

async function drain(flags: Flags): Promise<number> {
  const format = wordFlag(flags, "output", formats) ?? "table";
  const waitMs = timeoutOf(flags, defaultMs);
  const [address] = flags.positionals;
  const exit = hasFlag(flags, "exit");
  using bound = limits(Infinity);
  const token = gatewayToken();
  const live = new Live();
  const startedAt = Date.now();
  const { drained, inFlight } = await drainGateway(
    { address, token, answerMs: Math.min(answerMs, Math.max(soonestMs, waitMs)), scope: bound.scope },
    { waitMs, exit },
    (left) => live.draw([`waiting for ${callsOf(left)}`]),
  ).finally(() => live.clear());
  if (bound.interrupted) return interruptedExit(bound);
  const ms = Date.now() - startedAt;
  if (exit) await untilGone(address, bound);
  await show(format, {
    kind: "Drain",
    body: { drained, inFlight, ms, exited: exit },
    names: [],
    text: () => [
      drained
        ? `drained in ${seconds(ms)}${exit ? ", and ended" : "; it takes no new calls"}`
        : `${callsOf(inFlight)} not over after ${seconds(ms)}${exit ? ", and cut" : "; it takes no new ones"}`,
    ],
  });
  return drained ? 0 : 1;
}

function callsOf(count: number): string {
  return `${count} call${count === 1 ? "" : "s"}`;
}

/** Resolves when nobody answers at the address any more. */
async function untilGone(address: string | undefined, { scope }: Limits): Promise<void> {
  const until = Date.now() + endingMs;
  while (!scope.cancelled) {
    const failure = await checkHealth(address, answerMs, gatewayToken()).then(() => undefined, asGatewayError);
    if (failure?.code === "unreachable") return;
    if (Date.now() > until) throw new GatewayError("callTimeout", "the gateway was told to end, and is still there");
    await sleep(stepMs, scope).catch(() => {});
  }
}
