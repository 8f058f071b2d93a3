import { interruptSuite } from "./interrupt.fixture.ts";
import { indexMove } from "./interrupt-index-move.fixture.ts";

interruptSuite(import.meta.url, indexMove);
