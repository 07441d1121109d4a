// The quick reader of what a config says of other gateway processes.

import { fieldsOf, matching, type Reader } from "./readers.ts";
import { type ClusterConfig, clusterPrefixPattern, isEngineUrl } from "./rules-cluster.ts";

export const clusterReader: Reader<ClusterConfig> = fieldsOf<ClusterConfig>(
  {
    url: (value) => (typeof value === "string" && isEngineUrl(value) ? value : undefined),
    prefix: matching(clusterPrefixPattern),
  },
  ["url"],
);
