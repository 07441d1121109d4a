// A child that cannot keep a secret: prints what it was given, in its log, its errors and its last words. `leaky-server.ts [die]`
import process from "node:process";

const given = Object.entries(process.env).filter(([name]) => /SECRET|TOKEN/.test(name));
const words = `given ${given.map(([name, value]) => `${name}=${value}`).join(" ")} and ${process.argv.slice(2).join(" ")}`;
process.stderr.write(`${words}\n`);
if (process.argv.includes("die")) process.exit(1);

let rest = "";
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines)
    answer(JSON.parse(line) as { id?: unknown; method?: string; params?: Record<string, unknown> });
});
process.stdin.on("end", () => process.exit(0));

function answer({ id, method, params }: { id?: unknown; method?: string; params?: Record<string, unknown> }): void {
  if (id === undefined) return;
  const say = (body: object): boolean => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...body })}\n`);
  if (method === "initialize")
    say({
      result: {
        protocolVersion: params?.["protocolVersion"],
        capabilities: { tools: {} },
        serverInfo: { name: "leaky", version: "1" },
      },
    });
  else if (method === "tools/list") say({ result: { tools: [{ name: "die", inputSchema: { type: "object" } }] } });
  else if (method === "tools/call") {
    process.stderr.write(`${words}\n`, () => process.exit(3));
  } else say({ error: { code: -32601, message: "no such method" } });
}
