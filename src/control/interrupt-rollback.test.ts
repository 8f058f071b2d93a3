import { interruptSuite } from "./interrupt.fixture.ts";
import { rollback } from "./interrupt-release.fixture.ts";

interruptSuite(import.meta.url, rollback);
