import { interruptSuite, undone } from "./interrupt.fixture.ts";

interruptSuite(undone);
