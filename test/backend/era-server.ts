// A server over stdio that is odd before initialize: `era-server.ts exit|silent|slow|error|disjoint`, which prints what it got to stderr.
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const [, , oddity = "error"] = process.argv;
const initialized =
  '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"odd","version":"1"}}';
const discovered =
  '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}';

// Longer than the gateway waits for the answer to its first question.
if (oddity === "slow") await pause(2500);
for await (const line of createInterface({ input: process.stdin })) {
  const message: unknown = JSON.parse(line);
  if (typeof message !== "object" || message === null || !("id" in message) || !("method" in message)) continue;
  const { id, method } = message;
  process.stderr.write(`got ${String(method)}\n`);
  const say = (member: string): void =>
    void process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${member}}\n`);
  if (method === "initialize" && oddity !== "slow") say(`"result":${initialized}`);
  else if (method !== "server/discover") say('"error":{"code":-32601,"message":"no such method"}');
  else if (oddity === "exit") process.exit(1);
  else if (oddity === "slow") say(`"result":${discovered}`);
  else if (oddity === "disjoint")
    say('"error":{"code":-32022,"message":"no","data":{"supported":["2031-01-01"],"requested":"x"}}');
  else if (oddity === "error") say('"error":{"code":-32000,"message":"not initialized"}');
}
