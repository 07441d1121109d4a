#!/usr/bin/env bun
// The program: runs the command line, and ends with its exit code.

import process from "node:process";
import { flush } from "./output.ts";
import { run } from "./run.ts";

/** The exit code where the answer could not be written. */
const unwritten = 70;

const code = await run(process.argv.slice(2));
await flush(code !== unwritten);
// Not by waiting until nothing is left to do: a server that takes its time to end is killed with the program.
process.exit(code);
