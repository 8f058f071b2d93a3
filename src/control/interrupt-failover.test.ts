import { failover, interruptSuite } from "./interrupt.fixture.ts";

interruptSuite(failover);
