import { test } from "node:test";
import { indexContract } from "../../../test/contract/index.ts";
import { make, skipped } from "./bench.fixture.ts";

if (skipped === false) indexContract("lancedb", make, { durable: true });
else test("the index contract: lancedb", { skip: skipped }, () => undefined);
