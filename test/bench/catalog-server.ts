// Fifty MCP servers in one process, each with thousands of tools of a kilobyte: `catalog-server.ts <servers> <tools>`.
import { createServer } from "node:http";
import process from "node:process";

const [servers = 50, tools = 2000] = process.argv.slice(2).map(Number);
/** Of each page that a server sends. */
const pageSize = 500;
const toolBytes = 1024;

/** The pages of a server, made once: this process is not what is measured. */
const pages = new Map<string, readonly string[]>();
for (let server = 0; server < servers; server += 1) {
  const all = Array.from({ length: tools }, (_, at) => toolText(server, at));
  const count = Math.ceil(tools / pageSize);
  pages.set(
    `/b${server}`,
    Array.from({ length: count }, (_, page) => {
      const next = page + 1 < count ? `,"nextCursor":"${page + 1}"` : "";
      return `{"tools":[${all.slice(page * pageSize, (page + 1) * pageSize).join(",")}]${next}}`;
    }),
  );
}

function toolText(server: number, at: number): string {
  const name = `tool_${String(at).padStart(5, "0")}`;
  const inputSchema = { type: "object", properties: { path: { type: "string", description: "Where to look." } } };
  const text = (description: string): string => JSON.stringify({ name, description, inputSchema });
  const filler = `Looks for things of server ${server} and says what it has found. `;
  const room = toolBytes - text("").length;
  return text(filler.repeat(Math.ceil(room / filler.length)).slice(0, room));
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const text = Buffer.concat(chunks).toString();
    const { id, method, params } = (text === "" ? {} : JSON.parse(text)) as {
      id?: number;
      method?: string;
      params?: { cursor?: string; protocolVersion?: string };
    };
    // Who is told of changes does not ask for the catalog again.
    if (request.method === "GET")
      return response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    if (request.method !== "POST") return void response.writeHead(405).end();
    if (id === undefined) return void response.writeHead(202).end();
    const own = pages.get(new URL(request.url ?? "/", "http://x").pathname) ?? [];
    const result =
      method === "tools/list"
        ? own[Number(params?.cursor ?? 0)]
        : method === "initialize"
          ? JSON.stringify({
              protocolVersion: params?.protocolVersion,
              capabilities: { tools: { listChanged: true } },
              serverInfo: { name: "catalog", version: "1" },
            })
          : "{}";
    const body = Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === "object" && address ? address.port : 0}\n`);
});
