import assert from "node:assert/strict";
import { test } from "node:test";
import { errorBody, errorBodyOf, errorTypeOf } from "./errors.ts";

test("an error body always has the four fields", () => {
  assert.deepEqual(errorBody({ message: "no", type: "api_error" }), {
    error: { message: "no", type: "api_error", param: null, code: null },
  });
});

test("the type follows the status", () => {
  assert.equal(errorTypeOf(401), "authentication_error");
  assert.equal(errorTypeOf(429), "rate_limit_error");
  assert.equal(errorTypeOf(418), "invalid_request_error");
  assert.equal(errorTypeOf(599), "api_error");
  assert.deepEqual(errorBodyOf(404, { message: "gone", param: "model", code: "model_not_found" }), {
    error: {
      message: "gone",
      type: "invalid_request_error",
      param: "model",
      code: "model_not_found",
    },
  });
});
