// A gateway on a socket, as a process of its own: `front-server.ts <backend url> [keepAliveMs]`; SIGTERM closes it.
import process from "node:process";
import { listen } from "../../lib/listen.ts";
import { createGateway } from "./kit.ts";

const [url = "", keepAliveMs = "15000"] = process.argv.slice(2);
const gateway = await createGateway(
  { timeouts: { keepAliveMs: Number(keepAliveMs), drainMs: 100 }, limits: { bodyBytes: 100_000 } },
  { peer: url },
);
await gateway.settled(5_000);
const listener = await listen({ host: "127.0.0.1", port: 0, handle: (request) => gateway.handle(request) });
process.once("SIGTERM", () => {
  listener.close(false).catch(() => {});
  void gateway.close().then(() => listener.close(true));
});
process.stdout.write(`listening ${listener.url.href}\n`);
