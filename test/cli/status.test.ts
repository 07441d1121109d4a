// `mcpctl status` and `wait` against a gateway that comes up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { startScript } from "../kit/process.ts";
import { type Ended, mcpctl } from "./kit.ts";

const limits = { timeout: 120_000 };

/** Not spawnSync, which would keep a gateway of this process from being read. */
async function run(...args: readonly string[]): Promise<Ended> {
  await using proc = startScript("cli/main.ts", args);
  const { code } = await proc.exited;
  return { code, stdout: proc.stdout, stderr: proc.stderr };
}

test("status: wait ends when the gateway is there, and status shows its backends", limits, async () => {
  await using demo = startScript("cli/main.ts", ["serve", "--demo", "--port", "0"]);
  const [, address = ""] = await demo.line(/http:\/\/(127\.0\.0\.1:\d+)\/mcp/, "stderr");
  const waited = await run("wait", address, "--for", "ready", "--for", "backend=notes");
  assert.equal(waited.code, 0, waited.stderr);
  const { code, stdout } = await run("status", address);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^ok {2}mcpctl .*\n.*\n\nBACKEND +STATE +TRANSPORT\ntext +up +stdio\nclock +up +stdio\+stdio\nnotes +up +stdio\n$/,
  );
  const status: ReturnType<typeof JSON.parse> = JSON.parse((await run("status", address, "-o", "json")).stdout);
  const ajv = new Ajv2020({ strict: false });
  const schema = JSON.parse(mcpctl(["schema", "GatewayStatus"]).stdout);
  assert.equal(ajv.validate(schema, status), true, ajv.errorsText());
  const vain = await run("wait", address, "--for", "backend=nobody", "--timeout", "300ms");
  assert.equal(vain.code, 4);
  assert.match(vain.stderr, /error\[E4107\].*there is no backend nobody/);
});

test("status: nobody there", limits, async () => {
  assert.equal((await run("status", "127.0.0.1:1")).code, 4);
  const vain = await run("wait", "127.0.0.1:1", "--timeout", "300ms");
  assert.equal(vain.code, 4);
  assert.match(vain.stderr, /waited 0\.3 s in vain: .*(?:cannot be reached|did not answer)/);
  assert.equal((await run("wait", "a:b:c")).code, 2);
  assert.equal((await run("wait", "--for", "noon")).code, 2);
});
