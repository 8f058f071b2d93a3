import { interruptSuite } from "./interrupt.fixture.ts";
import { rollback } from "./interrupt-release.fixture.ts";

interruptSuite(rollback);
