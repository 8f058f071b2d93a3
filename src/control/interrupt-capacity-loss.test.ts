import { capacityLoss, interruptSuite } from "./interrupt.fixture.ts";

interruptSuite(import.meta.url, capacityLoss);
