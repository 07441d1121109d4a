// The official conformance suite of the legacy era, with three processes behind nginx in the place of one.
import process from "node:process";
import { lacksFleet } from "../kit/engine.ts";

process.env["MCPCTL_TEST_FLEET"] = "3";
if (lacksFleet === false) await import("../contract/conformance.test.ts");
