import { interruptSuite, switchover } from "./interrupt.fixture.ts";

interruptSuite(switchover);
