-- One schema holds one index. `records` is what is searched; sql/guard.sql gives it its keys and
-- its row-level security. Texts stand as text.ts writes them (U+0001 is an escape).
CREATE TABLE records (
  id text COLLATE "C" NOT NULL,
  range_key bigint NOT NULL,
  audience text COLLATE "C" NOT NULL,
  labels text[] NOT NULL,
  embedding text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  vector vector NOT NULL,
  title text NOT NULL,
  text text NOT NULL,
  -- Not jsonb, which spells numbers anew and knows no \u0000.
  payload json NOT NULL
);

CREATE TABLE log (
  seq bigint PRIMARY KEY,
  epoch bigint NOT NULL,
  op text NOT NULL,
  id text COLLATE "C" NOT NULL,
  title text NOT NULL,
  text text NOT NULL,
  audience text NOT NULL,
  labels text[] NOT NULL,
  payload json NOT NULL,
  source_time double precision NOT NULL,
  embedding text NOT NULL,
  vector vector,
  digest_after text NOT NULL
);

CREATE TABLE orphans (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE log);

-- What each log entry replaced: the position before it, and the record before it (all of its
-- columns NULL when there was none).
CREATE TABLE undo (
  seq bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL,
  position_digest text NOT NULL,
  position_source_time double precision NOT NULL,
  position_count bigint NOT NULL,
  watermarks json,
  range_key bigint,
  audience text,
  labels text[],
  embedding text,
  digest text,
  vector vector,
  title text,
  text text,
  payload json
);

-- Sums of kept digests, modulo 2^128, of the 65,536 leaf ranges; without a row: an empty one.
CREATE TABLE ranges (
  leaf integer PRIMARY KEY,
  count bigint NOT NULL,
  sum numeric NOT NULL
);

CREATE TABLE meta (
  one integer PRIMARY KEY CHECK (one = 1),
  -- Whose copy it is; NULL: nobody said so.
  copy text,
  -- What its digest key makes of a fixed text: tells two keys apart, and neither key.
  key_mark text,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  digest text NOT NULL,
  source_time double precision NOT NULL,
  count bigint NOT NULL,
  base bigint NOT NULL,
  watermarks json NOT NULL,
  -- Why it may not answer; NULL: it may.
  quarantine text,
  -- While the first part of a restore answers: how much of it there is, and of which embedding.
  hot json,
  -- Embedding versions of the records with their dimensions: a reader sees only his own records,
  -- and could not tell.
  held json NOT NULL,
  -- Grows when the contents are replaced as a whole.
  generation bigint NOT NULL,
  -- Grows when a restore begins or is given up: an older one then goes no further.
  attempt bigint NOT NULL
);
INSERT INTO meta VALUES (
  1, NULL, NULL, 0, 0, '00000000000000000000000000000000', 0, 0, 0,
  '{"all":0,"tenants":{}}', NULL, NULL, '[]', 0, 0
);

GRANT USAGE ON SCHEMA :"schema" TO :"reader";
GRANT SELECT ON meta, migrations TO :"reader";
