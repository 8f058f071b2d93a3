import { interruptSuite } from "./interrupt.fixture.ts";
import { activationPutBack } from "./interrupt-release.fixture.ts";

interruptSuite(import.meta.url, activationPutBack);
