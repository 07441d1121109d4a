// Flags win over the config file.

import { freeze, GatewayError, isLoopback, type Plan } from "../lib/index.ts";
import { type Flags, hasFlag, textFlag } from "./command.ts";

/** The plan with the address that the flags name; refuses one that lets everybody in. */
export function withFlags(plan: Plan, flags: Flags): Plan {
  const host = textFlag(flags, "host") ?? plan.listen.host;
  if (!isLoopback(host) && !hasFlag(flags, "stdio")) {
    if (!plan.auth && !hasFlag(flags, "insecure"))
      throw new GatewayError(
        "insecureBind",
        `${host} can be reached from other machines, and this gateway has no authentication`,
      );
    if (plan.auth && plan.auth.issuers.length > 0 && plan.publicUrl === undefined)
      throw new GatewayError("configInvalid", `tokens are made for an address, and ${host} is none: set publicUrl`);
  }
  return freeze({ ...plan, listen: { host, port: portFlag(flags) ?? plan.listen.port } });
}

/** The port that `--port` names; throws `usage` for what is no port. */
export function portFlag(flags: Flags): number | undefined {
  const port = textFlag(flags, "port");
  if (port === undefined || (/^\d{1,5}$/.test(port) && Number(port) < 65_536))
    return port === undefined ? port : Number(port);
  throw new GatewayError("usage", `--port must be a number from 0 to 65535, not ${JSON.stringify(port)}`);
}
