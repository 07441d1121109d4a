// The examples for nginx, HAProxy and systemd: their own programs accept them, and both proxies let events through at once.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createFolder } from "../cli/kit.ts";
import { fixtureStdio, Gateway, until } from "../e2e/kit.ts";
import { connectClient } from "../kit/client.ts";
import { freePort } from "../kit/engine.ts";
import { connectModern } from "../kit/modern-client.ts";
import { provide } from "../kit/packages.ts";
import { projectRoot, startProcess } from "../kit/process.ts";

const limits = { timeout: 120_000 };

interface Proxy {
  readonly name: string;
  readonly file: string;
  readonly isHere: boolean;
  /** Words after which the program says whether it accepts the file. */
  readonly check: (file: string) => string[];
  readonly run: (file: string) => string[];
}

const proxies: readonly Proxy[] = [
  {
    name: "nginx",
    file: "nginx.conf",
    isHere: provide("nginx", "nginx", "-v"),
    check: (file) => ["-t", "-q", "-c", file],
    run: (file) => ["-c", file, "-g", `daemon off; master_process off; pid ${file}.pid; error_log ${file}.log;`],
  },
  {
    name: "haproxy",
    file: "haproxy.cfg",
    isHere: provide("haproxy", "haproxy", "-v"),
    check: (file) => ["-c", "-q", "-f", file],
    run: (file) => ["-db", "-f", file],
  },
];

function exampleOf(name: string): string {
  return readFileSync(join(projectRoot, "deploy", name), "utf8");
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return isOpen;
}

for (const { name, file, isHere, check, run } of proxies) {
  test(`examples: ${name} accepts ${file}`, { ...limits, skip: !isHere }, () => {
    const { status, stdout, stderr } = spawnSync(name, check(join(projectRoot, "deploy", file)), { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  });

  test(
    `examples: ${name} lets questions and changes through while their streams are open`,
    { ...limits, skip: !isHere },
    async () => {
      await using gateway = await Gateway.start({ backends: { fixture: fixtureStdio() } });
      await gateway.up("fixture");
      const port = await freePort();
      const text = exampleOf(file)
        // Two gateways that know nothing of each other could not answer each other's questions: this is one, twice.
        .replaceAll(/127\.0\.0\.1:733[78]/g, new URL(gateway.url()).host)
        .replace("127.0.0.1:8080", `127.0.0.1:${port}`);
      using folder = createFolder({ [file]: text });
      await using proxy = startProcess(name, run(join(folder.path, file)), { cwd: folder.path });
      await until(() => proxy.exit !== undefined || isListening(port), `${name} listens`);
      const url = `http://127.0.0.1:${port}/mcp`;

      // The call goes on when the question that came on its stream is answered.
      await using legacy = await connectClient({ url }, { modelText: "through the proxy" });
      assert.match(await legacy.callText("fixture__ask-sampling", { prompt: "hello" }), /through the proxy/);
      await using modern = await connectModern({ url });
      const subscription = await modern.listen({ toolsListChanged: true });
      await legacy.callText("fixture__grow", {});
      await modern.notified("notifications/tools/list_changed");
      await legacy.notified("notifications/tools/list_changed");
      await subscription.close();
    },
  );
}

const systemd = { ...limits, skip: !provide("systemd-analyze", "systemd") };

test("examples: systemd accepts the unit, and has little against it", systemd, () => {
  // The binary need not be installed where this runs.
  const unit = exampleOf("mcpctl.service").replace("/usr/local/bin/mcpctl", process.execPath);
  using folder = createFolder({ "mcpctl.service": unit });
  const file = join(folder.path, "mcpctl.service");
  const verified = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
  assert.deepEqual({ code: verified.status, said: verified.stderr }, { code: 0, said: "" });
  const judged = spawnSync("systemd-analyze", ["security", "--offline=true", "--threshold=25", file], {
    encoding: "utf8",
  });
  assert.equal(judged.status, 0, judged.stdout);
});
