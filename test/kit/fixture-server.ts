// A full MCP server on the SDK's 1.x line for tests: `fixture-server.ts stdio`, or `http [port]`, or `sse [port]`.
import process from "node:process";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { createSession, createWorld } from "./fixture-session.ts";

const [mode = "stdio", port = "0"] = process.argv.slice(2);
const world = createWorld();
if (mode === "http" || mode === "sse") {
  const serve =
    mode === "http" ? (await import("./fixture-http.ts")).serveHttp : (await import("./fixture-sse.ts")).serveSse;
  const { url } = await serve(world, Number(port));
  process.stdout.write(`listening ${url}\n`);
  // Set by the kit: a test that was aborted leaves no server behind.
  if (process.env["EXIT_WITH_STDIN"] === "1") process.stdin.resume().on("end", () => process.exit(0));
} else {
  await createSession(world).server.connect(new StdioServerTransport());
  // Calls that are still running would keep the process alive after its client is gone.
  process.stdin.on("end", () => process.exit(0));
}
