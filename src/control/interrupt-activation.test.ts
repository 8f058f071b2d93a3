import { interruptSuite } from "./interrupt.fixture.ts";
import { activation } from "./interrupt-release.fixture.ts";

interruptSuite(import.meta.url, activation);
