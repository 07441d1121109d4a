// The public names of the demo: servers inside the program itself.

export { demoNames, runDemo } from "./ops/demo.ts";
