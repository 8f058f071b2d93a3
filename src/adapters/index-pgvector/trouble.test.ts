import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import { loadDriver } from "./database.ts";
import { openPgvectorIndex } from "./index.ts";
import { explained, placeOf } from "./trouble.ts";

const SECRET = "h4nd-over";
const URL_ = `postgres://agent:${SECRET}@db.example:5432/app?sslmode=verify-full`;

test("an index that cannot be reached says where it was looked for, and never the password", async () => {
  // Port 1: nothing listens there, and nobody but root may.
  const url = `postgres://agent:${SECRET}@127.0.0.1:1/app`;
  const index = await openPgvectorIndex({ url, schema: "tideover_handbook" });
  await assert.rejects(index.position(), (error: TideoverError) => {
    assert.equal(error.code, "INDEX_UNAVAILABLE");
    assert.match(error.message, /database app at 127\.0\.0\.1:1, schema tideover_handbook/);
    assert.match(error.next ?? "", /Check that PostgreSQL runs there/);
    assert.ok(!JSON.stringify([error, error.message, error.stack, error.cause]).includes(SECRET));
    return true;
  });
  await index.close();
});

test("what is no connection string is refused without being shown", async () => {
  for (const url of ["", SECRET, `mysql://u:${SECRET}@h/d`, `host=h password=${SECRET}`]) {
    await assert.rejects(openPgvectorIndex({ url, schema: "s" }), (error: TideoverError) => {
      assert.equal(error.code, "INDEX_UNAVAILABLE");
      assert.ok(!`${error.message}${error.next}${error.stack}`.includes(SECRET));
      return true;
    });
  }
});

test("each kind of trouble has its own advice, and a library's word of the password is covered", () => {
  const place = placeOf(URL_, "s");
  const advice: Readonly<Record<string, RegExp>> = {
    "28P01": /user and password/,
    "3D000": /Create the database/,
    "42501": /rights that docs\/pgvector\.md lists/,
    "25006": /primary/,
    "53300": /max_connections/,
    ENOTFOUND: /Check the host/,
    "": /Check the server/,
  };
  for (const [code, next] of Object.entries(advice)) {
    const said = Object.assign(new Error(`no entry for ${SECRET}`), { code });
    const error = explained(place, said);
    assert.ok(error instanceof TideoverError);
    assert.equal(error.code, "INDEX_UNAVAILABLE");
    assert.match(error.next ?? "", next);
    assert.match(error.message, /no entry for \*\*\*/);
  }
});

test("a document that PostgreSQL can never hold is the document's fault", () => {
  const error = explained(
    placeOf(URL_, "s"),
    Object.assign(new Error("index row size 4000 exceeds"), { code: "54000" }),
  );
  assert.ok(error instanceof TideoverError);
  assert.equal(error.code, "CORPUS_INVALID");
});

test("without the package pg, the engine says what to install", async () => {
  const missing = (): Promise<never> => Promise.reject(new Error("Cannot find package 'pg'"));
  await assert.rejects(loadDriver(missing), (error: TideoverError) => {
    assert.match(messageOf(error), /pgvector needs the package pg/);
    assert.match(error.next ?? "", /npm install pg/);
    return true;
  });
});
