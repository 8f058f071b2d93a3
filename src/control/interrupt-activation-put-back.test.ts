import { interruptSuite } from "./interrupt.fixture.ts";
import { activationPutBack } from "./interrupt-release.fixture.ts";

interruptSuite(activationPutBack);
