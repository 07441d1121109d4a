// A hostile server on stdin and stdout: a good handshake, and then whatever it likes. Arguments: the seed.
import process from "node:process";
import { Messages } from "./messages.ts";
import { mutate, Random } from "./random.ts";

const seed = Number(process.argv[2] ?? 1);
const random = new Random(seed);
const messages = new Messages(random, seed);
const tools = '{"tools":[{"name":"go","inputSchema":{"type":"object"}}]}';

/** Lines that were not what they should have been. */
let replies = 0;

let rest = "";
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) process.stdout.write(answerTo(line));
});
process.stdin.on("end", () => process.exit(0));

function answerTo(line: string): Buffer | string {
  const { id, method, params } = Object(JSON.parse(line));
  if (id === undefined) return "";
  const result = (text: string): string => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${text}}\n`;
  const { protocolVersion } = Object(params);
  if (method === "initialize")
    return result(
      JSON.stringify({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "h", version: "1" } }),
    );
  if (method === "tools/list") return result(tools);
  if (method === "ping") return result("{}");
  if (method !== "tools/call")
    return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"no"}}\n`;
  const said: Buffer[] = [];
  for (let left = random.below(3); left > 0; left -= 1) said.push(oneLine(messages.fromServer(id)));
  if (random.once(20)) said.push(oneLine(mutate(random, random.bytes(50), random.bytes(50))));
  replies += said.length + 1;
  if (replies % 100 < 3) process.stderr.write(`replies ${replies}\n`);
  // So that the call has an end: whether it is still waited for, nobody knows.
  said.push(oneLine(messages.fromServer(id)), Buffer.from(result('{"content":[]}')));
  return Buffer.concat(said);
}

function oneLine(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(bytes.filter((byte) => byte !== 0x0a)), Buffer.from("\n")]);
}
