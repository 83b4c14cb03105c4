-- Schema 3 knows when things happened; of what is there already nobody knows it any more.

ALTER TABLE workers ADD COLUMN joined_ms INTEGER;
ALTER TABLE attempts ADD COLUMN began_ms INTEGER;
ALTER TABLE attempts ADD COLUMN ended_ms INTEGER;

CREATE TABLE terms (
    term     INTEGER PRIMARY KEY,
    began_ms INTEGER,
    seen_ms  INTEGER,
    ended_ms INTEGER,
    ran_ms   INTEGER
) STRICT;

INSERT INTO terms (term) SELECT DISTINCT term FROM attempts;
