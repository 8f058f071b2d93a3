import { interruptSuite } from "./interrupt.fixture.ts";
import { indexMovePutBack } from "./interrupt-index-move.fixture.ts";

interruptSuite(import.meta.url, indexMovePutBack);
