import { failover, interruptSuite } from "./interrupt.fixture.ts";

interruptSuite(import.meta.url, failover);
