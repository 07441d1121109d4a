// The public names of faults on purpose.

export { createFaults } from "./ops/faults-file.ts";
