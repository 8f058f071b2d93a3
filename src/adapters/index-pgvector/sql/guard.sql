-- Keys and row-level security of a table of records: of the first one, and of each that a restore
-- puts in its place.
ALTER TABLE :"table" ADD PRIMARY KEY (id);
CREATE INDEX ON :"table" (range_key, id);
CREATE INDEX ON :"table" (embedding, audience);
GRANT SELECT ON :"table" TO :"reader";
ALTER TABLE :"table" ENABLE ROW LEVEL SECURITY;
-- FORCE: else the owner, and whoever inherits from it, would see past every policy.
ALTER TABLE :"table" FORCE ROW LEVEL SECURITY;
