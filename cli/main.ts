#!/usr/bin/env bun
// The program: runs the command line, and ends with its exit code.

import process from "node:process";
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2));
