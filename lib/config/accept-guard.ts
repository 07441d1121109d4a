// The quick reader of what a config says of the trust in a server.

import { fieldsOf, flag, listOf, matching, oneOf, quantity, type Reader } from "./readers.ts";
import { byteRange, textPattern } from "./rules.ts";
import { type GuardConfig, isMaskPattern, type SandboxConfig, type SandboxMap, typePattern } from "./rules-guard.ts";
import { parseSize } from "./units.ts";

const text = matching(textPattern);
const paths = listOf<string>((value) => (value === "" ? undefined : text(value)));

const sandboxMap = fieldsOf<SandboxMap>(
  { type: oneOf("bubblewrap"), read: paths, write: paths, hide: paths, network: flag },
  ["type"],
);

export const sandboxReader: Reader<SandboxConfig> = (value) => (value === "bubblewrap" ? value : sandboxMap(value));

export const guardReader: Reader<GuardConfig> = fieldsOf<GuardConfig>({
  size: quantity(parseSize, ...byteRange),
  types: listOf(matching(typePattern), 1),
  mask: listOf<string>((value) => (typeof value === "string" && isMaskPattern(value) ? value : undefined)),
});
