import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listenError } from "./listen.ts";

describe("an address that cannot be had", () => {
  const address = { host: "127.0.0.1", port: 7110 };
  const table: readonly (readonly [string, string, string, RegExp])[] = [
    ["is another's", "EADDRINUSE", "PORT_TAKEN", /another port/],
    ["cannot be shared on this system", "ENOTSUP", "USAGE", /--workers 1/],
    ["is not this machine's", "EADDRNOTAVAIL", "USAGE", /address of this machine/],
  ];
  for (const [name, code, ours, next] of table) {
    it(`${name}: says what to do`, () => {
      const error = listenError(Object.assign(new Error(`listen ${code}`), { code }), address);
      assert.equal(error.code, ours);
      assert.match(error.message, /127\.0\.0\.1:7110/);
      assert.match(error.next ?? "", next);
    });
  }
});
