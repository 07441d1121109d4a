// The container without an engine: the same commands make its folder, and bubblewrap runs it as the container file says.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connectClient } from "../kit/client.ts";
import { provide } from "../kit/packages.ts";
import { bunExecutable, projectRoot, startHttpServer, startProcess } from "../kit/process.ts";

const limits = { timeout: 120_000 };
// Without user namespaces nobody can pretend to be the container's user.
const skip = !provide("bwrap", "bubblewrap") || spawnSync("bwrap", ["--ro-bind", "/", "/", "true"]).status !== 0;
const folder = mkdtempSync(join(tmpdir(), "mcpctl-container-"));
const rootfs = join(folder, "rootfs");
const containerfile = readFileSync(join(projectRoot, "deploy/Containerfile"), "utf8");

after(() => rmSync(folder, { recursive: true, force: true }));

/** The words after an instruction of the last stage, as JSON where they are. */
function instruction(name: string): string {
  const stage = containerfile.slice(containerfile.lastIndexOf("\nFROM "));
  const found = new RegExp(`^${name} (.*)$`, "m").exec(stage)?.[1];
  assert.ok(found, `the container file has no ${name}`);
  return found;
}

function words(name: string): string[] {
  const list: unknown = JSON.parse(instruction(name).replace(/^.*CMD /, ""));
  assert.ok(Array.isArray(list));
  return list.map(String);
}

/** Runs the container file's own commands, without those that install. */
function build(): void {
  if (existsSync(rootfs)) return;
  execFileSync(bunExecutable(), [join(projectRoot, "deploy/build.ts"), "--host", "--out", folder], { stdio: "pipe" });
  const command = /^RUN (deploy\/rootfs\.sh) dist\/mcpctl \/rootfs$/m.exec(containerfile)?.[1];
  assert.ok(command);
  execFileSync(join(projectRoot, command), [join(folder, "mcpctl"), rootfs], { stdio: "pipe" });
}

/** What puts a command into the container: read-only, with a /tmp of its own, and only with the network of its host. */
function inside(config: string, command: readonly string[]): [string, string[]] {
  const [user = "", group = ""] = instruction("USER").split(":");
  const mounts = ["--ro-bind", rootfs, "/", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"];
  const rights = ["--unshare-all", "--share-net", "--uid", user, "--gid", group, "--cap-drop", "ALL", "--clearenv"];
  const place = ["--setenv", "HOME", "/var/lib/mcpctl", "--chdir", instruction("WORKDIR"), "--die-with-parent"];
  return ["bwrap", [...mounts, "--ro-bind", config, "/etc/mcpctl/mcpctl.yaml", ...rights, ...place, ...command]];
}

test(
  "container: it serves as a user without rights, on a root that nobody can write to",
  { ...limits, skip },
  async () => {
    build();
    await using server = await startHttpServer();
    const config = join(folder, "mcpctl.yaml");
    writeFileSync(config, `backends: { fixture: { url: "${server.url}" } }\n`);
    writeFileSync(join(rootfs, "etc/mcpctl/mcpctl.yaml"), "");
    const [program = "", ...args] = [...words("ENTRYPOINT"), ...words("CMD")];
    // This machine is no container: the gateway stays on loopback, at a free port.
    const flags = args.map((word) => (word === "0.0.0.0" ? "127.0.0.1" : word));
    await using gateway = startProcess(...inside(config, [program, ...flags, "--port", "0"]));
    const [url] = await gateway.line(/http:\/\/127\.0\.0\.1:\d+\/mcp/, "stderr");
    await gateway.line(/backend fixture: is up/, "stderr");
    {
      await using client = await connectClient({ url });
      assert.deepEqual(JSON.parse(await client.callText("fixture__echo", { said: "once" })), { said: "once" });
    }
    const [check, checkArgs] = inside(config, [...words("HEALTHCHECK"), url]);
    const health = spawnSync(check, checkArgs, { encoding: "utf8", timeout: 120_000 });
    assert.equal(health.status, 0, health.stdout + health.stderr);
  },
);

test("container: what other machines reach is refused without auth", { ...limits, skip }, () => {
  build();
  const config = join(folder, "open.yaml");
  writeFileSync(config, "backends: {}\n");
  writeFileSync(join(rootfs, "etc/mcpctl/mcpctl.yaml"), "");
  const [program, args] = inside(config, [...words("ENTRYPOINT"), ...words("CMD")]);
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 3, stderr);
  assert.match(stderr, /--insecure/);
});

test("container: it holds the binary, its libraries, and nothing else that runs", { ...limits, skip }, () => {
  build();
  const files = execFileSync("find", [rootfs, "-type", "f", "-printf", "/%P\n"], { encoding: "utf8" })
    .trim()
    .split("\n");
  const others = files.filter((file) => !/^\/(?:usr\/)?lib.*\.so(?:\.\d+)*$|^\/lib64\//.test(file));
  assert.deepEqual(others.toSorted(), [
    "/etc/group",
    "/etc/mcpctl/mcpctl.yaml",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/mcpctl",
  ]);
});
