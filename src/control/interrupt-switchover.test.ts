import { interruptSuite, switchover } from "./interrupt.fixture.ts";

interruptSuite(import.meta.url, switchover);
