-- A gateway proves that a position that its caller names is in this copy's history. It may not read
-- the log: that holds every tenant's documents.
GRANT SELECT (seq, epoch, digest_after) ON log TO :"reader";
