// Where something stands that is about a server as a whole.

import type { FilePlace } from "../config/problems.ts";
import type { Target } from "./target.ts";

/** The place of a server in its config; an empty one for addresses and command lines. */
export function nearestPlace({ place }: Target): FilePlace {
  return place ?? { file: "", line: 0, column: 0 };
}
