// What must be there: a feature that was forgotten is an error, and never a feature that is off.

import { GatewayError } from "./errors.ts";

/** The module of a feature that the plan asks for. */
export function required<Module>(module: Module | undefined): Module {
  if (module === undefined) throw new GatewayError("internal", "a feature that the config asks for was not loaded");
  return module;
}
