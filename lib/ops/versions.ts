// The revisions of the protocol that this program speaks, newest first.

import { legacyCodec } from "../protocol/legacy.ts";
import { modernVersions } from "../protocol/modern-meta.ts";

export const spokenVersions: readonly string[] = [...modernVersions, ...legacyCodec.versions];
