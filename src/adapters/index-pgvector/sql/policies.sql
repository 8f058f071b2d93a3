-- In sub-selects, so that the settings are read once a query and not once a row. A setting that is
-- absent, or empty as after its transaction, is NULL, and NULL shows nothing.
CREATE POLICY tideover_read ON :"table" FOR SELECT TO :"reader" USING (
  audience = ANY ((SELECT nullif(current_setting('tideover.audiences', true), '')::text[])::text[])
  AND labels <@ (SELECT nullif(current_setting('tideover.labels', true), '')::text[])
);
CREATE POLICY tideover_write ON :"table" FOR ALL TO CURRENT_USER USING (true) WITH CHECK (true);
