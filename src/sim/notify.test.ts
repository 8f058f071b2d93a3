import { notifyContract } from "../../test/contract/notify.ts";
import { MemoryNotify } from "./notify.ts";

notifyContract("memory", async () => {
  const shared = new MemoryNotify();
  return { open: async () => shared, told: async () => shared.notices, end: async () => {} };
});
