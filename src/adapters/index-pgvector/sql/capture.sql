-- Notes which rows of an adopted table change. In a schema of its own, so that nothing of the
-- table's own schema is touched but the triggers.
CREATE TABLE :"notes" (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- SECURITY DEFINER: whoever writes the table needs no right to the notes. Nothing in here may fail,
-- or somebody else's write would fail with it.
CREATE FUNCTION :"notes_new"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO :schema.:"notes" (id) SELECT new_rows.:"id"::text FROM new_rows WHERE new_rows.:"id" IS NOT NULL;
  RETURN NULL;
END $$;
CREATE FUNCTION :"notes_old"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO :schema.:"notes" (id) SELECT old_rows.:"id"::text FROM old_rows WHERE old_rows.:"id" IS NOT NULL;
  RETURN NULL;
END $$;
CREATE FUNCTION :"notes_all"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO :schema.:"notes" (id) SELECT :"id"::text FROM :table WHERE :"id" IS NOT NULL;
  RETURN NULL;
END $$;

CREATE TRIGGER :"notes_insert" AFTER INSERT ON :table REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION :"notes_new"();
CREATE TRIGGER :"notes_update" AFTER UPDATE ON :table REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION :"notes_new"();
-- The id itself may be what was updated: the row of the old one is gone then.
CREATE TRIGGER :"notes_renamed" AFTER UPDATE ON :table REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION :"notes_old"();
CREATE TRIGGER :"notes_delete" AFTER DELETE ON :table REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION :"notes_old"();
CREATE TRIGGER :"notes_truncate" BEFORE TRUNCATE ON :table
  FOR EACH STATEMENT EXECUTE FUNCTION :"notes_all"();

-- What is there already. The triggers' lock keeps writers out until it is noted.
INSERT INTO :"notes" (id) SELECT :"id"::text FROM :table WHERE :"id" IS NOT NULL;
