import { interruptSuite, undone } from "./interrupt.fixture.ts";

interruptSuite(import.meta.url, undone);
