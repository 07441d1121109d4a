// The version of this program: what package.json says, in a checkout and in a binary.

import manifest from "../package.json" with { type: "json" };

export const version: string = manifest.version;
