-- What pages show that no scan says: what befell one image, and how the fleet stood on each day.

CREATE INDEX events_subject ON events (subject, number);
CREATE TABLE days (
    day {text} PRIMARY KEY,
    body {text} NOT NULL
);
