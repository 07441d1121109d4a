// A child that, called, prints so many bytes to stdout and stderr that are no messages, and answers then: `chatty-server.ts BYTES`
import { once } from "node:events";
import process from "node:process";

const bytes = Number(process.argv[2] ?? 0);
let rest = "";
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines)
    void answer(JSON.parse(line) as { id?: unknown; method?: string; params?: Record<string, unknown> });
});
process.stdin.on("end", () => process.exit(0));

async function answer({
  id,
  method,
  params,
}: {
  id?: unknown;
  method?: string;
  params?: Record<string, unknown>;
}): Promise<void> {
  if (id === undefined) return;
  const say = (result: object): boolean => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
  if (method === "initialize") {
    const serverInfo = { name: "chatty", version: "1" };
    say({ protocolVersion: params?.["protocolVersion"], capabilities: { tools: {} }, serverInfo });
  } else if (method === "tools/list") say({ tools: [{ name: "talk", inputSchema: { type: "object" } }] });
  else {
    for (const stream of [process.stdout, process.stderr])
      for (let sent = 0; sent < bytes / 2; sent += 64_000)
        if (!stream.write(`${"blah ".repeat(12_800)}\n`)) await once(stream, "drain");
    say({ content: [{ type: "text", text: "has talked" }] });
  }
}
