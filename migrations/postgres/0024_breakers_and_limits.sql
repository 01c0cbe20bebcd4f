-- How gently systems are asked, for all replicas together: a breaker for each that has failed or that
-- has limits, and how many jobs were begun in each stretch of time in those that have limits.

CREATE TABLE breakers (
    system TEXT NOT NULL PRIMARY KEY CHECK (system <> ''),
    -- In a row, of one job and another.
    failures BIGINT NOT NULL CHECK (failures >= 0),
    failed_job UUID,
    failed_at BIGINT,
    -- While it is open one job at a time tries, from `trial_at` on; which one does so under its lease.
    opened_at BIGINT,
    trials BIGINT NOT NULL CHECK (trials >= 0),
    trial_at BIGINT,
    trial_job UUID,
    trial_attempt BIGINT,
    -- The system asked to be left alone until then.
    leave_until BIGINT,
    CHECK ((failures = 0) = (failed_job IS NULL)),
    CHECK ((failed_job IS NULL) = (failed_at IS NULL)),
    CHECK ((opened_at IS NULL) = (trial_at IS NULL)),
    CHECK ((trial_job IS NULL) = (trial_attempt IS NULL)),
    CHECK (opened_at IS NULL OR failures > 0),
    CHECK (opened_at IS NOT NULL OR (trials = 0 AND trial_job IS NULL))
);

-- Rows go once they count no more.
CREATE TABLE turns (
    system TEXT NOT NULL CHECK (system <> ''),
    span TEXT NOT NULL CHECK (span IN ('minute', 'day')),
    began_at BIGINT NOT NULL,
    jobs BIGINT NOT NULL CHECK (jobs > 0),
    PRIMARY KEY (system, span, began_at)
);
